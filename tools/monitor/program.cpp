#include "tools/monitor/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "tools/monitor/sensor.h"
#include "tools/sysfs.h"

extern char** environ;

namespace tinyllm::monitor {
namespace {

constexpr std::size_t kMostOutput = 1 << 20;

}  // namespace

std::string find_program(const std::string& name) {
    const std::string root = sysfs_root();
    std::string folders = "/usr/bin:/bin:/usr/sbin:/sbin";
    const char* path = std::getenv("PATH");
    if (root.empty() && path != nullptr) folders = std::string(path) + ":" + folders;
    for (std::size_t start = 0; start <= folders.size();) {
        const std::size_t end = std::min(folders.find(':', start), folders.size());
        const std::string folder = folders.substr(start, end - start);
        const std::string file = root + folder + "/" + name;
        if (!folder.empty() && folder.front() == '/' && ::access(file.c_str(), X_OK) == 0) return file;
        start = end + 1;
    }
    return "";
}

Program::Program(const std::vector<std::string>& arguments) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    // The sampling thread has its signals blocked, and the command ignores what failed writes bring: neither
    // is for others.
    posix_spawnattr_t how;
    posix_spawnattr_init(&how);
    sigset_t none, pipes;
    sigemptyset(&none);
    sigemptyset(&pipes);
    for (const int number : {SIGPIPE, SIGXFSZ}) sigaddset(&pipes, number);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &pipes);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::vector<char*> words;
    for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    pid_t pid = -1;
    if (::posix_spawn(&pid, words[0], &files, &how, words.data(), environ) == 0) pid_ = pid;
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    ::close(ends[1]);
    output_ = ends[0];
}

Program::~Program() {
    if (output_ >= 0) ::close(output_);
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);  // one that has ended is still ours to wait for
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

bool Program::read(std::string& more) {
    char buffer[4096];
    while (output_ >= 0) {
        const ssize_t n = ::read(output_, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN;
        if (n == 0) return false;
        more.append(buffer, static_cast<std::size_t>(n));
        if (more.size() > kMostOutput) return false;
    }
    return false;
}

void Program::wait(double seconds) const {
    pollfd output{output_, POLLIN, 0};
    ::poll(&output, 1, static_cast<int>(seconds * 1000));
}

std::optional<std::string> output_of(const std::vector<std::string>& arguments, double seconds) {
    Program program(arguments);
    std::string text;
    const double deadline = clock_seconds() + seconds;
    while (program.read(text)) {
        const double left = deadline - clock_seconds();
        if (left <= 0) return {};
        program.wait(left);
    }
    return text;
}

}  // namespace tinyllm::monitor
