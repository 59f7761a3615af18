#include "tools/sysfs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace tinyllm {
namespace {

/// -1 with errno.
int open_sysfs(const std::string& path) {
    const int file = ::open((sysfs_root() + path).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (file < 0) return -1;
    struct stat facts = {};
    if (::fstat(file, &facts) == 0 && S_ISREG(facts.st_mode)) return file;
    ::close(file);
    errno = EINVAL;
    return -1;
}

std::optional<std::string> read_from_start(int file, std::size_t most) {
    std::string text(most, '\0');
    std::size_t size = 0;
    while (size < most) {
        const ssize_t n = ::pread(file, text.data() + size, most - size, static_cast<off_t>(size));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return {};
        if (n == 0) break;
        size += static_cast<std::size_t>(n);
    }
    text.resize(size);
    return text;
}

/// "cpu10" behind "cpu9".
bool by_number(const std::string& a, const std::string& b) {
    const auto split = [](const std::string& name) {
        const std::size_t end = name.find_last_not_of("0123456789");
        const std::size_t at = end == std::string::npos ? 0 : end + 1;
        const std::string digits = name.substr(at);
        return std::tuple(name.substr(0, at), digits.size(), digits);
    };
    return split(a) < split(b);
}

}  // namespace

std::string sysfs_root() {
    const char* path = std::getenv("TINYLLM_SYSFS_ROOT");
    return path != nullptr ? path : "";
}

std::optional<std::string> read_sysfs(const std::string& path, std::size_t most, std::string* why) {
    const int file = open_sysfs(path);
    std::optional<std::string> text;
    if (file >= 0) text = read_from_start(file, most);
    if (!text && why != nullptr) *why = std::strerror(errno);
    if (file >= 0) ::close(file);
    return text;
}

std::string read_sysfs_line(const std::string& path) {
    std::string line = read_sysfs(path).value_or("");
    line.resize(std::min(line.size(), line.find('\n')));
    while (!line.empty() && (line.back() == '\0' || line.back() == ' ' || line.back() == '\r'))
        line.pop_back();
    return line;
}

std::optional<std::int64_t> number_of_line(std::string_view text) {
    text = text.substr(0, text.find('\n'));
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == '\0' || text.back() == ' ' || text.back() == '\r'))
        text.remove_suffix(1);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return {};
    return value;
}

std::optional<std::int64_t> read_sysfs_number(const std::string& path) {
    return number_of_line(read_sysfs_line(path));
}

std::vector<std::string> list_sysfs(const std::string& folder, const std::string& prefix) {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::directory_iterator at(sysfs_root() + folder, error);
    for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
        const std::string name = at->path().filename().string();
        if (name.compare(0, prefix.size(), prefix) == 0) names.push_back(name);
    }
    std::sort(names.begin(), names.end(), by_number);
    for (std::string& name : names) name = folder + "/" + name;
    return names;
}

SysfsFile::~SysfsFile() {
    if (file_ >= 0) ::close(file_);
}

SysfsFile::SysfsFile(SysfsFile&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}

std::optional<std::string> SysfsFile::read(std::size_t most) {
    struct stat facts = {};
    if (file_ >= 0 && (::fstat(file_, &facts) != 0 || facts.st_nlink == 0)) {
        ::close(file_);
        file_ = -1;
    }
    if (file_ < 0) file_ = open_sysfs(path_);
    if (file_ < 0) return {};
    auto text = read_from_start(file_, most);
    if (!text) {  // the device behind it may have gone, and another come
        ::close(file_);
        file_ = -1;
    }
    return text;
}

std::optional<std::int64_t> SysfsFile::number() {
    const auto text = read();
    return text ? number_of_line(*text) : std::nullopt;
}

}  // namespace tinyllm
