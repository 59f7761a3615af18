#include "kernels/cpu/cpu_info.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

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
namespace sse41 {
extern const KernelTable kTable;
}
namespace avx2 {
extern const KernelTable kTable;
}
namespace avx_vnni {
extern const KernelTable kTable;
}
namespace avx512 {
extern const KernelTable kTable;
}
namespace avx512_vnni {
extern const KernelTable kTable;
}
namespace avx512_bf16 {
extern const PairKernels kPairKernels;
}
namespace amx {
extern const PairKernels kPairKernels;
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
namespace neon_i8mm {
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
    const bool has_sse41 = __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1");
    // The builtins of avx2 and avx512 ask the system too, whether it keeps the wide registers.
    const bool has_avx2 = has_f16c && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") &&
                            __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                            __builtin_cpu_supports("avx512dq");
    // No builtin of GCC 11 or Clang 14 knows AVX-VNNI.
    const bool has_avx_vnni = has_avx2 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1U << 4);
    const bool has_vnni = has_avx512 && __builtin_cpu_supports("avx512vnni");
    const bool has_bf16 = has_vnni && __builtin_cpu_supports("avx512bf16");
    static const bool has_amx = has_bf16 && has_amx_bf16();
    static const KernelTable bf16 = with_pairs(avx512_vnni::kTable, "avx512_bf16", avx512_bf16::kPairKernels);
    static const KernelTable tiles = with_pairs(avx512_vnni::kTable, "amx", amx::kPairKernels);
    return {{&scalar::kTable, true},
            {&sse41::kTable, has_sse41, "SSSE3, SSE4.1"},
            {&avx2::kTable, has_avx2, "AVX2, FMA, F16C"},
            {&avx_vnni::kTable, has_avx_vnni, "AVX2, FMA, F16C, AVX-VNNI"},
            {&avx512::kTable, has_avx512, "AVX-512 F, BW, VL, DQ"},
            {&avx512_vnni::kTable, has_vnni, "AVX-512 F, BW, VL, DQ, VNNI"},
            {&bf16, has_bf16, "AVX-512 F, BW, VL, DQ, VNNI, BF16"},
            {&tiles, has_amx, "AVX-512 F, BW, VL, DQ, VNNI, BF16, AMX-TILE, AMX-BF16 and Linux 5.16"}};
#elif defined(__aarch64__)
    const unsigned long caps = getauxval(AT_HWCAP);
    constexpr unsigned long kFp16 = 1UL << 10;     // HWCAP_ASIMDHP
    constexpr unsigned long kDotProd = 1UL << 20;  // HWCAP_ASIMDDP
    constexpr unsigned long kI8mm = 1UL << 13;     // HWCAP2_I8MM
    const bool has_dotprod = (caps & kDotProd) != 0 && (caps & kFp16) != 0;
    const bool has_i8mm = has_dotprod && (getauxval(AT_HWCAP2) & kI8mm) != 0;
    return {{&scalar::kTable, true},
            {&neon::kTable, true},
            {&neon_dotprod::kTable, has_dotprod, "asimdhp, asimddp"},
            {&neon_i8mm::kTable, has_i8mm, "asimdhp, asimddp, i8mm"}};
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
            throw Error(ErrorKind::unsupported,
                        "instruction set " + wanted + ": this CPU does not have all of " + isa.needs);
        }
        if (isa.runs_here) best = isa.table;
    }
    if (!wanted.empty()) {
        throw Error(ErrorKind::usage, "instruction set " + wanted + ": expected one of " + known +
                                          (name.empty() ? " (TINYLLM_CPU_ISA)" : ""));
    }
    return *best;
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
