// Random inputs for ops, and the comparison of two backends on them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/cpu_info.h"
#include "kernels/cuda_emulated.h"
#include "kernels/host_memory_backend.h"
#include "kernels/packed_type.h"
#include "kernels/quant.h"
#include "tinyllm/gpu.h"

#ifdef TINYLLM_EMULATED_TILES
namespace tinyllm::cpu::amx_emulated {
extern const PairKernels kPairKernels;
}
#endif

namespace tinyllm::test {

#ifdef TINYLLM_EMULATED_TILES
/// AVX-512 VNNI with tiles in memory in place of a matrix unit's; null where the machine has none.
inline const cpu::KernelTable* emulated_tiles() {
    for (const cpu::Isa& isa : cpu::isas()) {
        if (isa.table->name != std::string("avx512_vnni") || !isa.runs_here) continue;
        static const cpu::KernelTable table = [&] {
            cpu::KernelTable with = *isa.table;
            with.name = "amx_emulated";
            with.pairs = &cpu::amx_emulated::kPairKernels;
            return with;
        }();
        return &table;
    }
    return nullptr;
}
#else
inline const cpu::KernelTable* emulated_tiles() {
    return nullptr;
}
#endif

/// Every set of kernels that this machine runs.
inline std::vector<const cpu::KernelTable*> live_tables() {
    std::vector<const cpu::KernelTable*> tables;
    for (const cpu::Isa& isa : cpu::isas()) {
        if (isa.runs_here) tables.push_back(isa.table);
    }
    if (const cpu::KernelTable* table = emulated_tiles()) tables.push_back(table);
    return tables;
}

inline std::vector<std::string> live_isas() {
    std::vector<std::string> names;
    for (const cpu::KernelTable* table : live_tables()) names.emplace_back(table->name);
    return names;
}

inline const cpu::KernelTable& table_of(const std::string& isa) {
    for (const cpu::KernelTable* table : live_tables()) {
        if (table->name == isa) return *table;
    }
    return cpu::choose_isa(isa);
}

inline std::unique_ptr<Backend> cpu_backend(const std::string& isa, int threads, Precision precision) {
    return std::make_unique<cpu::CpuBackend>(
        BackendOptions{.threads = threads, .precision = precision, .isa = ""}, table_of(isa));
}

/// The sets of kernels above, the CUDA kernels run by loops, and where there is a GPU on that.
inline std::vector<std::string> live_backends() {
    std::vector<std::string> names = live_isas();
    names.emplace_back(kCudaEmulated);
    if (has_cuda_kernels() && !probe_gpus().gpus.empty()) names.emplace_back("cuda");
    return names;
}

inline bool is_cuda(const std::string& backend) {
    return backend == kCudaEmulated || backend == "cuda";
}

inline std::unique_ptr<Backend> backend_on(const std::string& name, int threads, Precision precision) {
    if (name == kCudaEmulated) return make_cuda_emulated_backend(precision);
    if (name == "cuda") {
        return std::make_unique<HostMemoryBackend>(
            make_cuda_backend({.threads = 0, .precision = precision, .isa = ""}));
    }
    return cpu_backend(name, threads, precision);
}

class Random {
  public:
    explicit Random(unsigned seed) : engine_(seed) {}
    std::vector<float> normal(std::int64_t n, float scale = 1) {
        std::normal_distribution<float> normal(0, scale);
        std::vector<float> x(static_cast<std::size_t>(n));
        for (float& v : x) v = normal(engine_);
        return x;
    }
    std::vector<std::int32_t> permutation(std::int64_t n) {
        std::vector<std::int32_t> order(static_cast<std::size_t>(n));
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int32_t>(i);
        std::shuffle(order.begin(), order.end(), engine_);
        return order;
    }

  private:
    std::mt19937 engine_;
};

/// A matrix as a file stores it.
struct Stored {
    RawMatrix raw;
    std::vector<std::byte> bytes;
};

inline Stored stored_matrix(Random& random, DType type, std::int64_t rows, std::int64_t cols) {
    const std::vector<float> values = random.normal(rows * cols, 1 / std::sqrt(static_cast<float>(cols)));
    Stored stored;
    stored.bytes.resize(row_bytes(type, cols) * static_cast<std::size_t>(rows));
    traits(type).from_f32(values.data(), stored.bytes.data(), rows * cols);
    stored.raw = {.type = type, .rows = rows, .cols = cols, .data = stored.bytes.data()};
    return stored;
}

/// The smallest width from `cols` on that rows of `type` may have.
inline std::int64_t fitting(DType type, std::int64_t cols) {
    return (cols + dtype_block(type) - 1) / dtype_block(type) * dtype_block(type);
}

/// Whether panels hold the very values that are stored.
inline bool packs_exactly(DType type, Precision precision) {
    const DType packed = packed_type(type, precision);
    return packed == DType::f32 || (packed == type && type != DType::q6_k);
}

/// The same of what a backend of live_backends() holds.
inline bool packs_exactly(const std::string& backend, DType type, Precision precision) {
    if (!is_cuda(backend)) return packs_exactly(type, precision);
    using enum DType;
    constexpr DType kNative[] = {f32, f16, bf16, q8_0, q4_0, q5_0, q4_k, q6_k};
    // f16 has all bits of t3_64's and t4_64's levels times their scales.
    return precision == Precision::exact || std::ranges::count(kNative, type) || type == t3_64 ||
           type == t4_64;
}

/// Mean squared error over mean square of what is wanted; NaN where either holds one.
inline double nmse(const std::vector<float>& want, const std::vector<float>& have) {
    double error = 0;
    double size = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
        error += std::pow(static_cast<double>(want[i]) - have[i], 2);
        size += std::pow(static_cast<double>(want[i]), 2);
    }
    return size > 0 ? error / size : error;
}

/// What products of bf16 pairs on `isa` may lose with weights of a type, as nmse: with one term both factors
/// are rounded by up to 2^-9, with three what is left out is 2^-16. A GPU's tensor cores round activations to
/// eleven bits for weights of f16.
inline double pairs_loss(const std::string& isa, DType type, Precision precision) {
    if (is_cuda(isa)) {
        if (precision == Precision::exact) return 0;
        return type == DType::bf16 ? 1e-5 : type == DType::f16 ? 2e-7 : 0;
    }
    const cpu::PairKernels* pairs = table_of(isa).pairs;
    if (!pairs || precision == Precision::exact) return 0;
    const int terms = pairs->terms(static_cast<int>(packed_type(type, precision)));
    return terms == 0 ? 0 : terms == 1 ? 1e-5 : 1e-9;
}

/// Bit equality; NaN equals NaN of the same bits.
inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// A cache of one layer on one backend.
class Cache {
  public:
    Cache(Backend& backend, DType k_type, DType v_type, std::int32_t n_kv_heads, std::int32_t head_dim,
          std::int32_t n_blocks) {
        const auto rows = static_cast<std::size_t>(n_kv_heads * kKvBlock);
        for (std::int32_t b = 0; b < n_blocks; ++b) {
            memory_.push_back(backend.allocate(rows * row_bytes(k_type, head_dim)));
            k_.push_back(memory_.back().get());
            memory_.push_back(backend.allocate(rows * row_bytes(v_type, head_dim)));
            v_.push_back(memory_.back().get());
        }
        layer = {k_type, v_type, n_kv_heads, head_dim, k_.data(), v_.data()};
    }
    KvLayer layer;

  private:
    std::vector<std::shared_ptr<std::byte>> memory_;
    std::vector<std::byte*> k_, v_;
};

}  // namespace tinyllm::test
