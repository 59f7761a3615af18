#include "tools/monitor/held_command.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "engine/fail.h"

namespace tinyllm::monitor {

HeldCommand::HeldCommand(const std::vector<std::string>& words, bool to_stderr) : name_(words.front()) {
    int gate[2], verdict[2];
    if (::pipe2(gate, O_CLOEXEC) != 0)
        fail(ErrorKind::runtime, "cannot make a pipe: {}", std::strerror(errno));
    if (::pipe2(verdict, O_CLOEXEC) != 0)
        fail(ErrorKind::runtime, "cannot make a pipe: {}", std::strerror(errno));
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    std::fflush(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) fail(ErrorKind::runtime, "cannot start a process: {}", std::strerror(errno));
    if (pid_ == 0) {
        for (const int number : {SIGPIPE, SIGXFSZ}) ::signal(number, SIG_DFL);
        // Ctrl-C ends it while it is held too; what the shell had it ignore stays ignored.
        for (const int number : {SIGINT, SIGTERM})
            if (::signal(number, SIG_DFL) == SIG_IGN) ::signal(number, SIG_IGN);
        ::close(gate[1]);
        char go = 0;
        ssize_t n = 0;
        do {
            n = ::read(gate[0], &go, 1);
        } while (n < 0 && errno == EINTR);
        if (n != 1) ::_exit(1);  // nobody is left to watch
        if (to_stderr) ::dup2(STDERR_FILENO, STDOUT_FILENO);
        ::execvp(arguments[0], arguments.data());
        const int reason = errno;
        [[maybe_unused]] const ssize_t told = ::write(verdict[1], &reason, sizeof reason);
        ::_exit(127);
    }
    ::close(gate[0]);
    ::close(verdict[1]);
    gate_ = gate[1];
    verdict_ = verdict[0];
}

HeldCommand::~HeldCommand() {
    if (gate_ >= 0) ::close(gate_);
    if (verdict_ >= 0) ::close(verdict_);
}

void HeldCommand::release() {
    [[maybe_unused]] const ssize_t told = ::write(gate_, "g", 1);
    ::close(gate_);
    gate_ = -1;
    int reason = 0;
    ssize_t n = 0;
    do {
        n = ::read(verdict_, &reason, sizeof reason);  // ends when the program has begun
    } while (n < 0 && errno == EINTR);
    if (n != sizeof reason) return;
    const bool absent = reason == ENOENT || reason == ENOTDIR;
    fail(absent ? ErrorKind::not_found : ErrorKind::runtime, "{}: cannot be run: {}", name_,
         std::strerror(reason));
}

std::optional<int> HeldCommand::ended() {
    if (code_) return code_;
    int status = 0;
    struct rusage used = {};
    if (::wait4(pid_, &status, WNOHANG, &used) != pid_) return {};
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
    };
    cpu_seconds_ = seconds(used.ru_utime) + seconds(used.ru_stime);
    peak_bytes_ = std::int64_t{used.ru_maxrss} * 1024;
    code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return code_;
}

void HeldCommand::send(int signal) const {
    if (!code_) ::kill(pid_, signal);
}

}  // namespace tinyllm::monitor
