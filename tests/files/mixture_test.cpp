// llama.cpp's mixtures by their rules; llama_cpp_mixtures_test.py compares whole files with its own.
#include "engine/mixture.h"

#include <filesystem>
#include <map>

#include "engine/gguf.h"
#include "files/toy_model.h"
#include "tinyllm/convert.h"

namespace tinyllm {
namespace {

std::vector<std::string> names_of(int layers, bool tied, bool fused) {
    std::vector<std::string> names = {"token_embd.weight"};
    if (!tied) names.push_back("output.weight");
    for (int i = 0; i < layers; ++i) {
        const std::string p = "blk." + std::to_string(i) + ".";
        if (fused) names.push_back(p + "attn_qkv.weight");
        for (const char* part : {"attn_q", "attn_v"}) {
            if (!fused) names.push_back(p + part + ".weight");
        }
        for (const char* part : {"attn_output", "ffn_up", "ffn_down"}) names.push_back(p + part + ".weight");
    }
    return names;
}

/// The layers in which `part` has another type than the mixture's own, as "0q6_k 3q6_k".
std::string exceptions(const char* mixture, const std::string& part, int layers, MixtureModel model,
                       bool fused = false) {
    const Mixture* found = find_mixture(mixture);
    if (!found) return "no mixture";
    model.n_layers = layers;
    const auto names = names_of(layers, false, fused);
    const auto types = mixture_types(*found, names, model);
    std::string text;
    for (int i = 0; i < layers; ++i) {
        const DType type = types.at("blk." + std::to_string(i) + "." + part + ".weight");
        if (type == found->base) continue;
        text += (text.empty() ? "" : " ") + std::to_string(i) + std::string(dtype_name(type));
    }
    return text;
}

// As llama.cpp 0.3.36's quantizer has them.
TEST(Mixture, LayersThatGetMoreBits) {
    EXPECT_EQ(exceptions("Q4_K_M", "ffn_down", 16, {}),
              "0q6_k 1q6_k 4q6_k 7q6_k 10q6_k 13q6_k 14q6_k 15q6_k");
    EXPECT_EQ(exceptions("Q4_K_M", "attn_v", 4, {}), "2q6_k 3q6_k");
    EXPECT_EQ(exceptions("Q5_K_M", "attn_qkv", 9, {}, true), "0q6_k 3q6_k 6q6_k 7q6_k 8q6_k");
    EXPECT_EQ(exceptions("Q4_K_S", "attn_v", 12, {}), "0q5_k 1q5_k 2q5_k 3q5_k");
    EXPECT_EQ(exceptions("Q4_K_S", "ffn_down", 12, {}), "0q5_k");
    EXPECT_EQ(exceptions("Q3_K_M", "attn_v", 3, {}), "0q5_k 1q5_k 2q4_k");
    EXPECT_EQ(exceptions("Q3_K_M", "ffn_down", 16, {}).substr(0, 11), "0q5_k 1q4_k");
    EXPECT_EQ(exceptions("Q3_K_L", "attn_output", 2, {}), "0q5_k 1q5_k");
    EXPECT_EQ(exceptions("Q2_K", "attn_v", 2, {}), "0q3_k 1q3_k");
    EXPECT_EQ(exceptions("Q2_K", "attn_v", 2, {.heads_per_kv_head = 4}), "0q4_k 1q4_k");
    for (const char* part : {"attn_q", "ffn_up"}) EXPECT_EQ(exceptions("Q4_K_M", part, 16, {}), "") << part;
    for (const char* same : {"Q3_K_S", "Q5_K_S", "Q6_K", "Q4_1", "Q8_0"})
        EXPECT_EQ(exceptions(same, "ffn_down", 16, {}), "");
}

TEST(Mixture, AnImportanceMatrixChangesTheFirstDownProjections) {
    EXPECT_EQ(exceptions("Q4_0", "ffn_down", 16, {}), "");
    EXPECT_EQ(exceptions("Q4_0", "ffn_down", 16, {.has_importance = true}), "0q4_1 1q4_1");
    EXPECT_EQ(exceptions("Q5_0", "ffn_down", 8, {.has_importance = true}), "0q5_1");
    EXPECT_EQ(exceptions("IQ4_NL", "ffn_down", 8, {}), "0q5_k");
    EXPECT_EQ(exceptions("IQ4_NL", "ffn_down", 8, {.has_importance = true}), "");
}

TEST(Mixture, TheHeadIsTheEmbeddingWhereThereIsNoOther) {
    for (const bool tied : {false, true}) {
        const auto names = names_of(2, tied, false);
        const auto types = mixture_types(*find_mixture("q4_k_m"), names, {.n_layers = 2});
        EXPECT_EQ(types.at("token_embd.weight"), tied ? DType::q6_k : DType::q4_k);
        if (!tied) {
            EXPECT_EQ(types.at("output.weight"), DType::q6_k);
        }
        EXPECT_EQ(mixture_types(*find_mixture("Q8_0"), names, {.n_layers = 2})
                      .at(tied ? "token_embd.weight" : "output.weight"),
                  DType::q8_0);
    }
    EXPECT_EQ(find_mixture("Q4_K"), nullptr);
}

TEST(Mixture, RowsThatDoNotFitNeedLeave) {
    const TemporaryFolder folder;
    toy_llama(DType::f16, true, 256).write(folder);
    const std::string out = folder / "out.gguf";
    ConvertOptions options;
    options.mixture = "Q4_K_M";
    expect_error(ErrorKind::usage,
                 {"Q4_K_M", "4 tensors", "blk.0.attn_output.weight", "64", "q5_0", "--fallback"},
                 [&] { convert_to_gguf(folder.path(), out, options); });
    EXPECT_FALSE(std::filesystem::exists(out));
    options.fallback = true;
    const ConvertReport report = convert_to_gguf(folder.path(), out, options);
    EXPECT_EQ(GgufFile(out).integer("general.file_type"), 15);
    std::map<std::string, DType> types;
    for (const TensorReport& tensor : report.tensors) types[tensor.name] = tensor.to;
    EXPECT_EQ(types["token_embd.weight"], DType::q6_k);
    EXPECT_EQ(types["blk.0.ffn_up.weight"], DType::q4_k);
    EXPECT_EQ(types["blk.0.ffn_down.weight"], DType::q5_0);
    EXPECT_EQ(types["blk.1.ffn_down.weight"], DType::q8_0);  // the last layer's was to be q6_k
    options.mixture = "Q4_K_XL";
    expect_error(ErrorKind::usage, {"Q4_K_XL", "Q4_K_M"},
                 [&] { convert_to_gguf(folder.path(), out, options); });
}

TEST(Mixture, EmbeddingAndHeadAreChosenByName) {
    for (const bool tied : {false, true}) {
        const TemporaryFolder folder;
        toy_llama(DType::f16, tied, 256).write(folder);
        ConvertOptions options;
        options.mixture = "Q4_0";
        options.tensor_types = {{"ffn", DType::q5_1}};
        const auto types = [&] {
            const ConvertReport report = convert_to_gguf(folder.path(), folder / "out.gguf", options);
            std::string text;
            for (const TensorReport& tensor : report.tensors) {
                if (tensor.name == "token_embd.weight" || tensor.name == "output.weight") {
                    text += std::string(dtype_name(tensor.to)) + " ";
                }
            }
            return text;
        };
        EXPECT_EQ(types(), tied ? "q6_k " : "q4_0 q6_k ");
        options.output_type = DType::q8_0;
        EXPECT_EQ(types(), tied ? "q8_0 " : "q4_0 q8_0 ");
        options.token_embedding_type = DType::q5_k;
        EXPECT_EQ(types(), tied ? "q5_k " : "q5_k q8_0 ");
    }
}

}  // namespace
}  // namespace tinyllm
