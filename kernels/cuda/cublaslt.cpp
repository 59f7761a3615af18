#include "kernels/cuda/cublaslt.h"

#include <dlfcn.h>

#include "kernels/cuda/buffers.h"
#include "tinyllm/error.h"

namespace tinyllm::TINYLLM_CUDA_SPACE {
namespace {

using namespace cublaslt;

constexpr std::size_t kPlans = 512;  // prompts come in many lengths

[[noreturn]] void fail_library(const std::string& what) {
    throw Error(ErrorKind::device, "cuBLASLt is not used: " + what);
}

void* open_library(const std::string& choice) {
    if (choice != "1") {
        if (void* library = dlopen(choice.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
        fail_library(dlerror());
    }
    for (const char* name :
         {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11", "libcublasLt.so"}) {
        if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
    }
    fail_library("no libcublasLt.so.13, .12 or .11 was found");
}

/// The library stays open: what it has on the device and in other threads is taken down by itself at the end.
Functions functions_of(void* library) {
    Functions call;
    const auto find = [&]<typename Function>(Function& to, const char* name) {
        to = reinterpret_cast<Function>(dlsym(library, name));
        if (!to) fail_library(std::string("it has no ") + name);
    };
    find(call.version, "cublasLtGetVersion");
    find(call.create, "cublasLtCreate");
    find(call.destroy, "cublasLtDestroy");
    find(call.desc_create, "cublasLtMatmulDescCreate");
    find(call.desc_destroy, "cublasLtMatmulDescDestroy");
    find(call.desc_set, "cublasLtMatmulDescSetAttribute");
    find(call.layout_create, "cublasLtMatrixLayoutCreate");
    find(call.layout_destroy, "cublasLtMatrixLayoutDestroy");
    find(call.preference_create, "cublasLtMatmulPreferenceCreate");
    find(call.preference_destroy, "cublasLtMatmulPreferenceDestroy");
    find(call.preference_set, "cublasLtMatmulPreferenceSetAttribute");
    find(call.heuristic, "cublasLtMatmulAlgoGetHeuristic");
    find(call.matmul, "cublasLtMatmul");
    return call;
}

/// The number is major * 10000 + minor * 100 + patch, of CUDA 11 and before major * 1000 + ….
std::string version_of(std::size_t number) {
    const std::size_t unit = number < 100000 ? 1000 : 10000;
    const std::size_t major = number / unit;
    const std::string version = std::to_string(major) + "." + std::to_string(number % unit / 100) + "." +
                                std::to_string(number % 100);
    if (major < 11 || major > 13) fail_library("its version is " + version + ", 11 to 13 are known");
    return version;
}

DataType data_type(int type) {
    return type == kF16 ? kReal16 : type == kBf16 ? kRealBf16 : kReal32;
}

/// Bytes that an address is a multiple of, as far as the library cares.
std::uint32_t alignment_of(const void* at) {
    const auto address = reinterpret_cast<std::uintptr_t>(at) | 256;
    return static_cast<std::uint32_t>(address & ~(address - 1));
}

}  // namespace

/// Layouts of a shape and the algorithm chosen for it, if there is one.
class CublasLt::Plan {
  public:
    explicit Plan(const Functions& call) : call_(call) {}
    ~Plan() {
        for (void* layout : {w, x, out}) {
            if (layout) (void)call_.layout_destroy(layout);
        }
    }
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;

    void* w = nullptr;
    void* x = nullptr;
    void* out = nullptr;
    bool has_algorithm = false;
    Algorithm algorithm{};

  private:
    const Functions& call_;
};

CublasLt::CublasLt(Runtime& runtime, const std::string& choice)
    : runtime_(runtime), call_(functions_of(open_library(choice))) {
    name_ = "cuBLASLt " + version_of(call_.version());
    // NVIDIA's advice for Hopper and newer, and for what came before.
    workspace_bytes_ = runtime.code_capability() >= 90 ? kLibraryWorkspace : std::size_t{4} << 20;
    const std::uint64_t most = workspace_bytes_;
    bool ready = check(call_.create(&handle_), "cublasLtCreate") &&
                 check(call_.desc_create(&desc_, kCompute32, kReal32), "cublasLtMatmulDescCreate") &&
                 check(call_.preference_create(&preference_), "cublasLtMatmulPreferenceCreate");
    // Column-major, our rows are columns: out^T (rows, n) = w (rows, columns) x^T.
    ready = ready &&
            check(call_.desc_set(desc_, kTransposeA, &kTransposed, sizeof kTransposed),
                  "cublasLtMatmulDescSetAttribute") &&
            check(call_.desc_set(desc_, kTransposeB, &kAsItIs, sizeof kAsItIs),
                  "cublasLtMatmulDescSetAttribute") &&
            check(call_.preference_set(preference_, kMaxWorkspace, &most, sizeof most),
                  "cublasLtMatmulPreferenceSetAttribute") &&
            check(call_.preference_set(preference_, kReductionMask, &kNoReduction, sizeof kNoReduction),
                  "cublasLtMatmulPreferenceSetAttribute");
    try {
        if (!ready) fail_library(failure_);
        workspace_ = runtime.allocate(workspace_bytes_);
    } catch (...) {
        close();
        throw;
    }
}

CublasLt::~CublasLt() {
    close();
}

void CublasLt::close() {
    plans_.clear();
    if (preference_) (void)call_.preference_destroy(preference_);
    if (desc_) (void)call_.desc_destroy(desc_);
    if (handle_) (void)call_.destroy(handle_);
}

bool CublasLt::check(int status, const char* function) {
    if (status == kSuccess) return true;
    failure_ = std::string(function) + " failed with status " + std::to_string(status);
    return false;
}

const CublasLt::Plan* CublasLt::plan_for(const LibraryProduct& p) {
    const std::uint32_t of_w = alignment_of(p.w), of_x = alignment_of(p.x), of_out = alignment_of(p.out);
    const Shape shape{p.type, p.n, p.rows, p.columns, p.x_pitch, p.w_pitch, p.out_pitch, of_w, of_x, of_out};
    if (const auto known = plans_.find(shape); known != plans_.end()) return known->second.get();

    auto plan = std::make_unique<Plan>(call_);
    const auto layout = [&](void*& to, int type, std::int64_t rows, std::int64_t cols, std::int64_t ld) {
        return check(call_.layout_create(&to, type, static_cast<std::uint64_t>(rows),
                                         static_cast<std::uint64_t>(cols), ld),
                     "cublasLtMatrixLayoutCreate");
    };
    const auto prefer = [&](int attribute, std::uint32_t bytes) {
        return check(call_.preference_set(preference_, attribute, &bytes, sizeof bytes),
                     "cublasLtMatmulPreferenceSetAttribute");
    };
    const int type = data_type(p.type);
    if (!layout(plan->w, type, p.columns, p.rows, p.w_pitch) ||
        !layout(plan->x, type, p.columns, p.n, p.x_pitch) ||
        !layout(plan->out, kReal32, p.rows, p.n, p.out_pitch) || !prefer(kAlignmentA, of_w) ||
        !prefer(kAlignmentB, of_x) || !prefer(kAlignmentC, of_out) || !prefer(kAlignmentD, of_out)) {
        return nullptr;
    }
    Heuristic best{};
    int found = 0;
    const int status = call_.heuristic(handle_, desc_, plan->w, plan->x, plan->out, plan->out, preference_, 1,
                                       &best, &found);
    if (status != kNotSupported && !check(status, "cublasLtMatmulAlgoGetHeuristic")) return nullptr;
    plan->has_algorithm =
        status == kSuccess && found > 0 && best.status == kSuccess && best.workspace <= workspace_bytes_;
    plan->algorithm = best.algorithm;
    if (plans_.size() >= kPlans) plans_.clear();
    return plans_.emplace(shape, std::move(plan)).first->second.get();
}

bool CublasLt::multiply(const LibraryProduct& p) {
    if (!failure_.empty()) return false;
    const Plan* plan = plan_for(p);
    if (!plan || !plan->has_algorithm) return false;
    const float one = 1, zero = 0;
    return check(call_.matmul(handle_, desc_, &one, p.w, plan->w, p.x, plan->x, p.accumulate ? &one : &zero,
                              p.out, plan->out, p.out, plan->out, &plan->algorithm, workspace_.get(),
                              workspace_bytes_, runtime_.native_stream()),
                 "cublasLtMatmul");
}

}  // namespace tinyllm::TINYLLM_CUDA_SPACE
