#include "engine/weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <list>
#include <random>

#include "engine/network.h"
#include "kernels/quant.h"
#include "tinyllm/error.h"

namespace tinyllm {
namespace {

/// Tensors in memory; counts what was released.
class MemorySource : public TensorSource {
  public:
    void add(const std::string& name, std::vector<std::int64_t> shape) {
        std::int64_t n = 1;
        for (const std::int64_t size : shape) n *= size;
        std::vector<float>& values = held_.emplace_back(static_cast<std::size_t>(n));
        for (float& value : values) value = static_cast<float>(random_() % 2001) / 1000.0f - 1.0f;
        tensors_.push_back({name, DType::f32, std::move(shape), std::as_bytes(std::span(values)), "memory"});
    }
    TensorView& at(std::string_view name) { return *std::ranges::find(tensors_, name, &TensorView::name); }
    void remove(std::string_view name) {
        tensors_.erase(std::ranges::find(tensors_, name, &TensorView::name));
    }
    void set(std::string_view name, std::size_t i, float value) {
        std::memcpy(const_cast<std::byte*>(at(name).data.data()) + 4 * i, &value, 4);
    }
    std::span<const TensorView> tensors() const override { return tensors_; }
    void release(const TensorView&, std::span<const std::byte> part) const override {
        released += part.size();
    }
    mutable std::size_t released = 0;  // bytes

  private:
    std::mt19937 random_{1};
    std::list<std::vector<float>> held_;
    std::vector<TensorView> tensors_;
};

Config small() {
    Config c;
    c.file = "config.json";
    c.n_layers = 1;
    c.dim = c.ff_dim = 64;
    c.n_heads = c.n_kv_heads = 4;
    c.head_dim = c.rope.dims = 16;
    c.vocab_size = 10;
    c.context = 32;
    c.tied_head = true;
    return c;
}

void fill(MemorySource& source, const Config& c) {
    source.add("model.embed_tokens.weight", {c.vocab_size, c.dim});
    source.add("model.norm.weight", {c.dim});
    const std::string layer = "model.layers.0.";
    for (const char* name : {"input", "post_attention"})
        source.add(layer + name + "_layernorm.weight", {c.dim});
    for (const char* name : {"q", "k", "v", "o"})
        source.add(layer + "self_attn." + name + "_proj.weight", {c.dim, c.dim});
    for (const char* name : {"gate", "up"})
        source.add(layer + "mlp." + name + "_proj.weight", {c.ff_dim, c.dim});
    source.add(layer + "mlp.down_proj.weight", {c.dim, c.ff_dim});
}

WeightTotals load(const MemorySource& source, const Config& config, std::optional<DType> type = {}) {
    const auto backend = make_ref_backend({});
    const Architecture& llama = *find_architecture_by_name("llama");
    WeightLoader weights(llama, config, source, FileForm::hugging_face, *backend, type);
    const auto network = llama.build(config, weights);
    weights.finish();
    return weights.totals();
}

/// Loading a tiny Llama that `change` broke fails, and the message holds `part`.
template <typename Change>
void refused(const std::string& part, const Change& change) {
    MemorySource source;
    fill(source, small());
    change(source);
    try {
        load(source, small());
        ADD_FAILURE() << "nothing was thrown; expected " << part;
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::corrupt) << error.what();
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
}

TEST(Weights, TotalsCountTiedOnceAndEveryTensorIsReleased) {
    MemorySource source;
    fill(source, small());
    const WeightTotals totals = load(source, small());
    const std::int64_t expected = 10 * 64 + 3 * 64 + 4 * 64 * 64 + 3 * 64 * 64;
    EXPECT_EQ(totals.parameters, expected);
    EXPECT_GE(totals.bytes, 4 * expected);
    std::size_t bytes = 0;
    for (const TensorView& tensor : source.tensors()) bytes += tensor.data.size();
    EXPECT_EQ(source.released, bytes);
    EXPECT_TRUE(totals.notes.empty());
}

TEST(Weights, ErrorsNameTheTensor) {
    const std::string up = "model.layers.0.mlp.up_proj.weight";
    refused("layers.0.mlp.up_proj.weight is missing", [&](MemorySource& s) { s.remove(up); });
    refused(up + ": expected shape [64, 64], found [32, 128]", [&](MemorySource& s) {
        s.at(up).shape = {32, 128};
    });
    refused("layers.1.mlp.up_proj.weight", [](MemorySource& s) {
        s.add("model.layers.1.mlp.up_proj.weight", {64, 64});
    });
    refused("q_proj.bias is left over",
            [](MemorySource& s) { s.add("model.layers.0.self_attn.q_proj.bias", {64}); });
    refused("the same weight", [](MemorySource& s) { s.add("norm.weight", {64}); });
    refused("lm_head.weight", [](MemorySource& s) {
        s.add("lm_head.weight", {10, 32});
    });  // a tied head of another shape
    for (const float bad : {NAN, INFINITY, -INFINITY}) {
        for (const std::string& name :
             {up, std::string("model.norm.weight"), std::string("model.embed_tokens.weight")}) {
            refused(name, [&](MemorySource& s) { s.set(name, 17, bad); });
            refused("finite", [&](MemorySource& s) { s.set(name, 17, bad); });
        }
    }
}

TEST(Weights, ATiedHeadStoredTwiceAndOldBuffersAreIgnored) {
    MemorySource source;
    fill(source, small());
    const std::int64_t parameters = load(source, small()).parameters;
    source.add("lm_head.weight", {10, 64});
    source.add("model.layers.0.self_attn.rotary_emb.inv_freq", {8});
    EXPECT_EQ(load(source, small()).parameters, parameters);
}

TEST(Weights, AskedTypeIsUsedOrExplained) {
    MemorySource source;
    fill(source, small());
    const WeightTotals q8 = load(source, small(), DType::q8_0);
    EXPECT_EQ(q8.parameters_by_type.at(DType::q8_0), q8.parameters - 3 * 64);
    EXPECT_TRUE(q8.notes.empty());

    Config c = small();
    c.ff_dim = 40;
    MemorySource odd;
    fill(odd, c);
    const WeightTotals mixed = load(odd, c, DType::q8_0);
    ASSERT_EQ(mixed.notes.size(), 1u);  // of the MLP only down_proj has 40 columns
    EXPECT_NE(mixed.notes[0].find("blk.0.ffn_down.weight"), std::string::npos);
    EXPECT_EQ(mixed.parameters_by_type.at(DType::f16), 64 * 40);

    c.dim = 256;
    MemorySource wide;
    fill(wide, c);
    for (const char* name : {"q", "k", "v", "o"}) {
        const std::string attention = "model.layers.0.self_attn." + std::string(name) + "_proj.weight";
        wide.remove(attention);
        wide.add(attention,
                 *name == 'o' ? std::vector<std::int64_t>{256, 64} : std::vector<std::int64_t>{64, 256});
    }
    const WeightTotals k = load(wide, c, DType::q4_k);
    EXPECT_EQ(k.notes.size(), 2u);  // of 64 and 40 columns
    EXPECT_EQ(k.parameters_by_type.at(DType::q4_k), (10 + 3 * 64 + 2 * 40) * 256);
    EXPECT_EQ(k.parameters_by_type.at(DType::f16), 256 * (64 + 40));
}

TEST(Weights, FiniteScanSeesEveryPlaceOfEveryType) {
    constexpr std::int64_t kN = 256 * 100;
    const std::vector<float> values(kN, 0.75f);
    for (const DType type : all_dtypes()) {
        std::vector<std::byte> data(row_bytes(type, kN));
        traits(type).from_f32(values.data(), data.data(), kN);
        const auto finite = [&] { return all_finite(type, data); };
        EXPECT_TRUE(finite()) << dtype_name(type);
        const TypeTraits& row = traits(type);
        const std::size_t width = type == DType::f32 ? 4 : 2;
        const std::vector<std::uint32_t> bad =
            type == DType::f32    ? std::vector<std::uint32_t>{0xff800000u, 0x7fc00000u}
            : type == DType::bf16 ? std::vector<std::uint32_t>{0xff80u, 0x7fc0u}
                                  : std::vector<std::uint32_t>{0xfc00u, 0x7e00u};
        const int places = row.block > 1 ? row.n_scales : 1;
        for (std::size_t at = 0; at < data.size(); at += row.block_bytes * (row.block > 1 ? 13 : 97)) {
            for (int i = 0; i < places; ++i) {
                for (const std::uint32_t bits : bad) {
                    std::byte* place = data.data() + at + row.scales_at + 2 * i;
                    std::uint32_t before = 0;
                    std::memcpy(&before, place, width);
                    std::memcpy(place, &bits, width);
                    EXPECT_FALSE(finite()) << dtype_name(type) << " at " << at;
                    std::memcpy(place, &before, width);
                }
            }
        }
        if (row.block == 1) continue;
        // Nothing but the scales can be wrong.
        std::vector<std::byte> full(row.block_bytes, std::byte{0xff});
        for (int i = 0; i < row.n_scales; ++i) full[static_cast<std::size_t>(row.scales_at + 2 * i + 1)] = {};
        EXPECT_TRUE(all_finite(type, full)) << dtype_name(type);
    }
}

TEST(Weights, NonFiniteScalesOfQuantizedWeightsAreNamed) {
    Config c = small();
    c.dim = c.ff_dim = 256;
    c.n_heads = c.n_kv_heads = 16;
    MemorySource source;
    fill(source, c);
    TensorView& up = source.at("model.layers.0.mlp.up_proj.weight");
    const TensorView plain = up;
    for (const TypeTraits& type : type_table()) {
        if (type.block == 1) continue;
        std::vector<std::byte> blocks(row_bytes(type.type, 256 * 256));
        type.from_f32(reinterpret_cast<const float*>(plain.data.data()), blocks.data(), 256 * 256);
        up.type = type.type;
        up.data = blocks;
        EXPECT_EQ(load(source, c).parameters_by_type.at(type.type), 256 * 256) << type.name;
        EXPECT_NO_THROW(load(source, c, DType::q8_0)) << type.name;
        const std::uint16_t infinity = 0x7c00;
        std::memcpy(blocks.data() + 3 * type.block_bytes + type.scales_at, &infinity, sizeof infinity);
        try {
            load(source, c);
            ADD_FAILURE() << type.name << ": nothing was thrown";
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::corrupt) << error.what();
            const std::string place = "up_proj.weight: element " + std::to_string(3 * type.block);
            EXPECT_NE(std::string(error.what()).find(place), std::string::npos) << error.what();
        }
    }
}

TEST(Weights, RowsThatFitNoKBlockGetTheSubstituteAskedFor) {
    const auto chosen = [](DType asked, std::int64_t cols, bool fallback) {
        std::string note;
        const DType type = weight_type("blk.0.ffn_up.weight", asked, DType::f32, cols, fallback, &note);
        EXPECT_EQ(note.empty(), type == asked) << note;
        return type;
    };
    const std::pair<DType, DType> substitutes[] = {{DType::q2_k, DType::q4_0}, {DType::q3_k, DType::q4_0},
                                                   {DType::q4_k, DType::q5_0}, {DType::q5_k, DType::q5_1},
                                                   {DType::q6_k, DType::q8_0}, {DType::q5_0, DType::f16}};
    for (const auto& [asked, instead] : substitutes) {
        EXPECT_EQ(chosen(asked, 768, true), asked);
        EXPECT_EQ(chosen(asked, 576, true), dtype_block(asked) == 256 ? instead : asked);
        EXPECT_EQ(chosen(asked, 576, false), dtype_block(asked) == 256 ? DType::f16 : asked);
        EXPECT_EQ(chosen(asked, 50, true), DType::f16);
        EXPECT_EQ(chosen(asked, 50, false), DType::f16);
    }
    EXPECT_EQ(weight_type("position_embd.weight", DType::q4_k, DType::f16, 576, true, nullptr), DType::f16);
}

TEST(Architecture, NamesOfLayersAreReadStrictly) {
    const Architecture& gpt2 = *find_architecture_by_name("gpt2");
    EXPECT_EQ(match_hf_name(gpt2, "transformer.h.11.ln_1.weight").layer, 11);
    EXPECT_EQ(match_hf_name(gpt2, "h.3.ln_1.weight").layer, 3);
    EXPECT_EQ(match_hf_name(gpt2, "wte.weight").layer, -1);
    for (const char* name :
         {"h.03.ln_1.weight", "h..ln_1.weight", "h.-1.ln_1.weight", "h.x.ln_1.weight", "h.1.ln_1.weights",
          "h.99999999999999999999.ln_1.weight", "transformer.transformer.h.1.ln_1.weight"}) {
        EXPECT_EQ(match_hf_name(gpt2, name).rule, nullptr) << name;
    }
}

TEST(Architecture, RopeRowsAreLlamaCppsPairs) {
    // Two heads of 6, of which 4 rotate: i pairs with i + 2 here, with its neighbour there.
    EXPECT_EQ(interleaved_rope_rows(2, 6, 4),
              (std::vector<std::int32_t>{0, 2, 1, 3, 4, 5, 6, 8, 7, 9, 10, 11}));
}

}  // namespace
}  // namespace tinyllm
