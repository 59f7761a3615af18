#include "tools/stop_strings.h"

#include <algorithm>
#include <utility>

namespace tinyllm {

StopStrings::StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {
    std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string StopStrings::append(std::string_view text) {
    if (found_) return "";
    held_ += text;
    std::size_t first = std::string::npos;
    for (const std::string& stop : stops_) first = std::min(first, held_.find(stop));
    if (first != std::string::npos) {
        found_ = true;
        std::string before = held_.substr(0, first);
        held_.clear();
        return before;
    }
    std::size_t hold = 0;  // the longest end of held_ that begins some stop string
    for (const std::string& stop : stops_) {
        for (std::size_t n = std::min(stop.size() - 1, held_.size()); n > hold; --n) {
            if (held_.compare(held_.size() - n, n, stop, 0, n) == 0) hold = n;
        }
    }
    std::string certain = held_.substr(0, held_.size() - hold);
    held_.erase(0, certain.size());
    return certain;
}

std::string StopStrings::finish() {
    return std::exchange(held_, "");
}

}  // namespace tinyllm
