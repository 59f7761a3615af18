// What the machine under us is, read from /proc and /sys. TINYLLM_SYSFS_ROOT puts another tree in their
// place. What cannot be read is absent, never 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tinyllm {

/// Cores of one speed.
struct CoreCluster {
    std::vector<int> cores;
    std::optional<int> capacity;  // the kernel's, 1024 for the fastest
    std::optional<double> max_mhz;
};

struct Board {
    std::string name;                   // device tree or DMI; empty: unknown
    std::string cpu;                    // "Intel(R) Xeon(R) …", "Cortex-A78AE"; empty: unknown
    std::string os, kernel, machine;    // "Debian GNU/Linux 12 (bookworm)", "6.1.0", "x86_64"
    std::vector<CoreCluster> clusters;  // fastest first
    int cores = 0;                      // online
    int usable_cores = 0;               // this process may run on
    std::optional<std::int64_t> memory_bytes, available_bytes;
    std::optional<std::int64_t> cgroup_limit_bytes;
};

Board read_board();

/// The control groups above this process that keep account of memory, as folders below /sys/fs/cgroup,
/// innermost first; of version 1 and 2 alike.
std::vector<std::string> memory_groups();

/// Memory that this process may still take, bytes: MemAvailable, and what the control groups above it have
/// left, page cache counted as free; the least of them.
std::optional<std::int64_t> available_memory();

/// Resident memory of this process, bytes: now and at its highest.
std::optional<std::int64_t> resident_bytes();
std::optional<std::int64_t> peak_resident_bytes();

/// "1.50 GiB", "12.3 MiB", "512 B"
std::string show_bytes(std::int64_t bytes);

}  // namespace tinyllm
