// Standard output and files: every failed write is met, none is retried half.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <utility>

#include "engine/fail.h"
#include "tools/output.h"
#include "tools/signals.h"

namespace tinyllm {
namespace {

[[noreturn]] void fail_standard_output(int error) {
    if (error == EPIPE) throw ClosedPipe{};
    fail(ErrorKind::runtime, "standard output cannot be written: {}", std::strerror(error));
}

/// 0, or the error's number.
int write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return 0;
}

[[noreturn]] void fail_write(const std::string& path, int error) {
    fail(ErrorKind::runtime, "{}: cannot be written: {}", path, std::strerror(error));
}

void write_in_place(const std::string& path, std::string_view bytes) {
    const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) fail_write(path, errno);
    int error = write_all(fd, bytes);
    if (close(fd) != 0 && error == 0) error = errno;
    if (error != 0) fail_write(path, error);
}

}  // namespace

void hold_standard_descriptors() {
    // Written to or read from, the stand-ins fail as what is closed does: with EBADF.
    for (const auto& [fd, mode] : {std::pair(STDIN_FILENO, O_WRONLY), std::pair(STDOUT_FILENO, O_RDONLY),
                                   std::pair(STDERR_FILENO, O_RDONLY)}) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        const int stand_in = open("/dev/null", mode);  // the lowest free number, which is fd
        if (stand_in >= 0 && stand_in != fd) close(stand_in);
    }
}

void print(std::string_view text) {
    // EINTR: a signal that only asks to stop must not cost output.
    while (!text.empty()) {
        errno = 0;
        const std::size_t n = std::fwrite(text.data(), 1, text.size(), stdout);
        text.remove_prefix(n);
        if (!text.empty() && errno != EINTR) fail_standard_output(errno);
        if (!text.empty()) std::clearerr(stdout);
    }
    while (std::fflush(stdout) != 0) {
        if (errno != EINTR) fail_standard_output(errno);
        std::clearerr(stdout);
    }
}

void finish_standard_output() {
    std::cout.flush();
    errno = 0;
    if (std::fflush(stdout) != 0) fail_standard_output(errno);
    if (std::ferror(stdout) || !std::cout) fail_standard_output(errno != 0 ? errno : EIO);
}

void write_file(const std::string& path, std::string_view bytes) {
    struct stat status = {};
    if (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
        if (S_ISDIR(status.st_mode)) fail_write(path, EISDIR);
        return write_in_place(path, bytes);
    }
    const std::string temporary = fmt::format("{}.{}.tmp", path, getpid());
    const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) fail_write(path, errno);
    set_unfinished_file(temporary);
    int error = write_all(fd, bytes);
    if (close(fd) != 0 && error == 0) error = errno;
    if (error == 0 && rename(temporary.c_str(), path.c_str()) != 0) error = errno;
    set_unfinished_file("");
    if (error != 0) {
        unlink(temporary.c_str());
        fail_write(path, error);
    }
}

std::string read_file(const std::string& path) {
    const int fd = path == "-" ? dup(STDIN_FILENO) : open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        const ErrorKind kind =
            errno == ENOENT || errno == ENOTDIR ? ErrorKind::not_found : ErrorKind::runtime;
        fail(kind, "{}: cannot be read: {}", path, std::strerror(errno));
    }
    std::string bytes;
    char buffer[1 << 16];
    for (;;) {
        const ssize_t n = read(fd, buffer, sizeof(buffer));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            const int error = errno;
            close(fd);
            fail(ErrorKind::runtime, "{}: cannot be read: {}", path, std::strerror(error));
        }
        if (n == 0) break;
        bytes.append(buffer, static_cast<std::size_t>(n));
    }
    close(fd);
    return bytes;
}

void deliver(const OutputOptions& options, std::string_view text) {
    if (options.path.empty() || options.path == "-") return print(text);
    write_file(options.path, text);
}

}  // namespace tinyllm
