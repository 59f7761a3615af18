// What is refused before it is loaded, by limits that stand for machines without and with a GPU.
#include "tools/memory_check.h"

#include <gtest/gtest.h>

#include "tinyllm/error.h"

namespace tinyllm {
namespace {

/// One matrix of 64 MiB in f32.
ModelFacts facts() {
    ModelFacts facts;
    facts.info.path = "large";
    facts.info.n_layers = 1;
    facts.info.dim = facts.info.head_dim = 64;
    facts.info.n_heads = facts.info.n_kv_heads = 1;
    facts.info.vocab_size = 1 << 18;
    facts.ff_dim = 64;
    facts.tensors.push_back({"w", "token_embd.weight", {1 << 18, 64}, DType::f32, 1 << 26});
    return facts;
}

GpuProbe gpu(bool integrated, std::int64_t free) {
    Gpu gpu;
    gpu.integrated = integrated;
    gpu.free_bytes = free;
    return {.built_in = true, .status = "", .gpus = {gpu}};
}

ModelOptions on(const std::string& device) {
    ModelOptions options;
    options.device = device;
    return options;
}

constexpr std::int64_t kMiB = 1 << 20;

/// The message, or nothing where it fits.
std::string refused(const MemoryLimits& limits, const std::string& device = "cuda") {
    try {
        check_limits(facts(), on(device), {}, limits);
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::would_not_fit);
        return error.what();
    }
    return "";
}

TEST(MemoryCheck, AutoIsTheGpuWhereThereIsOne) {
    EXPECT_EQ(meant_device("auto", {}), "cpu");
    EXPECT_EQ(meant_device("auto", gpu(false, 1)), "cuda");
    EXPECT_EQ(meant_device("cpu", gpu(false, 1)), "cpu");
    EXPECT_EQ(meant_device("cuda", {}), "cuda");
}

TEST(MemoryCheck, SharedMemoryHoldsEverything) {
    const MemoryUse need = predict_memory(facts(), on("cuda"), {}, 1);
    EXPECT_GT(need.peak, need.device + need.pinned + need.context);
    const GpuProbe board = gpu(true, 1);  // what such a GPU calls free leaves out what can be dropped
    EXPECT_EQ(refused(gpu_limits(need.peak, board)), "");
    const std::string message = refused(gpu_limits(need.peak - 1, board));
    EXPECT_NE(message.find("large: needs"), message.npos) << message;
    EXPECT_NE(message.find("allowed for CUDA 192.0 MiB"), message.npos) << message;
}

TEST(MemoryCheck, MemoryOfTheGpusOwnHoldsTheModel) {
    const MemoryUse need = predict_memory(facts(), on("cuda"), {}, 1);
    const std::int64_t host = need.peak - need.device;
    EXPECT_EQ(refused(gpu_limits(host, gpu(false, need.device))), "");
    EXPECT_NE(refused(gpu_limits(host, gpu(false, need.device - 1))).find("of the GPU's memory"),
              std::string::npos);
    EXPECT_NE(refused(gpu_limits(host - 1, gpu(false, need.device))), "");
    EXPECT_EQ(refused(gpu_limits({}, gpu(false, need.device))), "");
    EXPECT_EQ(refused(gpu_limits({}, gpu(false, 0))), "");  // not known
}

TEST(MemoryCheck, TheCpuNeedsNoneOfIt) {
    EXPECT_LT(predict_memory(facts(), on("cpu"), {}, 1).peak, 64 * kMiB + 16 * kMiB);
    EXPECT_EQ(refused({80 * kMiB, {}}, "cpu"), "");
    EXPECT_NE(refused({80 * kMiB, {}}, "cuda"), "");
}

}  // namespace
}  // namespace tinyllm
