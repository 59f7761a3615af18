// Models come out of conversion as the same models, in the types asked for, and broken ones are refused by
// name.
#include "tinyllm/convert.h"

#include <cmath>
#include <limits>
#include <map>

#include "engine/gguf.h"
#include "files/toy_model.h"
#include "tinyllm/inspect.h"
#include "tinyllm/model.h"
#include "tinyllm/session.h"

namespace tinyllm {
namespace {

std::vector<float> logits_of(const std::string& path) {
    ModelOptions options;
    options.device = "ref";
    options.exact = true;
    options.tokenizer = false;
    const auto model = Model::load(path, options);
    Session session(model);
    session.prefill(std::vector<Token>{3, 1, 4, 1, 5, 9, 2, 6});
    const auto logits = session.logits();
    return {logits.begin(), logits.end()};
}

/// Root mean square of the difference, relative to that of `a`.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
    EXPECT_EQ(a.size(), b.size());
    double error = 0, size = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        error += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
        size += static_cast<double>(a[i]) * a[i];
    }
    return std::sqrt(error / size);
}

const TensorReport& report_of(const ConvertReport& report, const std::string& name) {
    for (const TensorReport& tensor : report.tensors) {
        if (tensor.name == name) return tensor;
    }
    throw std::runtime_error("no report of " + name);
}

class Convert : public testing::Test {
  protected:
    ConvertReport convert(std::optional<DType> type = {}) {
        ConvertOptions options;
        options.type = type;
        return convert_to_gguf(folder_.path(), out_, options);
    }
    TemporaryFolder folder_;
    const std::string out_ = folder_ / "out.gguf";
};

TEST_F(Convert, KeepsTheLogitsOfBothFamilies) {
    for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
        for (const ToyModel& model : {toy_llama(type), toy_llama(type, false), toy_gpt2(type)}) {
            model.write(folder_);
            convert();
            EXPECT_LE(difference(logits_of(folder_.path()), logits_of(out_)), 1e-6) << model.config.dump();
        }
    }
}

TEST_F(Convert, LosesNoMoreThanTheTypeDoes) {
    toy_llama(DType::f32).write(folder_);
    const std::vector<float> before = logits_of(folder_.path());
    const std::pair<DType, double> bounds[] = {
        {DType::f32, 1e-6}, {DType::f16, 5e-3}, {DType::bf16, 4e-2}, {DType::q8_0, 8e-2}, {DType::q4_0, 0.8}};
    for (const auto& [type, bound] : bounds) {
        convert(type);
        EXPECT_LE(difference(before, logits_of(out_)), bound) << dtype_name(type);
    }
}

TEST_F(Convert, EveryQuantizedTypeLosesAboutWhatItsBitsSay) {
    toy_llama(DType::f32, true, 256).write(folder_);
    // Of uniform numbers about one step divided by all steps.
    const std::pair<DType, double> errors[] = {
        {DType::q8_0, 0.0045}, {DType::q6_k, 0.015}, {DType::q5_1, 0.03}, {DType::q5_k, 0.03},
        {DType::q5_0, 0.035},  {DType::q4_1, 0.07},  {DType::q4_k, 0.07}, {DType::iq4_nl, 0.08},
        {DType::q4_0, 0.07},   {DType::q3_k, 0.14},  {DType::q2_k, 0.28}, {DType::t4_64, 0.085},
        {DType::t3_64, 0.17}};
    const std::vector<float> before = logits_of(folder_.path());
    for (const auto& [type, error] : errors) {
        const ConvertReport report = convert(type);
        const TensorReport& up = report_of(report, "blk.0.ffn_up.weight");
        EXPECT_EQ(up.to, type);
        EXPECT_EQ(up.bits_per_weight, 8.0 * static_cast<double>(row_bytes(type, 256)) / 256)
            << dtype_name(type);
        EXPECT_LT(up.rms_error, error) << dtype_name(type);
        EXPECT_GT(up.rms_error, error / 2) << dtype_name(type);
        const std::vector<float> rounded = logits_of(out_);
        EXPECT_GT(difference(before, rounded), error / 2) << dtype_name(type);
        ConvertOptions widen;
        widen.type = DType::f32;
        convert_to_gguf(out_, folder_ / "twin.gguf", widen);
        EXPECT_EQ(logits_of(folder_ / "twin.gguf"), rounded) << dtype_name(type);
    }
}

TEST_F(Convert, RowsThatFitNoKBlockGetASubstituteIfAsked) {
    toy_llama(DType::f32, true, 256).write(folder_);
    ConvertOptions options;
    options.type = DType::q4_k;
    for (const bool fallback : {false, true}) {
        options.fallback = fallback;
        const ConvertReport report = convert_to_gguf(folder_.path(), out_, options);
        EXPECT_EQ(report_of(report, "blk.0.ffn_up.weight").to, DType::q4_k);    // 256 columns
        const TensorReport& down = report_of(report, "blk.0.ffn_down.weight");  // 96 columns
        EXPECT_EQ(down.to, fallback ? DType::q5_0 : DType::f16);
        EXPECT_NE(down.note.find("96 columns"), down.note.npos) << down.note;
        EXPECT_NE(down.note.find(dtype_name(down.to)), down.note.npos) << down.note;
        EXPECT_EQ(GgufFile(out_).integer("general.file_type"), 14);
        EXPECT_EQ(inspect_model(out_).info.main_type, DType::q4_k);
    }
}

TEST_F(Convert, RowsThatFitNoBlockOfOurOwnDoSoToo) {
    toy_llama(DType::f32, true, 256).write(folder_);
    ConvertOptions options;
    for (const DType type : {DType::t3_64, DType::t4_64}) {
        options.type = type;
        for (const bool fallback : {false, true}) {
            options.fallback = fallback;
            const ConvertReport report = convert_to_gguf(folder_.path(), out_, options);
            EXPECT_EQ(report_of(report, "blk.0.ffn_up.weight").to, type);           // 256 columns
            const TensorReport& down = report_of(report, "blk.0.ffn_down.weight");  // 96 columns
            EXPECT_EQ(down.to, fallback ? DType::iq4_nl : DType::f16);
            EXPECT_NE(down.note.find("64"), down.note.npos) << down.note;
            EXPECT_EQ(GgufFile(out_).integer("general.file_type"), static_cast<int>(type));
            EXPECT_EQ(inspect_model(out_).info.main_type, type);
        }
    }
}

TEST_F(Convert, InspectionCountsTypesAsLoadingPacksThem) {
    toy_llama(DType::f32, true, 256).write(folder_);
    const auto load = [&](const ModelOptions& options) {
        const ModelFacts facts = inspect_model(out_);
        const std::int64_t loaded = Model::load(out_, options)->info().weight_bytes;
        const std::int64_t predicted = predict_memory(facts, options, {}, 8).weights;
        EXPECT_LE(predicted, loaded);
        EXPECT_GE(predicted, loaded * 0.99);                 // panels are padded
        EXPECT_EQ(predicted, decode_bytes(facts, options));  // a decode step reads the tied head whole
        return predicted;
    };
    ModelOptions fast, exact, rounded;
    exact.exact = true;
    rounded.type = DType::q8_0;
    fast.tokenizer = exact.tokenizer = rounded.tokenizer = false;
    convert();
    const std::int64_t f32 = load(fast);
    convert(DType::q8_0);
    const std::int64_t q8 = load(fast);
    EXPECT_EQ(load(exact), q8);
    std::map<DType, std::int64_t> sizes;
    for (const DType type :
         {DType::t3_64, DType::t4_64, DType::iq4_nl, DType::q4_1, DType::q5_0, DType::q5_1}) {
        convert(type);
        sizes[type] = load(fast);
        EXPECT_EQ(load(exact), sizes[type]) << dtype_name(type);
        EXPECT_EQ(load(rounded), q8) << dtype_name(type);
    }
    EXPECT_LT(sizes[DType::iq4_nl], sizes[DType::q4_1]);
    EXPECT_LT(sizes[DType::q4_1], sizes[DType::q5_0]);
    EXPECT_LT(sizes[DType::q5_0], sizes[DType::q5_1]);
    EXPECT_LT(sizes[DType::q5_1], q8);
    // Some rows are no multiple of 256: f16.
    std::int64_t last = 0;
    for (const DType type : {DType::q4_k, DType::q5_k, DType::q6_k, DType::q2_k}) {
        convert(type);
        EXPECT_LT(last, load(fast)) << dtype_name(type);
        last = load(fast);
        EXPECT_GT(load(exact), f32 / 2) << dtype_name(type);
    }
    convert(DType::q3_k);
    EXPECT_LT(load(fast), last);
}

TEST_F(Convert, ReportsTypesSizesAndErrors) {
    toy_llama(DType::bf16).write(folder_);
    const ConvertReport report = convert(DType::q8_0);
    EXPECT_EQ(static_cast<std::uintmax_t>(report.bytes), std::filesystem::file_size(out_));
    EXPECT_EQ(report.parameters, 80 * 64 + 64 + 2 * (2 * 64 + (64 + 32 + 32 + 64) * 64 + 3 * 96 * 64));
    const TensorReport& q = report_of(report, "blk.1.attn_q.weight");
    EXPECT_EQ(q.shape, (std::vector<std::int64_t>{64, 64}));
    EXPECT_EQ(q.from, DType::bf16);
    EXPECT_EQ(q.to, DType::q8_0);
    EXPECT_EQ(q.bits_per_weight, 8.5);
    EXPECT_GT(q.rms_error, 1e-4);
    EXPECT_LT(q.rms_error, 1e-2);
    const TensorReport& norm = report_of(report, "output_norm.weight");
    EXPECT_EQ(norm.to, DType::f32);
    EXPECT_EQ(norm.rms_error, 0);
    EXPECT_EQ(report_of(report, "token_embd.weight").to, DType::q8_0);
    ASSERT_EQ(report.notes.size(), 1u);  // the toy folder has no tokenizer
    EXPECT_NE(report.notes[0].find("no tokenizer"), std::string::npos) << report.notes[0];
    EXPECT_EQ(GgufFile(out_).string("tokenizer.ggml.model"), "none");
}

TEST_F(Convert, RowsThatFitNoBlockStayF16AndSaySo) {
    toy_llama(DType::f32, true, 48).write(folder_);
    const ConvertReport report = convert(DType::q4_0);
    const TensorReport& up = report_of(report, "blk.0.ffn_up.weight");  // 48 columns
    EXPECT_EQ(up.to, DType::f16);
    EXPECT_NE(up.note.find("48"), up.note.npos) << up.note;
    EXPECT_EQ(report_of(report, "blk.0.ffn_down.weight").to, DType::q4_0);  // 96 columns
    EXPECT_LE(difference(logits_of(folder_.path()), logits_of(out_)), 0.8);
}

TEST_F(Convert, QuantizingAGgufFileKeepsItsOtherKeys) {
    toy_llama(DType::f32).write(folder_);
    convert();
    GgufFile first(out_);
    GgufWriter writer;  // the same file with a key nobody knows
    for (const auto& [key, value] : first.metadata()) writer.copy(first, key);
    writer.set_u64("custom.key", 77);
    for (const TensorView& t : first.tensors()) {
        writer.add_tensor(t.name, t.type, t.shape,
                          [&t] { return std::vector<std::byte>(t.data.begin(), t.data.end()); });
    }
    writer.write(folder_ / "with_key.gguf");

    ConvertOptions options;
    options.type = DType::q8_0;
    convert_to_gguf(folder_ / "with_key.gguf", folder_ / "direct.gguf", options);
    const GgufFile direct(folder_ / "direct.gguf");
    const GgufFile with_key(folder_ / "with_key.gguf");
    for (const auto& [key, value] : with_key.metadata()) {
        if (key == "general.file_type") continue;
        const auto a = with_key.encoded(key), b = direct.encoded(key);
        EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << key;
    }
    EXPECT_EQ(with_key.integer("general.file_type"), 0);
    EXPECT_EQ(direct.integer("general.file_type"), 7);

    // Straight from the folder gives the same tensors.
    convert(DType::q8_0);
    const GgufFile folder(out_);
    for (const TensorView& t : folder.tensors()) {
        const TensorView* other = direct.find(t.name);
        ASSERT_NE(other, nullptr) << t.name;
        EXPECT_TRUE(std::equal(t.data.begin(), t.data.end(), other->data.begin(), other->data.end()))
            << t.name;
    }
}

TEST_F(Convert, UnchangedBlocksAreCopied) {
    toy_llama(DType::f32).write(folder_);
    convert(DType::q4_0);
    ConvertOptions options;
    options.type = DType::q4_0;
    const ConvertReport report = convert_to_gguf(out_, folder_ / "again.gguf", options);
    EXPECT_EQ(read_bytes(out_), read_bytes(folder_ / "again.gguf"));
    for (const TensorReport& tensor : report.tensors) EXPECT_EQ(tensor.rms_error, 0) << tensor.name;
}

TEST_F(Convert, TheFirstTensorRuleThatMatchesWins) {
    toy_llama(DType::f32).write(folder_);
    ConvertOptions options;
    options.type = DType::q4_0;
    options.tensor_types = {
        {"token_embd", DType::q8_0}, {"blk\\.0\\.ffn_.*", DType::f16}, {"blk\\.0", DType::bf16}};
    const ConvertReport report = convert_to_gguf(folder_.path(), out_, options);
    EXPECT_EQ(report_of(report, "token_embd.weight").to, DType::q8_0);
    EXPECT_EQ(report_of(report, "blk.0.ffn_up.weight").to, DType::f16);
    EXPECT_EQ(report_of(report, "blk.0.attn_q.weight").to, DType::bf16);
    EXPECT_EQ(report_of(report, "blk.1.attn_q.weight").to, DType::q4_0);
    EXPECT_EQ(report_of(report, "blk.0.attn_norm.weight").to, DType::f32);

    options.tensor_types = {{"no_such_tensor", DType::q8_0}};
    expect_error(ErrorKind::usage, {"no_such_tensor"},
                 [&] { convert_to_gguf(folder_.path(), out_, options); });
    options.tensor_types = {{"(", DType::q8_0}};
    expect_error(ErrorKind::usage, {"(", "regular expression"},
                 [&] { convert_to_gguf(folder_.path(), out_, options); });
}

TEST_F(Convert, DryRunWritesNothing) {
    toy_llama(DType::f32).write(folder_);
    ConvertOptions options;
    options.type = DType::q8_0;
    std::size_t calls = 0;
    options.progress = [&](const TensorReport&) { ++calls; };
    options.dry_run = true;
    const ConvertReport dry = convert_to_gguf(folder_.path(), out_, options);
    EXPECT_FALSE(std::filesystem::exists(out_));
    EXPECT_EQ(calls, dry.tensors.size());
    options.dry_run = false;
    const ConvertReport wet = convert_to_gguf(folder_.path(), out_, options);
    EXPECT_EQ(dry.bytes, wet.bytes);
    for (std::size_t i = 0; i < wet.tensors.size(); ++i) {
        EXPECT_EQ(dry.tensors[i].rms_error, wet.tensors[i].rms_error);
    }
}

TEST_F(Convert, NonFiniteWeightsAreNamed) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        ToyModel model = toy_llama(DType::f32);
        model.tensors["model.layers.1.self_attn.q_proj.weight"].values[130] = bad;
        model.write(folder_);
        expect_error(ErrorKind::corrupt,
                     {"model.safetensors", "model.layers.1.self_attn.q_proj.weight", "element 130"},
                     [&] { convert(DType::q8_0); });
        EXPECT_FALSE(std::filesystem::exists(out_));
    }
}

TEST_F(Convert, ValuesTooLargeForF16AreNamed) {
    ToyModel model = toy_gpt2(DType::f32);
    model.tensors["transformer.h.0.mlp.c_fc.weight"].values[5] = 70000;
    model.write(folder_);
    expect_error(ErrorKind::unsupported, {"mlp.c_fc.weight", "element 5:", "70000", "f16"},
                 [&] { convert(DType::f16); });
    EXPECT_NO_THROW(convert(DType::bf16));
}

TEST_F(Convert, IncompleteModelsAreRefused) {
    const ToyModel whole = toy_llama(DType::f32);
    ToyModel model = whole;
    model.tensors.erase("model.layers.1.mlp.up_proj.weight");
    model.write(folder_);
    expect_error(ErrorKind::corrupt, {"layers.1.mlp.up_proj.weight", "missing"}, [&] { convert(); });

    model = whole;
    model.tensors["model.layers.2.mlp.up_proj.weight"] = toy_tensor(DType::f32, {96, 64});
    model.write(folder_);
    expect_error(ErrorKind::corrupt, {"model.layers.2.mlp.up_proj.weight"}, [&] { convert(); });

    model = whole;
    model.tensors["model.norm.weight"] = toy_tensor(DType::f32, {63});
    model.write(folder_);
    expect_error(ErrorKind::corrupt, {"model.norm.weight", "64", "63"}, [&] { convert(); });

    model = whole;
    model.config["model_type"] = "no_such_model";
    model.write(folder_);
    expect_error(ErrorKind::unsupported, {"no_such_model"}, [&] { convert(); });
    EXPECT_FALSE(std::filesystem::exists(out_));
}

TEST_F(Convert, AFailedWriteLeavesTheOldFile) {
    toy_llama(DType::f32).write(folder_);
    convert();
    const std::string before = read_bytes(out_);
    ToyModel model = toy_llama(DType::f32);
    model.tensors["model.norm.weight"].values[3] = std::numeric_limits<float>::quiet_NaN();
    model.write(folder_);
    expect_error(ErrorKind::corrupt, {"model.norm.weight"}, [&] { convert(); });
    EXPECT_EQ(read_bytes(out_), before);
    expect_error(ErrorKind::runtime, {"absent"}, [&] { convert_to_gguf(out_, folder_ / "absent/x.gguf"); });
    expect_error(ErrorKind::not_found, {"absent"}, [&] { convert_to_gguf(folder_ / "absent", out_); });
}

}  // namespace
}  // namespace tinyllm
