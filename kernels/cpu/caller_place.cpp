#include "kernels/cpu/caller_place.h"

namespace tinyllm::cpu {

CallerPlace::CallerPlace(const std::vector<int>& cores) noexcept {
    if (cores.empty() || sched_getaffinity(0, sizeof own_, &own_) != 0) return;
    CPU_ZERO(&confined_);
    for (const int core : cores) {
        if (core < CPU_SETSIZE && CPU_ISSET(core, &own_)) CPU_SET(core, &confined_);
    }
    if (CPU_COUNT(&confined_) == 0 || CPU_EQUAL(&confined_, &own_)) return;
    moved_ = sched_setaffinity(0, sizeof confined_, &confined_) == 0;
}

CallerPlace::~CallerPlace() {
    if (!moved_) return;
    // Whoever changed it meanwhile (taskset, the program itself) meant it.
    cpu_set_t now;
    if (sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &confined_))
        sched_setaffinity(0, sizeof own_, &own_);
}

}  // namespace tinyllm::cpu
