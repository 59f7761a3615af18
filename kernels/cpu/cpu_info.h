// What this machine is: its instruction sets and its name. Cores: kernels/cpu/cores.h.
#pragma once

#include <string>
#include <vector>

#include "kernels/cpu/kernel_table.h"

namespace tinyllm::cpu {

/// Kernels of this build, slowest first; the last that runs here is the default.
struct Isa {
    const KernelTable* table;
    bool runs_here;
    const char* needs = "";  // features of the CPU, as its maker or the kernel names them
};
std::vector<Isa> isas();

/// `name`, else TINYLLM_CPU_ISA, else the best. Throws Error: usage for an unknown name, unsupported for one
/// this CPU cannot run.
const KernelTable& choose_isa(const std::string& name);

/// "Intel(R) Xeon(R) …"; the board's name where /proc/cpuinfo has none.
std::string cpu_name();

}  // namespace tinyllm::cpu
