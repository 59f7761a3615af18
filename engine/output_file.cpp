#include "engine/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "engine/fail.h"

namespace tinyllm {

namespace {

[[noreturn]] void cannot_write(const std::string& path, int reason) {
    fail(ErrorKind::runtime, "{}: cannot write: {}", path, std::strerror(reason));
}

/// Makes the new name itself durable. Not every file system allows it; the data is safe by then.
void sync_folder(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    (void)::fsync(fd);
    ::close(fd);
}

}  // namespace

OutputFile::OutputFile(const std::string& path) : path_(path) {
    struct stat status = {};
    const bool exists = ::stat(path.c_str(), &status) == 0;
    if (exists && S_ISDIR(status.st_mode)) cannot_write(path, EISDIR);
    if (exists && !S_ISREG(status.st_mode)) {
        fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    } else {
        static std::atomic<unsigned> counter = 0;
        temporary_ = fmt::format("{}.{}.{}.tmp", path, ::getpid(), counter++);
        fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
    if (fd_ < 0) cannot_write(path_, errno);
}

OutputFile::~OutputFile() {
    if (fd_ < 0) return;
    ::close(fd_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void OutputFile::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) cannot_write(path_, errno);
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
}

void OutputFile::commit() {
    if (!temporary_.empty() && ::fsync(fd_) != 0) cannot_write(path_, errno);
    const int fd = fd_;
    fd_ = -1;
    if (::close(fd) != 0 || (!temporary_.empty() && std::rename(temporary_.c_str(), path_.c_str()) != 0)) {
        const int reason = errno;
        if (!temporary_.empty()) ::unlink(temporary_.c_str());
        cannot_write(path_, reason);
    }
    if (!temporary_.empty()) sync_folder(path_);
}

}  // namespace tinyllm
