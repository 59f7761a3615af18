// A command that is started, but held back until those who watch it are ready.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tinyllm::monitor {

class HeldCommand {
  public:
    /// `to_stderr`: what it writes to standard output goes to standard error. Forks, so no other thread may
    /// run yet. Throws Error(runtime).
    HeldCommand(const std::vector<std::string>& words, bool to_stderr);
    ~HeldCommand();
    HeldCommand(const HeldCommand&) = delete;
    HeldCommand& operator=(const HeldCommand&) = delete;

    pid_t pid() const { return pid_; }

    /// Lets it go. Throws Error(not_found) if there is no such program, Error(runtime) if it cannot be run.
    void release();

    /// How it ended: its exit code, or 128 and the signal's number. Nothing while it runs.
    std::optional<int> ended();
    void send(int signal) const;

    /// Of the command and what it waited for, once it has ended.
    double cpu_seconds() const { return cpu_seconds_; }
    std::int64_t peak_bytes() const { return peak_bytes_; }

  private:
    std::string name_;
    pid_t pid_ = -1;
    int gate_ = -1, verdict_ = -1;
    std::optional<int> code_;
    double cpu_seconds_ = 0;
    std::int64_t peak_bytes_ = 0;
};

}  // namespace tinyllm::monitor
