#include "tools/signals.h"

#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>

namespace tinyllm {
namespace {

volatile sig_atomic_t g_cooperative = 0;
volatile sig_atomic_t g_signal = 0;
volatile sig_atomic_t g_has_file = 0;
char g_file[PATH_MAX];  // a plain array: a signal handler may read nothing that could be half moved

void on_signal(int number) {
    if (g_cooperative != 0 && g_signal == 0) {
        g_signal = number;
        return;
    }
    if (g_has_file != 0) unlink(g_file);
    _exit(128 + number);
}

}  // namespace

void install_signal_handlers() {
    struct sigaction action = {};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    for (int number : {SIGINT, SIGTERM}) {
        struct sigaction old = {};
        sigaction(number, nullptr, &old);
        // A shell's background job has SIGINT ignored on purpose.
        if (old.sa_handler != SIG_IGN) sigaction(number, &action, nullptr);
    }
    for (int number : {SIGPIPE, SIGXFSZ}) signal(number, SIG_IGN);  // the write says what is wrong
}

CooperativeStop::CooperativeStop() {
    g_cooperative = 1;
}
CooperativeStop::~CooperativeStop() {
    g_cooperative = 0;
}

bool stop_requested() {
    return g_signal != 0;
}
int stop_exit_code(int otherwise) {
    return g_signal != 0 ? 128 + g_signal : otherwise;
}

void set_unfinished_file(const std::string& path) {
    g_has_file = 0;
    if (path.empty() || path.size() >= sizeof(g_file)) return;
    std::memcpy(g_file, path.c_str(), path.size() + 1);
    g_has_file = 1;
}

}  // namespace tinyllm
