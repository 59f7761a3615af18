// One redrawn line on a terminal while a file comes in.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace tinyllm::hub {

class Progress {
  public:
    /// Shows nothing unless standard error is a terminal. `unit` 1e6 and "MB", or 1 and "rows".
    Progress(std::string name, std::int64_t total, double unit, std::string unit_name);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void at(std::int64_t have);

  private:
    using Clock = std::chrono::steady_clock;
    std::string name_, unit_name_;
    double total_, unit_;
    bool live_;
    double first_ = -1;
    Clock::time_point begin_, shown_{};
};

}  // namespace tinyllm::hub
