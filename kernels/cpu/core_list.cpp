#include "kernels/cpu/core_list.h"

#include <bitset>
#include <charconv>
#include <cstdlib>
#include <fstream>

namespace tinyllm::cpu {

std::optional<std::vector<int>> parse_core_list(const std::string& text) {
    constexpr int kEnd = 4096;
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string::npos) return {};
    const char* at = text.data() + begin;
    const char* end = text.data() + text.find_last_not_of(" \t\r\n") + 1;
    const auto number = [&](int& value) {
        const auto [next, error] = std::from_chars(at, end, value);
        // from_chars takes a sign, a list of cores does not.
        const bool good = error == std::errc() && *at != '-' && value < kEnd;
        at = next;
        return good;
    };
    std::bitset<kEnd> named;
    for (;;) {
        int first = 0;
        if (at == end || !number(first)) return {};
        int last = first;
        if (at != end && *at == '-') {
            if (++at == end || !number(last) || last < first) return {};
        }
        for (int core = first; core <= last; ++core) named.set(static_cast<std::size_t>(core));
        if (at == end) break;
        if (*at++ != ',') return {};
    }
    std::vector<int> cores;
    for (int core = 0; core < kEnd; ++core) {
        if (named[static_cast<std::size_t>(core)]) cores.push_back(core);
    }
    return cores;
}

std::string cpu_folder() {
    const char* root = std::getenv("TINYLLM_SYSFS_ROOT");
    return std::string(root ? root : "") + "/sys/devices/system/cpu/";
}

std::optional<std::vector<int>> online_cpus() {
    std::ifstream file(cpu_folder() + "online");
    std::string text;
    if (!std::getline(file, text)) return {};
    return parse_core_list(text);
}

}  // namespace tinyllm::cpu
