// A file that appears under its name only when it is complete.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace tinyllm {

/// Writes to a temporary name in the same folder; commit() makes it durable and renames it. Without commit()
/// nothing remains. Something at `path` that is no regular file (a device, a pipe) is written to as it is.
/// Every failure throws Error(runtime) with the path and the system's reason.
class OutputFile {
  public:
    explicit OutputFile(const std::string& path);
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    void write(std::span<const std::byte> bytes);
    void commit();

  private:
    std::string path_;
    std::string temporary_;  // empty: written in place
    int fd_ = -1;
};

}  // namespace tinyllm
