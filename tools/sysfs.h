// Files of /proc and /sys. TINYLLM_SYSFS_ROOT puts another tree in their place. They come from drivers, so
// they may be absent, vanish, refuse or hold anything: none of that waits, throws or reads as 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tinyllm {

/// TINYLLM_SYSFS_ROOT; empty: the real tree.
std::string sysfs_root();

/// Up to `most` bytes. Nothing if it cannot be read or is no regular file (a pipe would make us wait); `why`
/// then gets the system's reason.
std::optional<std::string> read_sysfs(const std::string& path, std::size_t most = 4096,
                                      std::string* why = nullptr);

/// The first line, without what the kernel pads it with; empty if it cannot be read.
std::string read_sysfs_line(const std::string& path);

/// A whole number that is all of the first line.
std::optional<std::int64_t> read_sysfs_number(const std::string& path);
std::optional<std::int64_t> number_of_line(std::string_view text);

/// Paths below `folder` whose last part begins with `prefix`, in order, numbers by their value.
std::vector<std::string> list_sysfs(const std::string& folder, const std::string& prefix = "");

/// One file that is read again and again: kept open, opened anew when it was replaced.
class SysfsFile {
  public:
    explicit SysfsFile(std::string path) : path_(std::move(path)) {}
    ~SysfsFile();
    SysfsFile(SysfsFile&& other) noexcept;
    SysfsFile& operator=(SysfsFile&&) = delete;

    const std::string& path() const { return path_; }
    std::optional<std::string> read(std::size_t most = 256);
    std::optional<std::int64_t> number();

  private:
    std::string path_;
    int file_ = -1;
};

}  // namespace tinyllm
