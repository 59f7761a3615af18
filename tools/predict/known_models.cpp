#include "tools/predict/known_models.h"

#include <algorithm>
#include <string_view>

namespace tinyllm::predict {
namespace {

enum class Family { bloom, gpt2, gpt_neox, llama, opt, phone_lm, qwen2, t5 };

struct Shape {
    std::string_view id;
    Family family;
    DType stored;
    std::int64_t layers, dim, heads, kv_heads, ff, vocab, context;
    bool own_head;                   // the head is not the embedding
    std::int64_t embedding_dim = 0;  // 0: dim
};

constexpr Shape kShapes[] = {
    {"bigscience/bloom-560m", Family::bloom, DType::f16, 24, 1024, 16, 16, 4096, 250880, 2048, false},
    {"bigscience/bloomz-560m", Family::bloom, DType::f16, 24, 1024, 16, 16, 4096, 250880, 2048, false},
    {"cerebras/Cerebras-GPT-590M", Family::gpt2, DType::f32, 18, 1536, 12, 12, 6144, 50257, 2048, false},
    {"cerebras/Cerebras-GPT-256M", Family::gpt2, DType::f32, 14, 1088, 17, 17, 4352, 50257, 2048, false},
    {"cerebras/Cerebras-GPT-111M", Family::gpt2, DType::f32, 10, 768, 12, 12, 3072, 50257, 2048, false},
    {"h2oai/h2o-danube3-500m-base", Family::llama, DType::bf16, 16, 1536, 16, 8, 4096, 32000, 8192, true},
    {"google/flan-t5-base", Family::t5, DType::f32, 12, 768, 12, 12, 2048, 32128, 512, true},
    {"MBZUAI/LaMini-GPT-774M", Family::gpt2, DType::f32, 36, 1280, 20, 20, 5120, 50258, 1024, false},
    {"MBZUAI/LaMini-GPT-124M", Family::gpt2, DType::f32, 12, 768, 12, 12, 3072, 50258, 1024, false},
    {"ahxt/LiteLlama-460M-1T", Family::llama, DType::bf16, 24, 1024, 16, 2, 4096, 50304, 1024, true},
    {"facebook/opt-350m", Family::opt, DType::f16, 24, 1024, 16, 16, 4096, 50272, 2048, false, 512},
    {"facebook/opt-125m", Family::opt, DType::f16, 12, 768, 12, 12, 3072, 50272, 2048, false},
    {"EleutherAI/pythia-410m", Family::gpt_neox, DType::f16, 24, 1024, 16, 16, 4096, 50304, 2048, true},
    {"EleutherAI/pythia-160m", Family::gpt_neox, DType::f16, 12, 768, 12, 12, 3072, 50304, 2048, true},
    {"mllmTeam/PhoneLM-0.5B", Family::phone_lm, DType::bf16, 24, 1024, 16, 16, 4864, 49152, 2048, false},
    {"Qwen/Qwen1.5-0.5B", Family::qwen2, DType::bf16, 24, 1024, 16, 16, 2816, 151936, 32768, false},
    {"Qwen/Qwen2.5-0.5B", Family::qwen2, DType::bf16, 24, 896, 14, 2, 4864, 151936, 32768, false},
    {"HuggingFaceTB/SmolLM-360M", Family::llama, DType::bf16, 32, 960, 15, 5, 2560, 49152, 2048, false},
    {"HuggingFaceTB/SmolLM-135M", Family::llama, DType::bf16, 30, 576, 9, 3, 1536, 49152, 2048, false},
    {"TinyLlama/TinyLlama_v1.1", Family::llama, DType::f32, 22, 2048, 32, 4, 5632, 32000, 2048, true},
};

std::string_view architecture_of(Family family) {
    switch (family) {
        case Family::bloom:
            return "bloom";
        case Family::gpt2:
            return "gpt2";
        case Family::gpt_neox:
            return "gpt_neox";
        case Family::llama:
            return "llama";
        case Family::opt:
            return "opt";
        case Family::phone_lm:
            return "phonelm";
        case Family::qwen2:
            return "qwen2";
        case Family::t5:
            return "t5";
    }
    return "";
}

/// Collects the tensors of one checkpoint under their GGUF names.
class Tensors {
  public:
    explicit Tensors(const Shape& shape) : s_(shape) {}

    void matrix(const std::string& name, std::int64_t rows, std::int64_t cols, bool each_step = true) {
        add(name + ".weight", {rows, cols}, each_step);
    }
    void linear(const std::string& name, std::int64_t rows, std::int64_t cols, bool bias) {
        matrix(name, rows, cols);
        if (bias) add(name + ".bias", {rows}, true);
    }
    void norm(const std::string& name, bool bias) {
        add(name + ".weight", {s_.dim}, true);
        if (bias) add(name + ".bias", {s_.dim}, true);
    }
    std::vector<TensorInfo> take() { return std::move(tensors_); }

  private:
    void add(const std::string& name, std::vector<std::int64_t> shape, bool each_step) {
        std::int64_t n = 1;
        for (const std::int64_t size : shape) n *= size;
        TensorInfo tensor{name, name, std::move(shape), s_.stored, 0, each_step};
        tensor.bytes = static_cast<std::int64_t>(row_bytes(s_.stored, n));
        tensors_.push_back(std::move(tensor));
    }

    const Shape& s_;
    std::vector<TensorInfo> tensors_;
};

std::string block(const char* before, std::int64_t layer, const char* part) {
    return std::string(before) + "blk." + std::to_string(layer) + "." + part;
}

void add_plain(const Shape& s, Tensors& t) {
    const bool separate = s.family == Family::opt;
    for (std::int64_t i = 0; i < s.layers; ++i) {
        const auto name = [&](const char* part) { return block("", i, part); };
        t.norm(name("attn_norm"), true);
        t.norm(name("ffn_norm"), true);
        if (separate) {
            for (const char* part : {"attn_q", "attn_k", "attn_v"}) t.linear(name(part), s.dim, s.dim, true);
        } else {
            t.linear(name("attn_qkv"), 3 * s.dim, s.dim, true);
        }
        t.linear(name("attn_output"), s.dim, s.dim, true);
        t.linear(name("ffn_up"), s.ff, s.dim, true);
        t.linear(name("ffn_down"), s.dim, s.ff, true);
    }
    const bool norm_after = s.embedding_dim > 0;  // opt-350m has no final norm
    if (!norm_after) t.norm("output_norm", true);
}

void add_gated(const Shape& s, Tensors& t) {
    const bool bias = s.family == Family::qwen2;
    const std::int64_t kv = s.dim / s.heads * s.kv_heads;
    for (std::int64_t i = 0; i < s.layers; ++i) {
        const auto name = [&](const char* part) { return block("", i, part); };
        t.norm(name("attn_norm"), false);
        t.norm(name("ffn_norm"), false);
        t.linear(name("attn_q"), s.dim, s.dim, bias);
        t.linear(name("attn_k"), kv, s.dim, bias);
        t.linear(name("attn_v"), kv, s.dim, bias);
        t.linear(name("attn_output"), s.dim, s.dim, false);
        t.linear(name("ffn_gate"), s.ff, s.dim, false);
        t.linear(name("ffn_up"), s.ff, s.dim, false);
        t.linear(name("ffn_down"), s.dim, s.ff, false);
    }
    t.norm("output_norm", false);
}

void add_t5(const Shape& s, Tensors& t) {
    constexpr std::int64_t kBuckets = 32;
    for (const bool decoder : {false, true}) {
        const char* side = decoder ? "dec." : "enc.";
        for (std::int64_t i = 0; i < s.layers; ++i) {
            const auto name = [&](const char* part) { return block(side, i, part); };
            t.norm(name("attn_norm"), false);
            for (const char* part : {"attn_q", "attn_k", "attn_v", "attn_o"})
                t.matrix(name(part), s.dim, s.dim, decoder);
            if (i == 0) t.matrix(name("attn_rel_b"), kBuckets, s.heads, decoder);
            if (decoder) {
                t.norm(name("cross_attn_norm"), false);
                t.matrix(name("cross_attn_q"), s.dim, s.dim);
                t.matrix(name("cross_attn_k"), s.dim, s.dim, false);
                t.matrix(name("cross_attn_v"), s.dim, s.dim, false);
                t.matrix(name("cross_attn_o"), s.dim, s.dim);
            }
            t.norm(name("ffn_norm"), false);
            t.matrix(name("ffn_gate"), s.ff, s.dim, decoder);
            t.matrix(name("ffn_up"), s.ff, s.dim, decoder);
            t.matrix(name("ffn_down"), s.dim, s.ff, decoder);
        }
        t.norm(std::string(side) + "output_norm", false);
    }
}

std::vector<TensorInfo> tensors_of(const Shape& s) {
    constexpr std::int64_t kOptOffset = 2;  // rows before OPT's first position
    Tensors t(s);
    const std::int64_t embedding = s.embedding_dim ? s.embedding_dim : s.dim;
    t.matrix("token_embd", s.vocab, embedding, !s.own_head);
    if (s.family == Family::gpt2) t.matrix("position_embd", s.context, s.dim, false);
    if (s.family == Family::opt) t.matrix("position_embd", s.context + kOptOffset, s.dim, false);
    if (s.family == Family::bloom) t.norm("token_embd_norm", true);
    if (s.embedding_dim) {
        t.matrix("project_in", s.dim, embedding);
        t.matrix("project_out", embedding, s.dim);
    }
    switch (s.family) {
        case Family::bloom:
        case Family::gpt2:
        case Family::gpt_neox:
        case Family::opt:
            add_plain(s, t);
            break;
        case Family::llama:
        case Family::phone_lm:
        case Family::qwen2:
            add_gated(s, t);
            break;
        case Family::t5:
            add_t5(s, t);
            break;
    }
    if (s.own_head) t.matrix("output", s.vocab, embedding);
    return t.take();
}

}  // namespace

std::vector<std::string> known_models() {
    std::vector<std::string> ids;
    for (const Shape& shape : kShapes) ids.emplace_back(shape.id);
    return ids;
}

std::optional<ModelFacts> known_model(const std::string& hub_id) {
    const std::string id = hub_id.substr(0, hub_id.find('@'));
    const auto* shape =
        std::find_if(std::begin(kShapes), std::end(kShapes), [&](const Shape& s) { return s.id == id; });
    if (shape == std::end(kShapes)) return {};
    ModelFacts facts;
    facts.tensors = tensors_of(*shape);
    facts.ff_dim = shape->ff;
    facts.tokenizer = "not at hand";
    ModelInfo& info = facts.info;
    info.path = id;
    info.architecture = architecture_of(shape->family);
    info.main_type = shape->stored;
    info.n_layers = shape->layers;
    info.dim = shape->dim;
    info.n_heads = shape->heads;
    info.n_kv_heads = shape->kv_heads;
    info.head_dim = shape->dim / shape->heads;
    info.vocab_size = shape->vocab;
    info.context = shape->context;
    info.encoder_decoder = shape->family == Family::t5;
    if (info.encoder_decoder) info.encoder_layers = shape->layers;
    for (const TensorInfo& tensor : facts.tensors) {
        std::int64_t n = 1;
        for (const std::int64_t size : tensor.shape) n *= size;
        info.parameters += n;
        info.weight_bytes += tensor.bytes;
    }
    facts.bits_per_weight =
        8.0 * static_cast<double>(info.weight_bytes) / static_cast<double>(info.parameters);
    return facts;
}

}  // namespace tinyllm::predict
