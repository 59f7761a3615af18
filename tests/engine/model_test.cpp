// What a bad folder or a bad call makes of loading and running: one clear error, never a wrong answer.
#include "tinyllm/model.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "tinyllm/error.h"
#include "tinyllm/gpu.h"
#include "tinyllm/session.h"

namespace tinyllm {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Tokens = std::vector<Token>;

const ModelOptions kRef{.device = "ref", .threads = 0, .exact = true, .type = {}, .tokenizer = false};

SessionOptions sized(std::int64_t context, std::int32_t chunk) {
    return {.context = context, .k_type = {}, .v_type = {}, .chunk = chunk};
}

std::string golden(const std::string& name) {
    return TINYLLM_SOURCE_DIR "/tests/golden/models/" + name;
}

/// A copy of a golden model in a folder of its own.
class Folder {
  public:
    explicit Folder(const std::string& name)
        : path_(fs::temp_directory_path() / ("tinyllm-model-test-" + std::to_string(::getpid()))) {
        fs::remove_all(path_);
        fs::copy(golden(name), path_);
    }
    ~Folder() { fs::remove_all(path_); }
    std::string path() const { return path_; }
    void edit(const std::function<void(json&)>& change) const {
        json config = json::parse(std::ifstream(path_ / "config.json"));
        change(config);
        std::ofstream(path_ / "config.json") << config;
    }

  private:
    fs::path path_;
};

void expect_error(ErrorKind kind, const std::string& word, const std::function<void()>& run) {
    try {
        run();
        ADD_FAILURE() << "nothing was thrown; expected " << word;
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), kind) << error.what();
        EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
}

void expect_refused(const std::string& name, ErrorKind kind, const std::string& word,
                    const std::function<void(json&)>& change) {
    const Folder folder(name);
    folder.edit(change);
    expect_error(kind, word, [&] { Model::load(folder.path(), kRef); });
}

TEST(Model, ConfigsThatContradictTheWeightsOrThemselves) {
    expect_refused("gpt2-plain", ErrorKind::corrupt, "heads", [](json& c) { c["n_head"] = 5; });
    expect_refused("gpt2-plain", ErrorKind::corrupt, "wte.weight", [](json& c) { c["vocab_size"] = 81; });
    expect_refused("gpt2-plain", ErrorKind::corrupt, "wpe.weight", [](json& c) { c["n_positions"] = 41; });
    expect_refused("gpt2-plain", ErrorKind::corrupt, "h.2.", [](json& c) { c["n_layer"] = 3; });
    expect_refused("gpt2-plain", ErrorKind::corrupt, "h.1.", [](json& c) { c["n_layer"] = 1; });
    expect_refused("gpt2-plain", ErrorKind::corrupt, "n_embd", [](json& c) { c["n_embd"] = 0; });
    expect_refused("gpt2-plain", ErrorKind::corrupt, "n_embd", [](json& c) { c["n_embd"] = -24; });
    expect_refused("gpt2-plain", ErrorKind::corrupt, "n_embd", [](json& c) { c["n_embd"] = "24"; });
    expect_refused("gpt2-plain", ErrorKind::corrupt, "width", [](json& c) { c["n_embd"] = 2147483646; });
    expect_refused("gpt2-plain", ErrorKind::corrupt, "lm_head.weight",
                   [](json& c) { c["tie_word_embeddings"] = false; });
    expect_refused("llama-plain", ErrorKind::corrupt, "hidden_size", [](json& c) { c.erase("hidden_size"); });
    expect_refused("llama-plain", ErrorKind::corrupt, "key/value",
                   [](json& c) { c["num_key_value_heads"] = 2; });
    expect_refused("llama-plain", ErrorKind::corrupt, "q_proj", [](json& c) { c["head_dim"] = 16; });
    expect_refused("llama-plain", ErrorKind::corrupt, "q_proj.bias",
                   [](json& c) { c["attention_bias"] = true; });
    expect_refused("llama-biases", ErrorKind::corrupt, "left over", [](json& c) { c["mlp_bias"] = false; });
}

TEST(Model, WhatIsNotBuiltIsNamed) {
    expect_refused("gpt2-plain", ErrorKind::unsupported, "add_cross_attention",
                   [](json& c) { c["add_cross_attention"] = true; });
    expect_refused("gpt2-plain", ErrorKind::unsupported, "gelu_10",
                   [](json& c) { c["activation_function"] = "gelu_10"; });
    expect_refused("gpt2-plain", ErrorKind::unsupported, "alibi", [](json& c) { c["alibi"] = true; });
    expect_refused("gpt2-plain", ErrorKind::unsupported, "mamba", [](json& c) { c["model_type"] = "mamba"; });
    expect_refused("llama-plain", ErrorKind::unsupported, "yarn", [](json& c) {
        c["rope_scaling"] = {{"type", "yarn"}, {"factor", 2.0}};
    });
    expect_refused("llama-plain", ErrorKind::unsupported, "num_local_experts",
                   [](json& c) { c["num_local_experts"] = 8; });
    expect_error(ErrorKind::unsupported, "tokenizer",
                 [] { Model::load(golden("gpt2-plain"), kRef)->tokenizer(); });
}

TEST(Model, PathsAndDevices) {
    expect_error(ErrorKind::not_found, "nowhere", [] { Model::load("nowhere/at/all", kRef); });
    expect_error(ErrorKind::not_found, "config.json", [] { Model::load(TINYLLM_SOURCE_DIR "/tests", kRef); });
    expect_error(ErrorKind::corrupt, "GGUF", [] { Model::load(TINYLLM_SOURCE_DIR "/CMakeLists.txt", kRef); });
    ModelOptions options = kRef;
    options.device = "cuda";
    if (probe_gpus().gpus.empty())
        expect_error(ErrorKind::device, "CUDA", [&] { Model::load(golden("gpt2-plain"), options); });
    options.device = "tpu";
    expect_error(ErrorKind::usage, "tpu", [&] { Model::load(golden("gpt2-plain"), options); });
}

TEST(Model, InfoTellsWhatWasLoaded) {
    const auto model = Model::load(golden("llama-head-dim"), kRef);
    const ModelInfo& info = model->info();
    EXPECT_EQ(info.architecture, "llama");
    EXPECT_EQ(info.n_layers, 2);
    EXPECT_EQ(info.dim, 24);
    EXPECT_EQ(info.n_heads, 3);
    EXPECT_EQ(info.n_kv_heads, 1);
    EXPECT_EQ(info.head_dim, 16);
    EXPECT_EQ(info.vocab_size, 80);
    EXPECT_EQ(info.context, 40);
    EXPECT_EQ(info.main_type, DType::f16);
    EXPECT_EQ(info.eos, Tokens{2});
    const std::int64_t matrices = 2 * 80 * 24 + 2 * (24 * 48 * 2 + 2 * 24 * 16 + 3 * 24 * 40);
    EXPECT_EQ(info.parameters, matrices + 5 * 24);
    EXPECT_EQ(info.weight_bytes, 2 * matrices + 4 * 5 * 24);
}

std::vector<float> logits_of(const std::string& name, std::optional<DType> type) {
    ModelOptions options = kRef;
    options.type = type;
    Session session(Model::load(golden(name), options));
    session.prefill(Tokens{3, 14, 15, 9, 2, 6});
    return {session.logits().begin(), session.logits().end()};
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
    double difference = 0, size = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        size += b[i] * b[i];
    }
    return difference / size;
}

TEST(Model, RoundedWeightsGiveNearlyTheSameLogits) {
    for (const std::string name :
         {"llama-blocks", "gpt2-blocks"}) {  // 32 columns; GPT-2's are stored the other way round
        const auto stored = logits_of(name, {});
        EXPECT_EQ(logits_of(name, DType::f32), stored) << name;
        const double q8 = distance(logits_of(name, DType::q8_0), stored);
        const double q4 = distance(logits_of(name, DType::q4_0), stored);
        EXPECT_GT(q8, 0) << name;
        EXPECT_LT(q8, 5e-3) << name;
        EXPECT_GT(q4, 10 * q8) << name;
        EXPECT_LT(q4, 0.6) << name;
    }
}

TEST(Session, BadCallsAreUsageErrors) {
    const auto model = Model::load(golden("llama-plain"), kRef);
    Session session(model, sized(10, 4));
    constexpr ErrorKind kUsage = ErrorKind::usage;
    const Tokens eleven(11, 1), ten(10, 1);
    expect_error(kUsage, "nothing was run", [&] { session.logits(); });
    expect_error(kUsage, "10 positions cannot hold 11", [&] { session.prefill(eleven); });
    expect_error(kUsage, "10 positions cannot hold 11", [&] { session.token_logprobs(eleven); });
    expect_error(kUsage, "token 80", [&] { session.prefill(Tokens{1, 80}); });
    expect_error(kUsage, "token -1", [&] { session.prefill(Tokens{-1}); });
    expect_error(kUsage, "11 tokens", [&] { session.last_logits(std::vector<Tokens>{eleven}); });
    expect_error(kUsage, "0 tokens", [&] { session.last_logits(std::vector<Tokens>{{}}); });
    const auto score = [&](ScoreRequest request) { return session.loglikelihood({&request, 1}); };
    expect_error(kUsage, "context is empty", [&] { score({{}, {{1}}}); });
    expect_error(kUsage, "0 tokens", [&] { score({{1}, {{}}}); });
    expect_error(kUsage, "11 tokens", [&] { score({{1}, {eleven}}); });
    EXPECT_EQ(score({{1}, {ten}})[0][0].n_tokens, 10);
    expect_error(kUsage, "truncate", [&] { session.truncate(1); });
    expect_error(kUsage, "40 positions", [&] { Session(model, sized(41, 4)); });
    expect_error(kUsage, "chunk", [&] { Session(model, sized(0, 0)); });
    SessionOptions options;
    options.k_type = DType::q8_0;
    expect_error(ErrorKind::unsupported, "q8_0", [&] { Session(model, options); });
    session.prefill(ten);
    EXPECT_EQ(session.position(), 10);
    expect_error(kUsage, "behind the 10", [&] { session.prefill(Tokens{1}); });
    EXPECT_EQ(session.generate({}).size(), 1u) << "the context is full behind one more token";
}

TEST(Session, GenerationStopsAtTheEndTokenAndWhenToldTo) {
    const Folder folder("llama-plain");
    const json expected = json::parse(std::ifstream(folder.path() + "/expected.json"));
    const auto greedy = expected["greedy"].get<Tokens>();
    const Token end = greedy[3];
    std::ofstream(folder.path() + "/generation_config.json") << json{{"eos_token_id", {79, end}}};
    const auto model = Model::load(folder.path(), kRef);
    const auto prompt = expected["prompt"].get<Tokens>();
    Session session(model);
    session.prefill(prompt);
    Session told = session.fork();
    EXPECT_EQ(session.generate({}), Tokens(greedy.begin(), std::ranges::find(greedy, end)));
    const GenerateOptions nine{.max_tokens = 9, .sampler = {}, .ignore_eos = true};
    EXPECT_EQ(told.generate(nine, [](Token) { return false; }).size(), 1u);
    EXPECT_EQ(told.position(), std::ssize(prompt) + 1) << "the token told of is part of the session";
}

}  // namespace
}  // namespace tinyllm
