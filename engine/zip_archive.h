// The entries of a ZIP file that were stored without compression, as torch.save writes them.
// Format: PKWARE APPNOTE 6.3; ZIP64 included.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace tinyllm {

class ZipArchive {
  public:
    /// `file` is for messages. Throws Error: corrupt, or unsupported for compressed and encrypted entries.
    ZipArchive(const std::string& file, std::span<const std::byte> bytes);

    const std::map<std::string, std::span<const std::byte>, std::less<>>& entries() const { return entries_; }

  private:
    std::map<std::string, std::span<const std::byte>, std::less<>> entries_;
};

}  // namespace tinyllm
