// Which cores a model's threads run on: what was asked for, else the fastest cluster.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "kernels/cpu/core_list.h"
#include "kernels/cpu/cores.h"
#include "tinyllm/error.h"
#include "tinyllm/system.h"

namespace tinyllm {
namespace {

/// The value of a variable; empty where it is not set.
std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

[[noreturn]] void refuse_placement(const std::string& message) {
    throw Error(ErrorKind::usage, message);
}

int threads_of_variable() {
    const std::string text = variable("TINYLLM_THREADS");
    if (text.empty()) return 0;
    char* end = nullptr;
    const long value = std::strtol(text.c_str(), &end, 10);
    if (*end || value < 1 || value > kMostThreads) {
        refuse_placement("TINYLLM_THREADS: expected 1 to " + std::to_string(kMostThreads) + ", found " +
                         text);
    }
    return static_cast<int>(value);
}

std::vector<int> listed_cores(const std::string& flag, const std::string& text) {
    const auto cores = cpu::parse_core_list(text);
    if (!cores) refuse_placement(flag + ": expected big, all or a list such as 0-3,6, found '" + text + "'");
    const std::vector<int> usable = cpu::usable_cpus();
    for (const int core : *cores) {
        if (std::ranges::binary_search(usable, core)) continue;
        const auto online = cpu::online_cpus();
        std::error_code error;
        const bool there = std::filesystem::exists(cpu::cpu_folder() + "cpu" + std::to_string(core), error);
        const char* reason = " is not there";
        if (online ? std::ranges::binary_search(*online, core) : there) {
            reason = " lies outside this process's affinity mask";
        } else if (there) {
            reason = " is offline";
        }
        refuse_placement(flag + " " + text + ": core " + std::to_string(core) + reason +
                         "; there are: " + show_cores(usable));
    }
    return *cores;
}

/// The fastest clusters that together have `threads` cores; at least one.
std::vector<int> fastest(int threads, std::string& why) {
    const std::vector<cpu::Cluster> clusters = cpu::clusters();
    std::vector<int> cores = clusters.front().cpus;
    std::size_t taken = 1;
    for (; taken < clusters.size() && static_cast<int>(cores.size()) < threads; ++taken)
        cores.insert(cores.end(), clusters[taken].cpus.begin(), clusters[taken].cpus.end());
    if (clusters.size() == 1) {
        why = "all usable cores, which are of one speed";
    } else if (taken == 1) {
        why = "the fastest of " + std::to_string(clusters.size()) + " clusters";
    } else {
        why = "the fastest " + std::to_string(taken) + " of " + std::to_string(clusters.size()) +
              " clusters, for " + std::to_string(threads) + " threads";
    }
    std::ranges::sort(cores);
    return cores;
}

/// "1.5"
std::string show_quota(double cpus) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", cpus);
    return text;
}

}  // namespace

std::string show_cores(const std::vector<int>& cores) {
    std::string text;
    for (std::size_t i = 0; i < cores.size();) {
        std::size_t j = i;
        while (j + 1 < cores.size() && cores[j + 1] == cores[j] + 1) ++j;
        if (!text.empty()) text += ',';
        text += std::to_string(cores[i]);
        if (j > i) {
            text += '-';
            text += std::to_string(cores[j]);
        }
        i = j + 1;
    }
    return text;
}

Placement place_threads(const std::string& cores, int threads) {
    if (threads < 0 || threads > kMostThreads) {
        refuse_placement("threads: expected 0 to " + std::to_string(kMostThreads) + ", found " +
                         std::to_string(threads));
    }
    Placement placement;
    const std::string flag = cores.empty() ? "TINYLLM_CORES" : "cores";
    const std::string wanted = cores.empty() ? variable("TINYLLM_CORES") : cores;
    const int from_variable = threads ? 0 : threads_of_variable();
    const int asked = threads ? threads : from_variable;
    const bool list = !wanted.empty() && wanted != "big" && wanted != "all";
    if (list) {
        placement.cores = listed_cores(flag, wanted);
        placement.why = "as listed";
    } else if (wanted == "all") {
        placement.cores = cpu::usable_cpus();
        placement.why = "all usable cores, as asked for";
    } else {
        placement.cores = fastest(wanted.empty() ? asked : 0, placement.why);
    }
    if (!wanted.empty() && cores.empty()) placement.why += " (TINYLLM_CORES)";

    const int each = static_cast<int>(std::min<std::size_t>(placement.cores.size(), kMostThreads));
    const double quota = cpu::quota_cpus();
    placement.threads = asked ? asked : each;
    if (asked) {
        placement.why += from_variable ? "; threads by TINYLLM_THREADS" : "; threads as asked for";
    } else if (!list && quota > 0 && quota < each) {
        placement.threads = std::max(1, static_cast<int>(std::ceil(quota)));
        placement.why += "; threads by the quota of " + show_quota(quota) + " CPUs";
    } else {
        placement.why += "; one thread per core";
    }
    // Who lists as many cores as threads keeps them free for these, or has isolated them, where the system
    // moves no thread. Otherwise others may be busy on a core while the next one is idle: docs/adr/0005.
    placement.one_each = list && placement.threads == each;
    return placement;
}

}  // namespace tinyllm
