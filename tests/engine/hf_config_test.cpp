#include "engine/hf_config.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/config.h"
#include "tinyllm/error.h"

namespace tinyllm {
namespace {

using nlohmann::json;

/// The message of the Error that `run` throws; its kind must be `kind`.
template <typename Run>
std::string error_of(ErrorKind kind, const Run& run) {
    try {
        run();
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), kind) << error.what();
        return error.what();
    }
    ADD_FAILURE() << "nothing was thrown";
    return "";
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != text.npos;
}

TEST(HfConfig, TypedAccess) {
    const json data = {{"n", 12}, {"x", 0.5}, {"flag", true}, {"name", "silu"}, {"nothing", nullptr}};
    const HfConfig config(data, "config.json");
    EXPECT_EQ(config.size("n"), 12);
    EXPECT_EQ(config.size("absent", 7), 7);
    EXPECT_EQ(config.size("nothing", 7), 7);
    EXPECT_EQ(config.number("x"), 0.5);
    EXPECT_EQ(config.number("n"), 12);
    EXPECT_TRUE(config.boolean("flag"));
    EXPECT_FALSE(config.has("nothing"));
    EXPECT_TRUE(config.contains("nothing"));
    EXPECT_FALSE(config.contains("absent"));
    EXPECT_EQ(config.activation("name", "relu"), Activation::silu);
}

TEST(HfConfig, WrongTypesNameFileKeyAndValue) {
    const json data = {
        {"n", "many"}, {"zero", 0}, {"huge", 1e300}, {"big", 18446744073709551615u}, {"act", "warp"}};
    const HfConfig config(data, "dir/config.json");
    EXPECT_EQ(error_of(ErrorKind::corrupt, [&] { config.integer("n"); }),
              "dir/config.json: key n: expected an integer, found \"many\"");
    for (const char* key : {"n", "zero", "huge", "big"}) {
        EXPECT_TRUE(has(error_of(ErrorKind::corrupt, [&] { config.size(key); }), key));
    }
    EXPECT_TRUE(has(error_of(ErrorKind::corrupt, [&] { config.size("gone"); }), "key gone is missing"));
    EXPECT_TRUE(has(error_of(ErrorKind::corrupt, [&] { config.boolean("zero"); }), "true or false"));
    EXPECT_TRUE(has(error_of(ErrorKind::unsupported, [&] { config.activation("act", "silu"); }), "\"warp\""));
}

TEST(HfConfig, UnreadKeysAreRefusedUnlessHarmlessOrOff) {
    json data = {{"architectures", {"X"}}, {"torch_dtype", "float16"}, {"attention_dropout", 0.1},
                 {"resid_pdrop", 0.1},     {"use_cache", true},        {"off", false},
                 {"none", nullptr},        {"empty", json::array()}};
    HfConfig(data, "f").check_all_read();
    data["logit_softcap"] = 30.0;
    const HfConfig config(data, "f");
    EXPECT_TRUE(
        has(error_of(ErrorKind::unsupported, [&] { config.check_all_read(); }), "logit_softcap: 30.0"));
    config.number("logit_softcap");
    config.check_all_read();
}

TEST(HfConfig, RopeScalingInEverySpelling) {
    const auto rope = [](const json& data) {
        const HfConfig config(data, "f");
        const RopeConfig r = read_rope(config, 8, 10000);
        config.check_all_read();
        return r;
    };
    const auto scaled = [&](const json& scaling) { return rope({{"rope_scaling", scaling}}); };
    EXPECT_EQ(rope({{"rope_theta", 500.0}, {"rope_scaling", nullptr}}).theta, 500);
    EXPECT_EQ(scaled({{"type", "linear"}, {"factor", 4.0}}).linear_factor, 4);
    EXPECT_EQ(scaled({{"rope_type", "linear"}, {"factor", 4.0}}).linear_factor, 4);
    EXPECT_EQ(scaled({{"rope_type", "default"}}).linear_factor, 1);
    EXPECT_EQ(rope({{"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 77.0}}}}).theta, 77);
    const RopeConfig llama3 = scaled({{"rope_type", "llama3"},
                                      {"factor", 8.0},
                                      {"low_freq_factor", 1.0},
                                      {"high_freq_factor", 4.0},
                                      {"original_max_position_embeddings", 64}});
    ASSERT_EQ(llama3.factors.size(), 4u);
    EXPECT_EQ(llama3.factors.front(), 1);  // a wave of 6 positions is short
    EXPECT_EQ(llama3.factors.back(), 8);   // one of 6283 is long
    EXPECT_TRUE(has(error_of(ErrorKind::unsupported,
                             [&] {
                                 scaled({{"type", "yarn"}, {"factor", 2.0}});
                             }),
                    "yarn"));
    EXPECT_TRUE(has(error_of(ErrorKind::unsupported,
                             [&] {
                                 scaled({{"type", "linear"}, {"factor", 2.0}, {"twist", 1}});
                             }),
                    "rope_scaling.twist"));
    error_of(ErrorKind::corrupt, [&] { scaled({{"type", "linear"}}); });
    error_of(ErrorKind::corrupt, [&] { scaled("linear"); });
    error_of(ErrorKind::corrupt, [&] { rope({{"rope_theta", -1.0}}); });
}

TEST(Config, ContradictionsAreRefused) {
    Config good;
    good.n_layers = good.n_heads = good.n_kv_heads = 4;
    good.dim = good.ff_dim = good.vocab_size = good.context = 32;
    good.head_dim = 8;
    good.norm_eps = 1e-5f;
    check_config(good);
    const auto refused = [&](auto change) {
        Config bad = good;
        change(bad);
        error_of(ErrorKind::corrupt, [&] { check_config(bad); });
    };
    refused([](Config& c) { c.n_kv_heads = 3; });
    refused([](Config& c) { c.n_layers = 1 << 20; });
    refused([](Config& c) { c.dim = std::int64_t{1} << 40; });
    refused([](Config& c) { c.rope.dims = 10; });
    refused([](Config& c) { c.rope.dims = 3; });
    refused([](Config& c) { c.rope.dims = 8, c.rope.factors = {1, 1}; });
    refused([](Config& c) { c.rope.dims = 4, c.rope.factors = {1, 0}; });
    refused([](Config& c) { c.norm_eps = NAN; });
    refused([](Config& c) { c.window = -1; });
}

}  // namespace
}  // namespace tinyllm
