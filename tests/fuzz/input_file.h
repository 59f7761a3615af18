// A fuzzer's bytes as a file without a disk.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace tinyllm {

/// The path of a file in memory that holds exactly these bytes until the next call.
inline std::string input_file(const std::uint8_t* data, std::size_t size) {
    static const int fd = ::memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || ::ftruncate(fd, 0) != 0) std::abort();
    if (::pwrite(fd, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
    return "/proc/self/fd/" + std::to_string(fd);
}

/// Reads every byte, so that a span outside its file is noticed.
template <typename Bytes>
unsigned touch(const Bytes& bytes) {
    unsigned sum = 0;
    for (const auto byte : bytes) sum += static_cast<unsigned>(byte);
    return sum;
}

}  // namespace tinyllm
