// The calling thread on the model's cores, while a call computes.
#pragma once

#include <sched.h>

#include <vector>

namespace tinyllm::cpu {

/// Confines the calling thread to those of `cores` that its own affinity has, and gives it its affinity back
/// when it goes. A thread whose owner keeps it off all of them stays where it is. One system call, or four
/// where the affinity changes.
class CallerPlace {
  public:
    explicit CallerPlace(const std::vector<int>& cores) noexcept;
    ~CallerPlace();
    CallerPlace(const CallerPlace&) = delete;
    CallerPlace& operator=(const CallerPlace&) = delete;

  private:
    cpu_set_t own_{};
    cpu_set_t confined_{};
    bool moved_ = false;
};

}  // namespace tinyllm::cpu
