// "0-3,6": cores as the kernel and taskset write them.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace tinyllm::cpu {

/// Ascending, each once. Blanks around it are skipped; nothing if it is no list of cores below 4096.
std::optional<std::vector<int>> parse_core_list(const std::string& text);

/// "$TINYLLM_SYSFS_ROOT/sys/devices/system/cpu/"
std::string cpu_folder();

/// Nothing where the kernel does not say.
std::optional<std::vector<int>> online_cpus();

}  // namespace tinyllm::cpu
