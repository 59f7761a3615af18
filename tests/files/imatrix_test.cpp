// Importance matrices: both forms of the file, broken ones, what is recorded, and what quantizing makes of
// them.
#include "tinyllm/imatrix.h"

#include <cmath>

#include "engine/gguf.h"
#include "files/toy_model.h"
#include "tinyllm/convert.h"
#include "tinyllm/model.h"
#include "tinyllm/session.h"

namespace tinyllm {
namespace {

ImportanceMatrix small_matrix() {
    ImportanceMatrix matrix;
    matrix.inputs["blk.0.attn_q.weight"] = {{1.5, 0, 3}, 6};
    matrix.inputs["blk.1.ffn_down.weight"] = {{2, 4}, 6};
    matrix.datasets = {"some text"};
    matrix.chunks = 2;
    matrix.chunk_size = 3;
    return matrix;
}

/// What the tokens 3 1 4 1 5 are multiplied with in the model at `path`.
ImportanceMatrix recorded(const std::string& path, const std::string& device) {
    ImportanceMatrix matrix;
    ModelOptions options;
    options.device = device;
    options.exact = true;
    options.tokenizer = false;
    options.record = &matrix;
    Session session(Model::load(path, options));
    session.prefill(std::vector<Token>{3, 1, 4, 1, 5});
    (void)session.logits();
    return matrix;
}

TEST(Imatrix, BothFormsKeepTheMeans) {
    const TemporaryFolder folder;
    const ImportanceMatrix matrix = small_matrix();
    for (const ImatrixForm form : {ImatrixForm::gguf, ImatrixForm::dat}) {
        write_imatrix(matrix, folder / "m", form);
        const ImportanceMatrix read = read_imatrix(folder / "m");
        ASSERT_EQ(read.inputs.size(), 2u);
        EXPECT_EQ(read.inputs.at("blk.0.attn_q.weight").mean_squares(), (std::vector<float>{0.25f, 0, 0.5f}));
        EXPECT_EQ(read.inputs.at("blk.1.ffn_down.weight").mean_squares(),
                  (std::vector<float>{2.0f / 6, 4.0f / 6}));
        EXPECT_EQ(read.datasets, matrix.datasets);
        EXPECT_EQ(read.chunks, 2);
    }
}

TEST(Imatrix, GgufHoldsLlamaCppsKeys) {
    const TemporaryFolder folder;
    write_imatrix(small_matrix(), folder / "m.gguf");
    const GgufFile file(folder / "m.gguf");
    EXPECT_EQ(file.string("general.type"), "imatrix");
    EXPECT_EQ(file.integer("imatrix.chunk_count"), 2);
    EXPECT_EQ(file.integer("imatrix.chunk_size"), 3);
    EXPECT_EQ(floats(*file.find("blk.0.attn_q.weight.in_sum2")), (std::vector<float>{1.5f, 0, 3}));
    EXPECT_EQ(floats(*file.find("blk.0.attn_q.weight.counts")), (std::vector<float>{6}));
}

TEST(Imatrix, WhatNoRowWentThroughCountsAlike) {
    EXPECT_EQ((InputStatistics{{0, 0}, 0}).mean_squares(), (std::vector<float>{1, 1}));
}

TEST(Imatrix, EveryTruncationIsRefused) {
    const TemporaryFolder folder;
    write_imatrix(small_matrix(), folder / "m", ImatrixForm::dat);
    const std::string whole = read_bytes(folder / "m");
    const std::size_t entries =
        whole.size() - 4 - 4 - std::string("some text").size();  // the oldest files end there
    for (std::size_t n = 0; n < whole.size(); ++n) {
        if (n == entries || n == entries + 4) continue;
        write_bytes(folder / "cut", whole.substr(0, n));
        expect_error(ErrorKind::corrupt, {"cut"}, [&] { read_imatrix(folder / "cut"); });
    }
    write_bytes(folder / "oldest", whole.substr(0, entries));
    EXPECT_EQ(read_imatrix(folder / "oldest").inputs.size(), 2u);
}

TEST(Imatrix, BrokenOnesAreNamed) {
    const TemporaryFolder folder;
    expect_error(ErrorKind::not_found, {"absent"}, [&] { read_imatrix(folder / "absent"); });
    ImportanceMatrix matrix = small_matrix();
    matrix.inputs["blk.0.attn_q.weight"].squares[1] = -1;
    for (const ImatrixForm form : {ImatrixForm::gguf, ImatrixForm::dat}) {
        write_imatrix(matrix, folder / "m", form);
        expect_error(ErrorKind::corrupt, {"blk.0.attn_q.weight", "column 1", "-"},
                     [&] { read_imatrix(folder / "m"); });
    }
    const std::string entry = raw<std::int32_t>(1) + raw<std::int32_t>(1) + "a" + raw<std::int32_t>(1);
    write_bytes(folder / "m", entry + raw<std::int32_t>(-5));
    expect_error(ErrorKind::corrupt, {"-5"}, [&] { read_imatrix(folder / "m"); });
    write_bytes(folder / "m", entry + raw<std::int32_t>(1) + raw(std::nanf("")));
    expect_error(ErrorKind::corrupt, {"nan"}, [&] { read_imatrix(folder / "m"); });
    GgufWriter model;
    model.set_string("general.architecture", "llama");
    model.write(folder / "m");
    expect_error(ErrorKind::corrupt, {"imatrix", "model"}, [&] { read_imatrix(folder / "m"); });
    GgufWriter experts;
    experts.set_string("general.type", "imatrix");
    experts.add_tensor("x.in_sum2", DType::f32, {2, 1}, [] { return std::vector<std::byte>(8); });
    experts.add_tensor("x.counts", DType::f32, {2, 1}, [] { return std::vector<std::byte>(8); });
    experts.write(folder / "m");
    expect_error(ErrorKind::unsupported, {"x", "2", "experts"}, [&] { read_imatrix(folder / "m"); });
}

TEST(Imatrix, RecordsWhatEachWeightIsMultipliedWith) {
    for (const ToyModel& toy : {toy_llama(DType::f32), toy_gpt2(DType::f32)}) {
        const TemporaryFolder folder;
        toy.write(folder);
        const ImportanceMatrix ref = recorded(folder.path(), "ref");
        const ImportanceMatrix cpu = recorded(folder.path(), "cpu");
        ASSERT_EQ(ref.inputs.size(), cpu.inputs.size());
        for (const auto& [name, input] : ref.inputs) {
            const bool head = name == "token_embd.weight";
            const bool used = name != "position_embd.weight";
            EXPECT_EQ(input.rows, head ? 1 : used ? 5 : 0) << name;
            const InputStatistics& other = cpu.inputs.at(name);
            EXPECT_EQ(other.rows, input.rows) << name;
            for (std::size_t i = 0; i < input.squares.size(); ++i) {
                EXPECT_NEAR(other.squares[i], input.squares[i], 1e-4 * (input.squares[i] + 1e-3))
                    << name << " " << i;
                EXPECT_EQ(input.squares[i] > 0, used) << name << " " << i;
            }
        }
        if (ref.inputs.count("blk.0.attn_q.weight")) {
            const auto& q = ref.inputs.at("blk.0.attn_q.weight").squares;
            EXPECT_EQ(q, ref.inputs.at("blk.0.attn_v.weight").squares);
            EXPECT_NE(q, ref.inputs.at("blk.0.ffn_up.weight").squares);
        }
    }
}

TEST(Imatrix, MakesTheColumnsThatMatterMoreAccurate) {
    const TemporaryFolder folder;
    toy_llama(DType::f32, true, 256).write(folder);
    ImportanceMatrix matrix;
    InputStatistics& input = matrix.inputs["blk.0.ffn_up.weight"];
    input.rows = 1;
    for (int i = 0; i < 256; ++i) input.squares.push_back(i % 8 == 0 ? 100 : 0.01);
    write_imatrix(matrix, folder / "m.gguf");
    const std::string out = folder / "out.gguf";
    const auto error = [&](DType type, const std::string& imatrix) {  // over the columns that matter
        ConvertOptions options;
        options.type = type;
        options.imatrix = imatrix;
        const ConvertReport report = convert_to_gguf(folder.path(), out, options);
        EXPECT_EQ(GgufFile(out).find_value("quantize.imatrix.file") != nullptr, !imatrix.empty());
        for (const TensorReport& tensor : report.tensors) {
            EXPECT_EQ(tensor.weighted_error > 0, !imatrix.empty() && tensor.name == "blk.0.ffn_up.weight");
        }
        options.type = DType::f32;
        options.imatrix.clear();
        convert_to_gguf(folder.path(), folder / "f32.gguf", options);
        const GgufFile a(folder / "f32.gguf"), b(out);
        const auto x = floats(*a.find("blk.0.ffn_up.weight")), y = floats(*b.find("blk.0.ffn_up.weight"));
        double sum = 0;
        for (std::size_t i = 0; i < x.size(); i += 8) sum += (x[i] - y[i]) * (x[i] - y[i]);
        return sum;
    };
    for (const DType type :
         {DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::iq4_nl, DType::q2_k, DType::q3_k,
          DType::q4_k, DType::q5_k, DType::q6_k, DType::t3_64, DType::t4_64}) {
        EXPECT_LT(error(type, folder / "m.gguf"), 0.8 * error(type, "")) << dtype_name(type);
    }
}

TEST(Imatrix, OfAnotherModelIsRefused) {
    const TemporaryFolder folder;
    toy_llama(DType::f32).write(folder);
    ImportanceMatrix matrix;
    matrix.inputs["blk.0.ffn_up.weight"] = {{1, 2, 3}, 1};
    write_imatrix(matrix, folder / "m.gguf");
    ConvertOptions options;
    options.type = DType::q4_0;
    options.imatrix = folder / "m.gguf";
    expect_error(ErrorKind::corrupt, {"m.gguf", "blk.0.ffn_up.weight", "3 columns", "64"},
                 [&] { convert_to_gguf(folder.path(), folder / "out.gguf", options); });
}

}  // namespace
}  // namespace tinyllm
