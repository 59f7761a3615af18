#include "kernels/cpu/cpu_backend.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "kernels/cpu/cpu_info.h"
#include "kernels/cpu/pack.h"
#include "kernels/quant.h"

namespace tinyllm {

namespace cpu {

// Kernels know these enumerations by number only.
static_assert(static_cast<int>(DType::f32) == kF32 && static_cast<int>(DType::f16) == kF16);
static_assert(static_cast<int>(DType::bf16) == kBF16 && static_cast<int>(DType::q8_0) == kQ8_0 &&
              static_cast<int>(DType::q4_0) == kQ4_0 && static_cast<int>(DType::q4_1) == kQ4_1 &&
              static_cast<int>(DType::q5_0) == kQ5_0 && static_cast<int>(DType::q5_1) == kQ5_1 &&
              static_cast<int>(DType::q6_k) == kQ6_K && static_cast<int>(DType::iq4_nl) == kIQ4_NL &&
              static_cast<int>(DType::t3_64) == kT3_64 && static_cast<int>(DType::t4_64) == kT4_64);
static_assert(static_cast<int>(NormKind::none) == kNoNorm &&
              static_cast<int>(NormKind::layer) == kLayerNorm && static_cast<int>(NormKind::rms) == kRmsNorm);
static_assert(static_cast<int>(Activation::none) == kNone && static_cast<int>(Activation::relu) == kRelu &&
              static_cast<int>(Activation::silu) == kSilu && static_cast<int>(Activation::gelu) == kGelu &&
              static_cast<int>(Activation::gelu_tanh) == kGeluTanh &&
              static_cast<int>(Activation::relu_squared) == kReluSquared);
static_assert(kBlock == kQuantBlock && kKvStep == kKvBlock);

CpuBackend::CpuBackend(const BackendOptions& options) : CpuBackend(options, choose_isa(options.isa)) {}

CpuBackend::CpuBackend(const BackendOptions& options, const KernelTable& table)
    : table_(table),
      precision_(options.precision),
      placement_(place_threads(options.cores, options.threads)),
      caller_cores_(placement_.one_each ? std::vector{placement_.cores.front()} : placement_.cores),
      pool_(placement_.threads, placement_.cores, placement_.one_each),
      per_thread_(static_cast<std::size_t>(pool_.threads())) {}

std::string CpuBackend::description() const {
    const int n = pool_.threads();
    return std::string(table_.name) + ", " + std::to_string(n) + (n == 1 ? " thread" : " threads") +
           (precision_ == Precision::exact ? ", exact" : "");
}

Matrix CpuBackend::pack(std::span<const RawMatrix> parts, PackWatch* watch) {
    return pack_panels(parts, watch, table_, precision_, pool_, weights_);
}

std::string CpuBackend::layout() const {
    return "cpu panels " + std::to_string(kPanelsVersion) + ", " + table_.name + ", " +
           std::to_string(table_.lanes) + " lanes, offset " + std::to_string(table_.q8_offset) +
           (table_.signed_nibbles ? ", signed nibbles" : "") +
           (precision_ == Precision::exact ? ", exact" : "");
}

Products CpuBackend::products(const Matrix& w, Phase phase) const {
    if (forms_of(w, table_, precision_, phase).pairs) return Products::bf16;
    const auto largest = std::ranges::max_element(w.strips, {}, &Strip::rows);
    const bool blocks = largest != w.strips.end() && dtype_block(largest->type) > 1;
    return blocks && precision_ == Precision::fast ? Products::int8 : Products::f32;
}

void CpuBackend::embed(const EmbedArgs& args) {
    const std::int64_t dim = args.table->cols;
    constexpr std::int32_t kRows = 8;
    pool_.run((args.n + kRows - 1) / kRows, [&](int chunk, int thread) {
        Scratch& scratch = per_thread_[static_cast<std::size_t>(thread)].unpacked;
        for (std::int32_t i = chunk * kRows; i < std::min(args.n, (chunk + 1) * kRows); ++i) {
            float* out = args.out + i * dim;
            read_packed_row(*args.table, table_, args.tokens[i], args.scale, false, scratch, out);
            if (args.position_table) {
                read_packed_row(*args.position_table, table_, args.positions[i], 1, true, scratch, out);
            }
        }
    });
}

void CpuBackend::norm(const NormArgs& args) {
    constexpr std::int32_t kRows = 8;
    pool_.run((args.n + kRows - 1) / kRows, [&](int chunk, int) {
        for (std::int32_t i = chunk * kRows; i < std::min(args.n, (chunk + 1) * kRows); ++i) {
            table_.norm_row(static_cast<int>(args.norm.kind), args.norm.eps, args.norm.weight, args.norm.bias,
                            args.x + i * args.dim, args.dim, args.out + i * args.dim);
        }
    });
}

void CpuBackend::copy_kv(const CopyKvArgs& args) {
    const auto copy = [&](std::byte* const* blocks, DType type) {
        const std::size_t bytes = row_bytes(type, args.kv.head_dim);
        for (std::size_t h = 0; h < static_cast<std::size_t>(args.kv.n_kv_heads); ++h) {
            const std::size_t at = h * kKvBlock * bytes;
            std::memcpy(blocks[args.to] + at, blocks[args.from] + at,
                        static_cast<std::size_t>(args.n_positions) * bytes);
        }
    };
    copy(args.kv.k_blocks, args.kv.k_type);
    copy(args.kv.v_blocks, args.kv.v_type);
}

}  // namespace cpu

std::unique_ptr<Backend> make_cpu_backend(const BackendOptions& options) {
    return std::make_unique<cpu::CpuBackend>(options);
}

}  // namespace tinyllm
