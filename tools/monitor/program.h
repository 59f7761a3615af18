// The board's own programs (nvpmodel, vcgencmd, tegrastats), run without a shell and never for long.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace tinyllm::monitor {

/// The file that runs under this name: from PATH and the system's folders; with TINYLLM_SYSFS_ROOT only from
/// that tree's. Empty: none.
std::string find_program(const std::string& name);

/// A program whose standard output is read; its standard input and error are empty.
class Program {
  public:
    explicit Program(const std::vector<std::string>& arguments);
    /// Ends the program.
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    /// What it wrote since, without waiting. False once it ended and all is read.
    bool read(std::string& more);
    /// Waits for more until `seconds` passed.
    void wait(double seconds) const;

  private:
    pid_t pid_ = -1;
    int output_ = -1;
};

/// All it wrote. Nothing if it cannot be started or took longer than `seconds`.
std::optional<std::string> output_of(const std::vector<std::string>& arguments, double seconds);

}  // namespace tinyllm::monitor
