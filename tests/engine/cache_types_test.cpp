// Sessions whose keys and values are kept as other types than f32: forks, truncation and batches give what a
// fresh session gives, threads change no bit, and the memory is what was predicted.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "files/toy_model.h"
#include "tinyllm/error.h"
#include "tinyllm/inspect.h"
#include "tinyllm/session.h"

namespace tinyllm {
namespace {

using Tokens = std::vector<Token>;

struct CacheTypes {
    DType k, v;
};

constexpr CacheTypes kCaches[] = {{DType::q8_0, DType::q8_0},
                                  {DType::q4_0, DType::q4_0},
                                  {DType::q8_0, DType::q4_0},
                                  {DType::f16, DType::q8_0},
                                  {DType::q4_0, DType::f32}};

std::string name_of(CacheTypes types) {
    return std::string(dtype_name(types.k)) + "/" + std::string(dtype_name(types.v));
}

SessionOptions options_of(CacheTypes types, std::int32_t chunk = 512) {
    return {.context = 0, .k_type = types.k, .v_type = types.v, .chunk = chunk};
}

std::shared_ptr<const Model> loaded(const std::string& path, bool exact = false, int threads = 2,
                                    const std::string& device = "cpu") {
    return Model::load(
        path, {.device = device, .threads = threads, .exact = exact, .type = {}, .tokenizer = false});
}

Tokens tokens_of(std::int64_t n, std::int64_t vocab, int seed) {
    Tokens tokens;
    auto state = static_cast<std::uint32_t>(seed);
    for (std::int64_t i = 0; i < n; ++i) {
        state = state * 1664525u + 1013904223u;
        tokens.push_back(static_cast<Token>(3 + (state >> 8) % static_cast<std::uint32_t>(vocab - 3)));
    }
    return tokens;
}

std::vector<float> after(Session& session, std::span<const Token> tokens) {
    session.prefill(tokens);
    const std::span<const float> logits = session.logits();
    return {logits.begin(), logits.end()};
}

double nmse(const std::vector<float>& want, const std::vector<float>& have) {
    double error = 0, size = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
        error += std::pow(static_cast<double>(want[i]) - have[i], 2);
        size += std::pow(static_cast<double>(want[i]), 2);
    }
    return error / size;
}

/// T5 with one layer each and heads of 32 elements.
ToyModel toy_t5() {
    const std::int64_t dim = 20, heads = 2, inner = heads * 32, ff = 24, vocab = 40;
    ToyModel model;
    model.config = {{"model_type", "t5"},
                    {"d_model", dim},
                    {"d_kv", 32},
                    {"d_ff", ff},
                    {"num_heads", heads},
                    {"num_layers", 2},
                    {"num_decoder_layers", 2},
                    {"vocab_size", vocab},
                    {"n_positions", 256},
                    {"feed_forward_proj", "relu"},
                    {"layer_norm_epsilon", 1e-6},
                    {"relative_attention_num_buckets", 8},
                    {"relative_attention_max_distance", 20},
                    {"decoder_start_token_id", 0},
                    {"eos_token_id", 1},
                    {"pad_token_id", 0},
                    {"is_encoder_decoder", true},
                    {"tie_word_embeddings", true}};
    ToyTensors& t = model.tensors;
    const auto attention = [&](const std::string& prefix, const std::string& name, bool biased) {
        const std::string p = prefix + "." + name + ".";
        for (const char* part : {"q", "k", "v"})
            t[p + part + ".weight"] = toy_tensor(DType::f32, {inner, dim});
        t[p + "o.weight"] = toy_tensor(DType::f32, {dim, inner});
        if (biased) t[p + "relative_attention_bias.weight"] = toy_tensor(DType::f32, {8, heads});
        t[prefix + ".layer_norm.weight"] = toy_tensor(DType::f32, {dim}, 1);
    };
    t["shared.weight"] = toy_tensor(DType::f32, {vocab, dim});
    for (const std::string side : {"encoder", "decoder"}) {
        t[side + ".final_layer_norm.weight"] = toy_tensor(DType::f32, {dim}, 1);
        for (int i = 0; i < 2; ++i) {
            const std::string block = side + ".block." + std::to_string(i) + ".layer.";
            attention(block + "0", "SelfAttention", i == 0);
            if (side == "decoder") attention(block + "1", "EncDecAttention", false);
            const std::string mlp = block + (side == "decoder" ? "2" : "1");
            t[mlp + ".layer_norm.weight"] = toy_tensor(DType::f32, {dim}, 1);
            t[mlp + ".DenseReluDense.wi.weight"] = toy_tensor(DType::f32, {ff, dim});
            t[mlp + ".DenseReluDense.wo.weight"] = toy_tensor(DType::f32, {dim, ff});
        }
    }
    return model;
}

/// Models with heads of 32: grouped queries with rope, one query per key, an encoder in front.
class CacheTypesTest : public testing::TestWithParam<std::string> {
  protected:
    CacheTypesTest() {
        if (GetParam() == "t5") toy_t5().write(folder_);
        path_ =
            GetParam() == "t5" ? folder_.path() : TINYLLM_SOURCE_DIR "/tools/embedded/models/" + GetParam();
    }
    TemporaryFolder folder_;
    std::string path_;
};
INSTANTIATE_TEST_SUITE_P(Models, CacheTypesTest, testing::Values("tiny-llama", "tiny-gpt2", "t5"),
                         [](const auto& test) {
                             std::string name = test.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_P(CacheTypesTest, ForkTruncateAndAppendGiveWhatAFreshSessionGives) {
    for (const bool exact : {false, true}) {
        const auto model = loaded(path_, exact);
        const std::int64_t vocab = model->info().vocab_size;
        const Tokens head = tokens_of(75, vocab, 1);  // one block and a part of the next
        const Tokens one = tokens_of(1, vocab, 2), some = tokens_of(30, vocab, 3);
        for (const CacheTypes types : kCaches) {
            Session fresh(model, options_of(types));
            fresh.prefill(head);
            const std::int64_t held = fresh.position();
            const std::vector<float> first = after(fresh, one);
            const std::vector<float> second = after(fresh, some);

            Session session(model, options_of(types));
            session.prefill(head);
            Session fork = session.fork();
            after(fork, tokens_of(5, vocab, 4));  // writes into its copy of the shared block
            EXPECT_EQ(after(session, one), first) << name_of(types) << " behind a fork";
            fork.truncate(held);
            EXPECT_EQ(after(fork, one), first) << name_of(types) << " truncated";
            EXPECT_EQ(after(fork, some), second) << name_of(types) << " appended";
            session.truncate(held);
            session.prefill(one);
            EXPECT_EQ(after(session, some), second) << name_of(types) << " again";
        }
    }
}

TEST_P(CacheTypesTest, ThreadsAndChunksChangeNoBit) {
    for (const CacheTypes types : kCaches) {
        for (const bool exact : {false, true}) {
            const auto run = [&](int threads, std::int32_t chunk) {
                const auto model = loaded(path_, exact, threads);
                Session session(model, options_of(types, chunk));
                std::vector<float> all = after(session, tokens_of(140, model->info().vocab_size, 5));
                for (const Token token : tokens_of(3, model->info().vocab_size, 6)) {
                    const std::vector<float> logits = after(session, {&token, 1});
                    all.insert(all.end(), logits.begin(), logits.end());
                }
                return all;
            };
            const std::vector<float> want = run(1, 512);
            EXPECT_EQ(run(3, 512), want) << name_of(types);
            if (exact) {
                EXPECT_EQ(run(2, 7), want) << name_of(types);
            }
        }
    }
}

TEST_P(CacheTypesTest, TheCpuAgreesWithTheReference) {
    const auto model = loaded(path_, true);
    const auto reference = loaded(path_, true, 1, "ref");
    const Tokens prompt = tokens_of(20, model->info().vocab_size, 7);
    const Token next = prompt[3];
    for (const CacheTypes types : kCaches) {
        Session have(model, options_of(types)), want(reference, options_of(types)), plain(reference);
        for (Session* session : {&have, &want, &plain}) session->prefill(prompt);
        const std::vector<float> logits = after(want, {&next, 1});
        const double rounding = nmse(after(plain, {&next, 1}), logits);
        EXPECT_GT(rounding, 0) << name_of(types) << ": the cache was not rounded";
        EXPECT_LT(rounding, 0.1) << name_of(types);
        // A key that lies between two steps of its type may be rounded either way.
        EXPECT_LE(nmse(logits, after(have, {&next, 1})), 0.1 * rounding) << name_of(types);
    }
}

TEST_P(CacheTypesTest, MemoryIsWhatWasPredicted) {
    const ModelFacts facts = inspect_model(path_);
    const auto model = loaded(path_);
    for (const CacheTypes types : kCaches) {
        Session session(model, options_of(types));
        session.prefill(tokens_of(60, model->info().vocab_size, 8));
        EXPECT_EQ(session.memory().kv, predict_memory(facts, {}, options_of(types), 60).kv) << name_of(types);
    }
    const auto kv = [&](DType type) { return predict_memory(facts, {}, options_of({type, type}), 100).kv; };
    EXPECT_EQ(kv(DType::q8_0) * 32, kv(DType::f16) * 17);
    EXPECT_EQ(kv(DType::q4_0) * 32, kv(DType::f16) * 9);
}

TEST(CacheTypes, HeadsThatAreNoWholeBlocksAreRefused) {
    const TemporaryFolder folder;
    toy_llama(DType::f32).write(folder);  // heads of 16
    const auto model = loaded(folder.path());
    const ModelFacts facts = inspect_model(folder.path());
    for (const CacheTypes types :
         {CacheTypes{DType::q8_0, DType::f16}, CacheTypes{DType::f16, DType::q4_0}}) {
        const auto refused = [&](const auto& call) {
            try {
                call();
                ADD_FAILURE() << name_of(types) << ": nothing was thrown";
            } catch (const Error& error) {
                EXPECT_EQ(error.kind(), ErrorKind::unsupported);
                const std::string text = error.what();
                EXPECT_NE(text.find(folder.path()), std::string::npos) << text;
                EXPECT_NE(text.find("16"), std::string::npos) << text;
                EXPECT_NE(text.find(dtype_name(types.k == DType::f16 ? types.v : types.k)), std::string::npos)
                    << text;
            }
        };
        refused([&] { Session(model, options_of(types)); });
        refused([&] { predict_memory(facts, {}, options_of(types), 10); });
    }
}

}  // namespace
}  // namespace tinyllm
