#include "tools/hub/download/progress.h"

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "tools/log.h"

namespace tinyllm::hub {

Progress::Progress(std::string name, std::int64_t total, double unit, std::string unit_name)
    : name_(std::move(name)),
      unit_name_(std::move(unit_name)),
      total_(static_cast<double>(total) / unit),
      unit_(unit),
      live_(show_progress()),
      begin_(Clock::now()) {}

Progress::~Progress() {
    if (live_) fmt::print(stderr, "\r\033[K");
}

void Progress::at(std::int64_t have) {
    if (!live_) return;
    const double done = static_cast<double>(have) / unit_;
    if (first_ < 0) first_ = done;
    const Clock::time_point now = Clock::now();
    if (now - shown_ < std::chrono::milliseconds(200)) return;
    shown_ = now;
    const double seconds = std::chrono::duration<double>(now - begin_).count();
    const double speed = seconds > 0 && done > first_ ? (done - first_) / seconds : 0;
    fmt::print(stderr, "\r\033[K{} {:.0f}/{:.0f} {} {:.1f}/s", name_, done, total_, unit_name_, speed);
    std::fflush(stderr);
}

}  // namespace tinyllm::hub
