#include "engine/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "engine/fail.h"

namespace tinyllm {

MappedFile::MappedFile(const std::string& path) : path_(path) {
    // Not blocking, so that a named pipe is refused below instead of waited for.
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        const bool absent = errno == ENOENT || errno == ENOTDIR;
        fail(absent ? ErrorKind::not_found : ErrorKind::runtime, "{}: cannot open: {}", path,
             std::strerror(errno));
    }
    struct stat status = {};
    if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        ::close(fd);
        fail(ErrorKind::not_found, "{}: expected a file, found a {}", path,
             S_ISDIR(status.st_mode) ? "folder" : "device or pipe");
    }
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size > std::numeric_limits<std::size_t>::max() / 2) {
        ::close(fd);
        fail(ErrorKind::runtime, "{}: {} bytes are more than this machine can map", path, size);
    }
    size_ = static_cast<std::size_t>(size);
    if (size_ > 0) {
        void* data = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd, 0);
        const int reason = errno;
        ::close(fd);
        if (data == MAP_FAILED) {
            fail(ErrorKind::runtime, "{}: cannot map {} bytes: {}", path, size_, std::strerror(reason));
        }
        data_ = static_cast<const std::byte*>(data);
    } else {
        ::close(fd);
    }
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

void MappedFile::will_need(std::span<const std::byte> part) const {
    if (part.empty()) return;
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = reinterpret_cast<std::uintptr_t>(part.data()) / page * page;
    const auto end = reinterpret_cast<std::uintptr_t>(part.data()) + part.size();
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_WILLNEED);
}

void MappedFile::large_pages() const {
    if (data_ != nullptr) ::madvise(const_cast<std::byte*>(data_), size_, MADV_HUGEPAGE);
}

void MappedFile::release(std::span<const std::byte> part) const {
    // A fault maps a window of pages around its own. Without the whole window, what ends within one would
    // come back with the first page of what follows, and stay.
    constexpr std::uintptr_t kWindow = 64 << 10;
    const auto first = reinterpret_cast<std::uintptr_t>(data_), last = first + size_;
    const auto from = reinterpret_cast<std::uintptr_t>(part.data()), to = from + part.size();
    if (part.empty() || from < first || to > last) return;
    const std::uintptr_t begin = std::max(first, from / kWindow * kWindow);
    const std::uintptr_t end = std::min(last, (to + kWindow - 1) / kWindow * kWindow);
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace tinyllm
