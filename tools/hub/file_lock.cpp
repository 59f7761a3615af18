#include "tools/hub/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <thread>

#include "engine/fail.h"

namespace tinyllm::hub {

FileLock::FileLock(const std::filesystem::path& path) : path_(path) {
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    if (error)
        fail(ErrorKind::runtime, "{}: cannot be created: {}", path.parent_path().string(), error.message());
    fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0) fail(ErrorKind::runtime, "{}: cannot be opened: {}", path.string(), std::strerror(errno));
}

FileLock::~FileLock() {
    close(fd_);
}

bool FileLock::try_lock(Kind kind) {
    while (flock(fd_, (kind == Kind::shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return false;
        if (errno != EINTR)
            fail(ErrorKind::runtime, "{}: cannot be locked: {}", path_.string(), std::strerror(errno));
    }
    return true;
}

void FileLock::lock(Kind kind, const std::function<void()>& waiting) {
    while (!try_lock(kind)) {
        waiting();
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
}

}  // namespace tinyllm::hub
