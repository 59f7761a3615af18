// Files of torch.save are read in both forms; whatever asks for more than tensors is refused and nothing is
// run.
#include "engine/torch_pickle.h"

#include "engine/hf_folder.h"
#include "engine/pickle.h"
#include "files/support.h"
#include "kernels/quant.h"

namespace tinyllm {
namespace {

const std::string kTorch = kGolden + "torch/";

float torch_value(std::size_t t, std::size_t i) {
    return static_cast<float>((i + t) % 17) / 4 - 2;
}

void check_torch_golden(const TensorSource& source) {
    ASSERT_EQ(source.tensors().size(), 10u);
    const std::pair<std::string, std::vector<std::int64_t>> plain[] = {
        {"f32", {3, 5}}, {"f16", {2, 3, 4}}, {"bf16", {7}}};
    for (std::size_t t = 0; t < 3; ++t) {
        const TensorView* tensor = source.find(plain[t].first);
        ASSERT_NE(tensor, nullptr);
        EXPECT_EQ(dtype_name(tensor->type), plain[t].first);
        EXPECT_EQ(tensor->shape, plain[t].second);
        const std::vector<float> got = floats(*tensor);
        for (std::size_t i = 0; i < got.size(); ++i)
            EXPECT_EQ(got[i], torch_value(t, i)) << tensor->name << " " << i;
    }
    EXPECT_EQ(floats(*source.find("scalar")), std::vector<float>{0.25f});
    EXPECT_EQ(source.find("empty")->shape, (std::vector<std::int64_t>{0, 4}));
    EXPECT_EQ(floats(*source.find("same")), floats(*source.find("f32")));
    const std::vector<float> row = floats(*source.find("row"));
    ASSERT_EQ(row.size(), 5u);
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(row[i], torch_value(0, 5 + i));
    const TensorView* transposed = source.find("transposed");
    EXPECT_EQ(transposed->shape, (std::vector<std::int64_t>{4, 2, 3}));
    const std::vector<float> values = floats(*transposed);
    for (std::size_t c = 0; c < 4; ++c) {
        for (std::size_t a = 0; a < 2; ++a) {
            for (std::size_t b = 0; b < 3; ++b)
                EXPECT_EQ(values[(c * 2 + a) * 3 + b], torch_value(1, (a * 3 + b) * 4 + c));
        }
    }
    EXPECT_EQ(floats(*source.find("parameter"))[3], torch_value(3, 3));
    expect_error(ErrorKind::unsupported, {"tensor ids", "torch.LongStorage"},
                 [&] { (void)source.find("ids"); });
}

TEST(TorchFile, ReadsTheZipForm) {
    check_torch_golden(*open_torch_file(kTorch + "zip.bin"));
}
TEST(TorchFile, ReadsTheEarlierForm) {
    check_torch_golden(*open_torch_file(kTorch + "legacy.bin"));
}
TEST(TorchFile, ReadsShards) {
    check_torch_golden(*HfFolder(kGolden + "torch").open_tensors());
}

TEST(TorchFile, SafetensorsComeFirst) {
    const TemporaryFolder folder;
    write_bytes(folder / "config.json", "{}");
    std::filesystem::copy(kTorch + "zip.bin", folder / "pytorch_model.bin");
    EXPECT_NE(HfFolder(folder.path()).open_tensors()->find("parameter"), nullptr);
    std::filesystem::copy(kGolden + "single/model.safetensors", folder / "model.safetensors");
    EXPECT_EQ(HfFolder(folder.path()).open_tensors()->find("parameter"), nullptr);
}

TEST(TorchFile, RefusesToRunAnything) {
    for (const std::string form : {"zip", "legacy"}) {
        const std::string path = kTorch + "evil_" + form + ".bin";
        expect_error(ErrorKind::corrupt, {"evil_" + form, "posix.system", "refused"},
                     [&] { (void)open_torch_file(path); });
        EXPECT_FALSE(std::filesystem::exists("/tmp/tinyllm-was-here"));
    }
}

TEST(TorchFile, EveryTruncationIsAnError) {
    const TemporaryFolder folder;
    for (const std::string form : {"zip.bin", "legacy.bin"}) {
        const std::string whole = read_bytes(kTorch + form);
        for (std::size_t n = 0; n < whole.size(); ++n) {
            const std::string path = write_bytes(folder / "cut.bin", whole.substr(0, n));
            expect_error(ErrorKind::corrupt, {"cut.bin"}, [&] { (void)open_torch_file(path); });
        }
    }
}

TEST(TorchFile, AnyChangedByteIsAnErrorOrAFile) {
    const TemporaryFolder folder;
    for (const std::string form : {"zip.bin", "legacy.bin"}) {
        const std::string whole = read_bytes(kTorch + form);
        for (std::size_t i = 0; i < whole.size(); ++i) {
            constexpr int kMasks[] = {0x01, 0x80, 0xff};
            std::string bytes = whole;
            bytes[i] = static_cast<char>(bytes[i] ^ kMasks[i % 3]);
            try {
                const auto file = open_torch_file(write_bytes(folder / "flip.bin", bytes));
                for (const TensorView& tensor : file->tensors()) {
                    if (tensor.unsupported.empty()) (void)floats(tensor);
                }
            } catch (const Error&) {
            }
        }
    }
}

TEST(TorchFile, ForeignFilesAreNamed) {
    const TemporaryFolder folder;
    expect_error(ErrorKind::corrupt, {"x.bin", "torch.save"},
                 [&] { (void)open_torch_file(write_bytes(folder / "x.bin", "hello")); });
    expect_error(ErrorKind::not_found, {"absent.bin"}, [&] { (void)open_torch_file(folder / "absent.bin"); });
}

class Pickle : public testing::Test {
  protected:
    void refuse(std::initializer_list<std::string> words, const std::string& bytes) {
        expect_error(ErrorKind::corrupt, words,
                     [&] { PickleReader("p", std::as_bytes(std::span(bytes))).read(); });
    }
};

TEST_F(Pickle, RefusesWhatWeightsDoNotNeed) {
    refuse({"os.system"}, "cos\nsystem\n.");
    refuse({"builtins.eval"}, "cbuiltins\neval\n.");
    refuse({"builtins.exec"},
           "\x80\x04\x8c\x08"
           "builtins\x8c\x04"
           "exec\x93.");
    refuse({"torch.Size"}, "ctorch\nSize\n.");
    refuse({"class of its own"},
           "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch\nTensor\nctorch\nTensor\n)}tR.");
    refuse({"class of its own"}, "ctorch._tensor\n_rebuild_from_type_v2\n()tR.");
    refuse({"opcode 0x69"}, "(i__main__\nX\n.");  // INST
    refuse({"opcode 0x81"}, ")\x81.");            // NEWOBJ
    refuse({"opcode 0x82"}, "\x82\x01.");         // EXT1
    refuse({"protocol 6"}, "\x80\x06.");
}

TEST_F(Pickle, RefusesNonsense) {
    refuse({"ends after 0"}, "");
    refuse({"stack is empty"}, ".");
    refuse({"stack is empty"}, "N(.");  // what lies below a mark is out of reach
    refuse({"no mark"}, "t.");
    refuse({"never filled"}, "h\x05.");
    refuse({"no list"}, "}Na.");
    refuse({"no dict"}, "]NNs.");
    refuse({"key without value"}, "}(Nu.");
    refuse({"no function"}, "N)R.");
    refuse({"ends after"}, std::string("X\xff\xff\xff\xff", 5) + "abc.");
    refuse({"without end"}, "cos");
    refuse({"number of 9 bytes"},
           "\x8a\x09"
           "123456789.");
    refuse({"more than", "marks"}, std::string(1'500'000, '('));
    refuse({"more than", "values"}, std::string(1'500'000, 'N'));
}

TEST_F(Pickle, ReadsNestedData) {
    // {"a": (1, -1, 2.5, True, None), "b": [300, []]}
    const std::string bytes = "}(X" + raw<std::uint32_t>(1) + "a(K\x01J" + raw<std::int32_t>(-1) +
                              "G\x40\x04" + std::string(6, '\0') + "\x88NtX" + raw<std::uint32_t>(1) +
                              "b](M" + raw<std::uint16_t>(300) + "]eu.";
    PickleReader reader("p", std::as_bytes(std::span(bytes)));
    const auto* dict = reader.read()->as<PickleDict>();
    ASSERT_NE(dict, nullptr);
    EXPECT_EQ(reader.position(), bytes.size());
    const auto& tuple = dict->items.at(0).second->as<PickleTuple>()->items;
    ASSERT_EQ(tuple.size(), 5u);
    EXPECT_EQ(*tuple[0]->as<std::int64_t>(), 1);
    EXPECT_EQ(*tuple[1]->as<std::int64_t>(), -1);
    EXPECT_EQ(*tuple[2]->as<double>(), 2.5);
    EXPECT_TRUE(*tuple[3]->as<bool>());
    const auto& list = dict->items.at(1).second->as<PickleList>()->items;
    EXPECT_EQ(*list.at(0)->as<std::int64_t>(), 300);
}

}  // namespace
}  // namespace tinyllm
