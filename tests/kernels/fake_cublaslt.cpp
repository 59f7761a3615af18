// A library with cuBLASLt's functions that multiplies on the CPU and looks at what it is given: descriptors,
// layouts and addresses that the real one would refuse, or read wrongly, are complained of.
#include "kernels/fake_cublaslt.h"

#include <cstring>

#include "kernels/cuda/cublaslt_abi.h"
#define TINYLLM_CUDA_EMULATED
#include "kernels/cuda/device/platform.h"

namespace {

using namespace tinyllm::cublaslt;

tinyllm::test::FakeCublasLt state;

struct Desc {
    int compute, scale;
    std::int32_t transpose[2] = {0, 0};
};
struct Layout {
    int type;
    std::uint64_t rows, cols;
    std::int64_t ld;
};
struct Wishes {
    std::uint64_t workspace = 0;
    std::uint32_t reductions = 7;
    std::uint32_t alignment[4] = {256, 256, 256, 256};
};
/// What an algorithm was chosen for.
struct Chosen {
    std::uint32_t alignment[4];
    std::uint64_t workspace;
    std::uint64_t rows, n, columns;
};
static_assert(sizeof(Chosen) <= sizeof(Algorithm));

void expect(bool met, const char* what) {
    if (!met && state.complaint.empty()) state.complaint = what;
}

bool fails(const char* function) {
    return state.failing == function;
}

template <typename T>
int make(void** to, const T& value) {
    *to = new T(value);
    ++state.objects;
    return kSuccess;
}
template <typename T>
int drop(void* object) {
    delete static_cast<T*>(object);
    --state.objects;
    return kSuccess;
}

float element(const void* at, int type, std::uint64_t i) {
    if (type == kReal32) return static_cast<const float*>(at)[i];
    const std::uint32_t bits = static_cast<const std::uint16_t*>(at)[i];
    if (type == kReal16) return tinyllm::cuda_emulated::half_to_float(static_cast<std::uint16_t>(bits));
    const std::uint32_t wide = bits << 16;
    float x;
    std::memcpy(&x, &wide, sizeof x);
    return x;
}

void look_at(const Desc& desc, const Layout& a, const Layout& b, const Layout& c, const Layout& d) {
    expect(desc.compute == kCompute32 && desc.scale == kReal32, "computes in f32");
    expect(desc.transpose[0] == kTransposed && desc.transpose[1] == kAsItIs, "only weights are transposed");
    expect(a.type == b.type && (a.type == kReal32 || a.type == kReal16 || a.type == kRealBf16), "types");
    expect(c.type == kReal32 && d.type == kReal32, "results are f32");
    expect(a.rows == b.rows, "as many columns of x as of weights");
    expect(d.rows == a.cols && d.cols == b.cols && c.rows == d.rows && c.cols == d.cols, "sizes of results");
    for (const Layout* layout : {&a, &b, &c, &d}) {
        expect(layout->rows > 0 && layout->cols > 0, "something to multiply");
        expect(layout->ld >= static_cast<std::int64_t>(layout->rows), "pitches");
        // Tensor cores want rows of 16 bytes.
        expect(layout->type == kReal32 || (layout->ld % 8 == 0 && layout->rows % 8 == 0), "whole octets");
    }
}

}  // namespace

extern "C" {

tinyllm::test::FakeCublasLt* fake_cublaslt() {
    return &state;
}

std::size_t cublasLtGetVersion() {
    return state.version;
}
int cublasLtCreate(void** handle) {
    if (fails("Create")) return 1;
    *handle = &state;
    ++state.handles;
    return kSuccess;
}
int cublasLtDestroy(void* handle) {
    expect(handle == &state, "the handle");
    --state.handles;
    return kSuccess;
}
int cublasLtMatmulDescCreate(void** desc, int compute, int scale_type) {
    if (fails("MatmulDescCreate")) return 3;
    return make(desc, Desc{compute, scale_type});
}
int cublasLtMatmulDescDestroy(void* desc) {
    return drop<Desc>(desc);
}
int cublasLtMatmulDescSetAttribute(void* desc, int attribute, const void* value, std::size_t bytes) {
    if (fails("MatmulDescSetAttribute") || bytes != 4) return 7;
    if (attribute != kTransposeA && attribute != kTransposeB) return 7;
    std::memcpy(&static_cast<Desc*>(desc)->transpose[attribute - kTransposeA], value, bytes);
    return kSuccess;
}
int cublasLtMatrixLayoutCreate(void** layout, int type, std::uint64_t rows, std::uint64_t cols,
                               std::int64_t ld) {
    if (fails("MatrixLayoutCreate")) return 3;
    return make(layout, Layout{type, rows, cols, ld});
}
int cublasLtMatrixLayoutDestroy(void* layout) {
    return drop<Layout>(layout);
}
int cublasLtMatmulPreferenceCreate(void** preference) {
    if (fails("MatmulPreferenceCreate")) return 3;
    return make(preference, Wishes{});
}
int cublasLtMatmulPreferenceDestroy(void* preference) {
    return drop<Wishes>(preference);
}
int cublasLtMatmulPreferenceSetAttribute(void* preference, int attribute, const void* value,
                                         std::size_t bytes) {
    auto& wishes = *static_cast<Wishes*>(preference);
    void* to = attribute == kMaxWorkspace    ? static_cast<void*>(&wishes.workspace)
               : attribute == kReductionMask ? static_cast<void*>(&wishes.reductions)
               : attribute >= kAlignmentA && attribute <= kAlignmentD
                   ? static_cast<void*>(&wishes.alignment[attribute - kAlignmentA])
                   : nullptr;
    if (fails("MatmulPreferenceSetAttribute") || !to || bytes != (attribute == kMaxWorkspace ? 8u : 4u))
        return 7;
    std::memcpy(to, value, bytes);
    return kSuccess;
}
int cublasLtMatmulAlgoGetHeuristic(void* handle, void* desc, void* a, void* b, void* c, void* d,
                                   void* preference, int wanted, Heuristic* results, int* found) {
    ++state.heuristics;
    if (fails("MatmulAlgoGetHeuristic")) return 14;
    const auto &of_a = *static_cast<Layout*>(a), &of_b = *static_cast<Layout*>(b);
    expect(handle == &state && wanted == 1, "the handle, one algorithm");
    look_at(*static_cast<Desc*>(desc), of_a, of_b, *static_cast<Layout*>(c), *static_cast<Layout*>(d));
    const auto& wishes = *static_cast<Wishes*>(preference);
    expect(wishes.reductions == kNoReduction, "sums are not split");
    *found = 0;
    if (state.widest > 0 && of_b.cols >= static_cast<std::uint64_t>(state.widest)) return kNotSupported;
    Chosen chosen{};
    std::memcpy(chosen.alignment, wishes.alignment, sizeof chosen.alignment);
    chosen.workspace = wishes.workspace;
    chosen.rows = of_a.cols;
    chosen.n = of_b.cols;
    chosen.columns = of_a.rows;
    *results = Heuristic{};
    std::memcpy(&results->algorithm, &chosen, sizeof chosen);
    results->workspace = wishes.workspace;
    *found = 1;
    return kSuccess;
}
int cublasLtMatmul(void* handle, void* desc, const void* alpha, const void* a, void* a_layout, const void* b,
                   void* b_layout, const void* beta, const void* c, void* c_layout, void* d, void* d_layout,
                   const Algorithm* algorithm, void* workspace, std::size_t bytes, void* stream) {
    if (fails("Matmul") || (state.products_until >= 0 && state.products >= state.products_until)) return 13;
    ++state.products;
    const auto &of_a = *static_cast<Layout*>(a_layout), &of_b = *static_cast<Layout*>(b_layout),
               &of_d = *static_cast<Layout*>(d_layout);
    expect(handle == &state && stream == nullptr, "the handle and the stream");
    look_at(*static_cast<Desc*>(desc), of_a, of_b, *static_cast<Layout*>(c_layout), of_d);
    Chosen chosen;
    std::memcpy(&chosen, algorithm, sizeof chosen);
    expect(chosen.rows == of_a.cols && chosen.n == of_b.cols && chosen.columns == of_a.rows,
           "an algorithm is used for what it was chosen for");
    expect(workspace && bytes >= chosen.workspace, "as much workspace as was promised");
    const void* const at[] = {a, b, c, d};
    for (int i = 0; i < 4; ++i) {
        expect(reinterpret_cast<std::uintptr_t>(at[i]) % chosen.alignment[i] == 0,
               "addresses are aligned as was promised");
    }
    const float factor = *static_cast<const float*>(alpha) * (state.wrong ? 1.001f : 1.0f),
                keep = *static_cast<const float*>(beta);
    auto* out = static_cast<float*>(d);
    for (std::uint64_t n = 0; n < of_d.cols; ++n) {
        for (std::uint64_t m = 0; m < of_d.rows; ++m) {
            float sum = 0;
            for (std::uint64_t k = 0; k < of_a.rows; ++k) {
                sum += element(a, of_a.type, m * static_cast<std::uint64_t>(of_a.ld) + k) *
                       element(b, of_b.type, n * static_cast<std::uint64_t>(of_b.ld) + k);
            }
            float& to = out[n * static_cast<std::uint64_t>(of_d.ld) + m];
            to = keep == 0 ? factor * sum : factor * sum + keep * to;
        }
    }
    return kSuccess;
}
}
