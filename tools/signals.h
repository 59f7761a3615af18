// SIGINT and SIGTERM: exit codes 130 and 143, and no half-written file left behind.
//
// Commands that stream hold a CooperativeStop and look at stop_requested() between tokens, so that what they
// wrote stays whole; every other command ends at once. A second signal always ends at once.
#pragma once

#include <string>

namespace tinyllm {

/// Also ignores SIGPIPE and SIGXFSZ: a closed pipe and a file as large as may be are met as failed writes.
void install_signal_handlers();

/// While one lives, the first signal only sets stop_requested().
class CooperativeStop {
  public:
    CooperativeStop();
    ~CooperativeStop();
    CooperativeStop(const CooperativeStop&) = delete;
    CooperativeStop& operator=(const CooperativeStop&) = delete;
};

bool stop_requested();

/// 130 or 143 after a signal, `otherwise` if there was none.
int stop_exit_code(int otherwise);

/// The file that a signal's end removes; empty: none. At most one at a time.
void set_unfinished_file(const std::string& path);

}  // namespace tinyllm
