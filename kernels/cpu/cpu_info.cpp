#include "kernels/cpu/cpu_info.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "tinyllm/error.h"

#if defined(__aarch64__)
#include <sys/auxv.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace tinyllm::cpu {

#if defined(__x86_64__)
namespace scalar {
extern const KernelTable kTable;
}
namespace avx2 {
extern const KernelTable kTable;
}
namespace avx512 {
extern const KernelTable kTable;
}
namespace avx512_vnni {
extern const KernelTable kTable;
}
namespace avx512_bf16 {
extern const PairKernels kPairs;
}
namespace amx {
extern const PairKernels kPairs;
}
#elif defined(__aarch64__)
namespace scalar {
extern const KernelTable kTable;
}
namespace neon {
extern const KernelTable kTable;
}
namespace neon_dotprod {
extern const KernelTable kTable;
}
#else
namespace scalar {
extern const KernelTable kTable;
}
#endif

#if defined(__x86_64__)
namespace {

KernelTable with_pairs(const KernelTable& table, const char* name, const PairKernels& pairs) {
    KernelTable with = table;
    with.name = name;
    with.pairs = &pairs;
    return with;
}

/// Whether this process may use AMX's tiles of bf16: the system has to be asked once, since they make its
/// threads' state larger.
bool has_amx_bf16() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned kBf16 = 1u << 22;  // of leaf 7, edx
    constexpr unsigned kTile = 1u << 24;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & (kBf16 | kTile)) != (kBf16 | kTile)) return false;
    constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM, Linux 5.16
    constexpr long kTileData = 18;               // XFEATURE_XTILE_DATA
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace
#endif

std::vector<Isa> isas() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    // Clang 14's builtin does not know f16c.
    unsigned a = 0, b = 0, c = 0, d = 0;
    const bool has_f16c = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
    const bool has_avx2 = has_f16c && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") &&
                            __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                            __builtin_cpu_supports("avx512dq");
    const bool has_vnni = has_avx512 && __builtin_cpu_supports("avx512vnni");
    const bool has_bf16 = has_vnni && __builtin_cpu_supports("avx512bf16");
    static const bool has_amx = has_bf16 && has_amx_bf16();
    static const KernelTable bf16 = with_pairs(avx512_vnni::kTable, "avx512_bf16", avx512_bf16::kPairs);
    static const KernelTable tiles = with_pairs(avx512_vnni::kTable, "amx", amx::kPairs);
    return {{&scalar::kTable, true},          {&avx2::kTable, has_avx2}, {&avx512::kTable, has_avx512},
            {&avx512_vnni::kTable, has_vnni}, {&bf16, has_bf16},         {&tiles, has_amx}};
#elif defined(__aarch64__)
    const unsigned long caps = getauxval(AT_HWCAP);
    constexpr unsigned long kFp16 = 1UL << 10;     // HWCAP_ASIMDHP
    constexpr unsigned long kDotProd = 1UL << 20;  // HWCAP_ASIMDDP
    return {{&scalar::kTable, true},
            {&neon::kTable, true},
            {&neon_dotprod::kTable, (caps & kDotProd) != 0 && (caps & kFp16) != 0}};
#else
    return {{&scalar::kTable, true}};
#endif
}

const KernelTable& choose_isa(const std::string& name) {
    const char* variable = std::getenv("TINYLLM_CPU_ISA");
    const std::string wanted = !name.empty() ? name : variable ? variable : "";
    const KernelTable* best = nullptr;
    std::string known;
    for (const Isa& isa : isas()) {
        known += std::string(known.empty() ? "" : ", ") + isa.table->name;
        if (isa.table->name == wanted) {
            if (isa.runs_here) return *isa.table;
            throw Error(ErrorKind::unsupported, "instruction set " + wanted + ": this CPU does not have it");
        }
        if (isa.runs_here) best = isa.table;
    }
    if (!wanted.empty()) {
        throw Error(ErrorKind::usage, "instruction set " + wanted + ": expected one of " + known +
                                          (name.empty() ? " (TINYLLM_CPU_ISA)" : ""));
    }
    return *best;
}

namespace {

std::string sysfs_root() {
    const char* root = std::getenv("TINYLLM_SYSFS_ROOT");
    return root ? root : "";
}

/// The first number in a file; -1 if there is none.
double read_number(const std::string& path) {
    std::ifstream file(path);
    double value = 0;
    return file >> value ? value : -1;
}

/// "0-3,6" as numbers.
std::vector<int> parse_list(const std::string& text) {
    std::vector<int> cpus;
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');) {
        int first = 0;
        int last = 0;
        char dash = 0;
        std::istringstream range(part);
        if (!(range >> first)) continue;
        if (!(range >> dash >> last) || dash != '-') last = first;
        for (int cpu = first; cpu <= last && cpu < first + 4096; ++cpu) cpus.push_back(cpu);
    }
    return cpus;
}

std::vector<int> allowed_cpus(const std::string& cpu_folder) {
    std::vector<int> cpus;
    if (sysfs_root().empty()) {
        cpu_set_t set;
        if (sched_getaffinity(0, sizeof set, &set) == 0) {
            for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
                if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
            }
        }
    } else {
        std::ifstream file(cpu_folder + "online");
        std::string text;
        std::getline(file, text);
        cpus = parse_list(text);
    }
    if (cpus.empty()) {
        for (unsigned cpu = 0; cpu < std::max(1U, std::thread::hardware_concurrency()); ++cpu)
            cpus.push_back(static_cast<int>(cpu));
    }
    return cpus;
}

}  // namespace

std::vector<Cluster> clusters() {
    const std::string folder = sysfs_root() + "/sys/devices/system/cpu/";
    const std::vector<int> cpus = allowed_cpus(folder);
    const auto path = [&](int cpu) { return folder + "cpu" + std::to_string(cpu) + "/"; };
    // Either figure orders the cores, but they must not be mixed.
    bool has_capacity = true;
    for (const int cpu : cpus) has_capacity = has_capacity && read_number(path(cpu) + "cpu_capacity") > 0;
    std::vector<Cluster> found;
    for (const int cpu : cpus) {
        const double capacity = std::max(
            0.0, read_number(path(cpu) + (has_capacity ? "cpu_capacity" : "cpufreq/cpuinfo_max_freq")));
        // Favoured cores of one kind differ by a few percent (turbo bins); another kind differs by more.
        const auto same = [&](const Cluster& c) {
            return std::fabs(c.capacity - capacity) <= 0.1 * std::max(c.capacity, capacity);
        };
        const auto at = std::find_if(found.begin(), found.end(), same);
        if (at == found.end()) {
            found.push_back({capacity, {cpu}});
        } else {
            at->cpus.push_back(cpu);
        }
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const Cluster& a, const Cluster& b) { return a.capacity > b.capacity; });
    return found;
}

int quota_cpus() {
    const std::string root = sysfs_root() + "/sys/fs/cgroup";
    double cpus = 0;
    const auto limit = [&](double quota, double period) {
        if (quota > 0 && period > 0 && (cpus == 0 || quota / period < cpus)) cpus = quota / period;
    };
    // Version 2: a line "0::/path" names this process's group; a limit of any group above it holds too.
    std::string group = "/";
    std::ifstream groups(sysfs_root() + "/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        if (line.starts_with("0::/")) group = line.substr(3);
    }
    for (bool top = false; !top;) {
        top = group.find_first_not_of('/') == std::string::npos;
        std::ifstream max(root + group + "/cpu.max");  // "max 100000" or "150000 100000"
        double quota = 0;
        double period = 0;
        if (max >> quota >> period) limit(quota, period);
        if (!top) group.erase(group.find_last_of('/'));
    }
    limit(read_number(root + "/cpu/cpu.cfs_quota_us"), read_number(root + "/cpu/cpu.cfs_period_us"));
    return cpus > 0 ? std::max(1, static_cast<int>(std::ceil(cpus))) : 0;
}

int choose_threads(int requested) {
    constexpr int kMost = 256;
    if (requested == 0) {
        if (const char* text = std::getenv("TINYLLM_THREADS"); text && *text) {
            char* end = nullptr;
            const long value = std::strtol(text, &end, 10);
            if (*end || value < 1 || value > kMost) {
                throw Error(ErrorKind::usage,
                            "TINYLLM_THREADS: expected 1 to 256, found " + std::string(text));
            }
            return static_cast<int>(value);
        }
        const int cores = static_cast<int>(clusters().front().cpus.size());
        const int quota = quota_cpus();
        return std::min(kMost, quota ? std::min(cores, quota) : cores);
    }
    if (requested < 0 || requested > kMost) {
        throw Error(ErrorKind::usage, "threads: expected 1 to 256, found " + std::to_string(requested));
    }
    return requested;
}

std::string cpu_name() {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);) {
        const auto colon = line.find(':');
        if (colon != std::string::npos && (line.starts_with("model name") || line.starts_with("Model"))) {
            return line.substr(std::min(line.size(), colon + 2));
        }
    }
    std::ifstream board("/proc/device-tree/model");
    std::string name;
    std::getline(board, name, '\0');
    return name.empty() ? "unknown CPU" : name;
}

}  // namespace tinyllm::cpu
