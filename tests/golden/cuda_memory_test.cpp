// Memory of a model on a GPU, as it is told before and as a session takes it, the kernels being run by loops.
#include "files/toy_model.h"
#include "golden/golden_models.h"
#include "tinyllm/convert.h"
#include "tinyllm/inspect.h"
#include "tinyllm/tinyllm.h"

namespace tinyllm {
namespace {

std::int64_t held() {
    return static_cast<std::int64_t>(test::cuda_emulated_bytes());
}

ModelOptions emulated(bool exact) {
    (void)test::golden_devices();  // puts it there
    ModelOptions options;
    options.device = test::kCudaEmulated;
    options.tokenizer = false;
    options.exact = exact;
    return options;
}

ModelOptions as_cuda(ModelOptions options) {
    options.device = "cuda";
    return options;
}

/// One layer whose matrices need no padding in any type.
ToyModel wide_llama() {
    const std::int64_t dim = 256, kv = 128, ff = 512, vocab = 384;
    ToyModel model;
    model.config = {{"model_type", "llama"},    {"hidden_size", dim},       {"num_hidden_layers", 1},
                    {"num_attention_heads", 4}, {"num_key_value_heads", 2}, {"head_dim", 64},
                    {"intermediate_size", ff},  {"vocab_size", vocab},      {"max_position_embeddings", 512},
                    {"rms_norm_eps", 1e-5},     {"hidden_act", "silu"},     {"tie_word_embeddings", true},
                    {"rope_theta", 10000.0}};
    ToyTensors& t = model.tensors;
    const std::string p = "model.layers.0.";
    t["model.embed_tokens.weight"] = toy_tensor(DType::f16, {vocab, dim});
    for (const std::string& norm :
         {std::string("model.norm"), p + "input_layernorm", p + "post_attention_layernorm"})
        t[norm + ".weight"] = toy_tensor(DType::f16, {dim}, 1);
    t[p + "self_attn.q_proj.weight"] = toy_tensor(DType::f16, {dim, dim});
    t[p + "self_attn.k_proj.weight"] = toy_tensor(DType::f16, {kv, dim});
    t[p + "self_attn.v_proj.weight"] = toy_tensor(DType::f16, {kv, dim});
    t[p + "self_attn.o_proj.weight"] = toy_tensor(DType::f16, {dim, dim});
    t[p + "mlp.gate_proj.weight"] = toy_tensor(DType::f16, {ff, dim});
    t[p + "mlp.up_proj.weight"] = toy_tensor(DType::f16, {ff, dim});
    t[p + "mlp.down_proj.weight"] = toy_tensor(DType::f16, {dim, ff});
    return model;
}

TEST(CudaMemory, WeightsOfEveryTypeToTheByte) {
    const TemporaryFolder folder;
    wide_llama().write(folder);
    for (const DType type : all_dtypes()) {
        const std::string file = folder / "model.gguf";
        ConvertOptions convert;
        convert.type = type;
        convert_to_gguf(folder.path(), file, convert);
        for (const bool exact : {false, true}) {
            const std::int64_t before = held();
            const auto model = Model::load(file, emulated(exact));
            const std::int64_t told =
                predict_memory(inspect_model(file), as_cuda(emulated(exact)), {}, 8).weights;
            EXPECT_EQ(told, held() - before) << dtype_name(type);
            EXPECT_EQ(told, model->info().weight_bytes) << dtype_name(type);
        }
    }
}

TEST(CudaMemory, WeightsOfEveryFamily) {
    for (const bool encoders : {false, true}) {
        for (const std::string& name : test::golden_cases(encoders)) {
            const std::string path = test::golden_models() + "/" + name;
            const ModelFacts facts = inspect_model(path);
            const std::int64_t before = held();
            const auto model = Model::load(path, emulated(false));
            const std::int64_t told = predict_memory(facts, as_cuda(emulated(false)), {}, 8).weights;
            // Padding that stacked parts share; T5's biases, which are laid out by distance.
            const std::int64_t most = std::ssize(facts.tensors) * 1024;
            EXPECT_LE(std::abs(told - (held() - before)), most) << name;
        }
    }
}

TEST(CudaMemory, BuffersOfASession) {
    const TemporaryFolder folder;
    wide_llama().write(folder);
    const ModelFacts facts = inspect_model(folder.path());
    for (const bool exact : {false, true}) {
        const std::int64_t before = held();
        const auto model = Model::load(folder.path(), emulated(exact));
        SessionOptions options;
        options.context = 258;
        options.chunk = 64;
        const MemoryUse told = predict_memory(facts, as_cuda(emulated(exact)), options, 258);
        Session session(model, options);
        std::vector<Token> text(257);
        for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<Token>(i * 7 % 384);
        const std::vector<Token> context(text.begin(), text.begin() + 1),
            rest(text.begin() + 1, text.begin() + 66);
        (void)session.loglikelihood(std::vector<ScoreRequest>{{context, {rest}}});
        session.prefill(text);
        (void)session.generate({.max_tokens = 1, .sampler = {}, .ignore_eos = true});
        const std::int64_t taken = held() - before;
        EXPECT_LE(std::abs(told.device - taken), taken / 20) << told.device << " told, " << taken << " taken";
        const std::int64_t buffers = taken - told.weights - session.memory().kv;
        EXPECT_LE(std::abs(told.scratch - buffers), buffers / 20)
            << told.scratch << " told, " << buffers << " taken";
        EXPECT_EQ(told.device, told.weights + told.kv + told.scratch);
        EXPECT_GT(told.peak, told.device + told.pinned + told.context);
    }
}

}  // namespace
}  // namespace tinyllm
