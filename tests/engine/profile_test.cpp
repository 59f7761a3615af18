// A profile counts what a model does, by what its shape says, and changes nothing of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "tinyllm/inspect.h"
#include "tinyllm/session.h"

namespace tinyllm {
namespace {

using Tokens = std::vector<Token>;

std::string profiled_model(const std::string& name) {
    return TINYLLM_SOURCE_DIR "/tests/golden/models/" + name;
}

std::shared_ptr<const Model> load_profiled(const std::string& name, const std::string& device, bool profile) {
    ModelOptions options;
    options.device = device;
    options.threads = 2;
    options.tokenizer = false;
    options.profile = profile;
    return Model::load(profiled_model(name), options);
}

std::map<std::string, StageUse> stages_of(const Model& model) {
    std::map<std::string, StageUse> stages;
    for (const StageUse& use : model.profile()) {
        EXPECT_TRUE(stages.emplace(use.stage, use).second) << "twice: " << use.stage;
    }
    return stages;
}

Tokens some_tokens(std::int64_t n) {
    Tokens tokens;
    for (std::int64_t i = 0; i < n; ++i) tokens.push_back(static_cast<Token>(3 + i % 5));
    return tokens;
}

TEST(Profile, ChangesNoResult) {
    for (const char* name : {"smollm", "gpt-neox-parallel", "opt-norm-after-projected", "t5-flan"}) {
        std::vector<std::vector<float>> logits;
        std::vector<double> scores;
        for (const bool profile : {false, true}) {
            const auto model = load_profiled(name, "cpu", profile);
            Session session(model);
            session.prefill(some_tokens(7));
            session.prefill(some_tokens(2));
            const auto last = session.logits();
            logits.emplace_back(last.begin(), last.end());
            const ScoreRequest request{some_tokens(6), {{1, 2}, {3}}};
            scores.push_back(session.loglikelihood(std::span(&request, 1))[0][0].logprob);
            EXPECT_EQ(model->profile().empty(), !profile);
        }
        EXPECT_EQ(logits[0], logits[1]) << name;
        EXPECT_EQ(scores[0], scores[1]) << name;
    }
}

TEST(Profile, CountsWhatTheShapeSays) {
    constexpr double kRows = 5;
    const ModelFacts facts = inspect_model(profiled_model("smollm"));
    const ModelInfo& info = facts.info;
    const auto of = [](std::int64_t n) { return static_cast<double>(n); };
    const double layers = of(info.n_layers), dim = of(info.dim), ff = of(facts.ff_dim),
                 vocab = of(info.vocab_size);
    const double q = of(info.n_heads * info.head_dim), kv = of(info.n_kv_heads * info.head_dim);
    double file_bytes = 0;  // of a layer's matrices, all layers
    for (const TensorInfo& tensor : facts.tensors) {
        if (tensor.shape.size() == 2 && tensor.gguf_name.starts_with("blk.")) file_bytes += of(tensor.bytes);
    }
    for (const char* device : {"ref", "cpu"}) {
        const auto model = load_profiled("smollm", device, true);
        Session session(model);
        session.prefill(some_tokens(static_cast<std::int64_t>(kRows)));
        session.logits();
        std::map<std::string, StageUse> stages = stages_of(*model);
        EXPECT_EQ(stages.size(), 8U);
        const std::map<std::string, double> multiply_adds = {
            {"norm, qkv, rope, cache write", kRows * layers * dim * (q + 2 * kv)},
            {"attention", layers * q * 2 * (1 + 2 + 3 + 4 + 5)},
            {"attention output", kRows * layers * q * dim},
            {"norm, mlp gate and up", kRows * layers * dim * 2 * ff},
            {"mlp down", kRows * layers * dim * ff},
            {"norm, head", dim * vocab},
            {"token embedding", 0},
            {"copy of the last row", 0},
        };
        for (const auto& [stage, expected] : multiply_adds) {
            EXPECT_EQ(stages[stage].multiply_adds, expected) << device << ", " << stage;
            EXPECT_GT(stages[stage].ns, 0) << stage;
        }
        for (const char* stage : {"norm, qkv, rope, cache write", "attention", "mlp down"})
            EXPECT_EQ(stages[stage].calls, info.n_layers);
        EXPECT_EQ(stages["norm, head"].calls, 1);
        // f16: two bytes of a key and of a value.
        EXPECT_EQ(stages["norm, qkv, rope, cache write"].cache_bytes, kRows * layers * kv * 4);
        EXPECT_EQ(stages["attention"].cache_bytes, kRows * layers * kv * 4);
        EXPECT_EQ(stages["attention"].weights, "");
        EXPECT_EQ(stages["mlp down"].weights, "blk.#.ffn_down");
        if (std::string(device) == "ref") {  // which packs nothing
            double bytes = 0;
            for (const auto& [name, use] : stages)
                bytes += name.starts_with("blk.") || use.weights.starts_with("blk.") ? use.weight_bytes : 0;
            EXPECT_EQ(bytes, file_bytes);
        }
        model->clear_profile();
        EXPECT_TRUE(model->profile().empty());
        session.prefill(some_tokens(1));
        EXPECT_EQ(stages_of(*model)["attention"].cache_bytes, (kRows + 1) * layers * kv * 4);
    }
}

TEST(Profile, CountsOnlyWhatAWindowShows) {
    const std::string path = profiled_model("mistral-window");
    const auto window =
        nlohmann::json::parse(std::ifstream(path + "/config.json"))["sliding_window"].get<std::int64_t>();
    const auto model = load_profiled("mistral-window", "cpu", true);
    const ModelInfo& info = model->info();
    Session session(model);
    session.prefill(some_tokens(window + 3));
    double pairs = 0;
    for (std::int64_t p = 0; p < window + 3; ++p) pairs += static_cast<double>(std::min(p + 1, window));
    const double per_pair = static_cast<double>(info.n_layers * info.n_heads * info.head_dim * 2);
    EXPECT_EQ(stages_of(*model)["attention"].multiply_adds, pairs * per_pair);
    model->clear_profile();
    session.prefill(some_tokens(1));
    StageUse last = stages_of(*model)["attention"];
    EXPECT_EQ(last.multiply_adds, static_cast<double>(window) * per_pair);
    EXPECT_EQ(last.cache_bytes,
              static_cast<double>(window * info.n_layers * info.n_kv_heads * info.head_dim * 4));
}

TEST(Profile, NamesTheStagesOfBothSides) {
    const auto model = load_profiled("t5-flan", "cpu", true);
    const ModelInfo& info = model->info();
    Session session(model);
    constexpr std::int64_t kContext = 9;
    session.prefill(some_tokens(kContext));
    session.prefill(some_tokens(1));
    session.logits();
    std::map<std::string, StageUse> stages = stages_of(*model);
    for (const char* stage : {"token embedding", "encoder norm, qkv, rope, cache write", "encoder attention",
                              "encoder attention output", "encoder norm, mlp gate and up", "encoder mlp down",
                              "norm", "decoder cross keys and values", "decoder norm, qkv, rope, cache write",
                              "decoder attention", "decoder attention output", "decoder norm, cross queries",
                              "decoder cross attention", "decoder cross attention output",
                              "decoder norm, mlp gate and up", "decoder mlp down", "norm, head"})
        EXPECT_TRUE(stages.contains(stage)) << stage;
    // The start token and the one behind it see the whole context; each row of the encoder does.
    const double per_pair = static_cast<double>(info.n_heads * info.head_dim * 2);
    EXPECT_EQ(stages["decoder cross attention"].multiply_adds,
              static_cast<double>(2 * kContext * info.n_layers) * per_pair);
    EXPECT_EQ(stages["encoder attention"].multiply_adds,
              static_cast<double>(kContext * kContext * info.encoder_layers) * per_pair);
    EXPECT_EQ(stages["decoder attention"].multiply_adds, static_cast<double>(3 * info.n_layers) * per_pair);
}

}  // namespace
}  // namespace tinyllm
