// GGUF files of the `gguf` package are read as written; our own come back byte for byte.
#include "engine/gguf.h"

#include "files/support.h"
#include "kernels/quant.h"

namespace tinyllm {
namespace {

/// What make_goldens.py stored as element i of tensor t.
float gguf_value(int t, std::size_t i) {
    return static_cast<float>((static_cast<int>(i) + t) % 17 - 8) / 4;
}

std::vector<std::string_view> values(const GgufStrings& array) {
    return {array.begin(), array.end()};
}

template <typename T>
std::vector<T> values(const GgufNumbers<T>& array) {
    std::vector<T> all;
    for (std::size_t i = 0; i < array.size(); ++i) all.push_back(array[i]);
    return all;
}

TEST(Gguf, ReadsEveryValueType) {
    const GgufFile file(kGolden + "toy.gguf");
    EXPECT_EQ(file.version(), 3u);
    EXPECT_EQ(file.string("general.architecture"), "toy");
    EXPECT_EQ(file.integer("k.u8"), 200);
    EXPECT_EQ(file.integer("k.i8"), -100);
    EXPECT_EQ(file.integer("k.u16"), 60000);
    EXPECT_EQ(file.integer("k.i16"), -30000);
    EXPECT_EQ(file.integer("k.u32"), 4000000000);
    EXPECT_EQ(file.integer("k.i32"), -2000000000);
    EXPECT_EQ(file.integer("k.u64"), std::int64_t{1} << 62);
    EXPECT_EQ(file.integer("k.i64"), -(std::int64_t{1} << 62));
    EXPECT_EQ(file.number("k.f32"), 0.25);
    EXPECT_EQ(file.number("k.f64"), 1e-300);
    EXPECT_EQ(file.number("k.u8"), 200.0);
    EXPECT_TRUE(file.boolean("k.bool"));
    EXPECT_EQ(file.string("k.string"), "grüße\n");
    EXPECT_EQ(values(*file.strings("k.strings")), (std::vector<std::string_view>{"", "a", "Ġthe", "▁x"}));
    EXPECT_EQ(values(*file.integers("k.ints")), (std::vector<std::int64_t>{3, -1, 2}));
    EXPECT_EQ(values(*file.numbers("k.floats")), (std::vector<double>{0.5, -1000}));
}

TEST(Gguf, AbsentKeysAndWrongTypes) {
    const GgufFile file(kGolden + "toy.gguf");
    EXPECT_EQ(file.find_value("absent"), nullptr);
    EXPECT_EQ(file.strings("absent"), nullptr);
    EXPECT_EQ(file.integer("absent", 7), 7);
    EXPECT_EQ(file.string("absent", "x"), "x");
    expect_error(ErrorKind::corrupt, {"toy.gguf", "absent", "an integer", "nothing"},
                 [&] { (void)file.integer("absent"); });
    expect_error(ErrorKind::corrupt, {"k.string", "an integer", "a string"},
                 [&] { (void)file.integer("k.string", 3); });
    expect_error(ErrorKind::corrupt, {"k.u8", "a bool"}, [&] { (void)file.boolean("k.u8"); });
    expect_error(ErrorKind::corrupt, {"k.ints", "strings", "integers"},
                 [&] { (void)file.strings("k.ints"); });
}

TEST(Gguf, ReadsTensors) {
    const GgufFile file(kGolden + "toy.gguf");
    ASSERT_EQ(file.tensors().size(), 6u);
    const std::vector<std::vector<std::int64_t>> shapes = {{3, 5}, {2, 3, 4}, {7}, {4, 64}, {2, 32}, {2, 32}};
    for (int t = 0; t < 6; ++t) {
        const TensorView& tensor = file.tensors()[static_cast<std::size_t>(t)];
        EXPECT_EQ(dtype_name(tensor.type), tensor.name);
        EXPECT_EQ(tensor.shape, shapes[static_cast<std::size_t>(t)]);
        const std::vector<float> got = floats(tensor);
        const float tolerance = tensor.type == DType::q8_0   ? 0.01f
                                : tensor.type == DType::q5_1 ? 0.1f
                                : tensor.type == DType::q4_0 ? 0.3f
                                                             : 0;
        for (std::size_t i = 0; i < got.size(); ++i) {
            EXPECT_NEAR(got[i], gguf_value(t, i), tolerance) << tensor.name << " " << i;
        }
    }
}

TEST(Gguf, UnknownTypeIsRefusedOnlyWhenUsed) {
    const TemporaryFolder folder;
    std::string bytes = read_bytes(kGolden + "toy.gguf");
    const std::size_t type = bytes.find(gguf_string("q5_1")) + 8 + 4 + 4 + 2 * 8;  // name, dimensions
    ASSERT_EQ(bytes.substr(type, 4), raw<std::uint32_t>(7));
    bytes.replace(type, 4, raw<std::uint32_t>(39));
    const GgufFile file(write_bytes(folder / "toy.gguf", bytes));
    EXPECT_EQ(file.tensors()[5].name, "q5_1");
    EXPECT_EQ(file.find("absent"), nullptr);
    EXPECT_NE(file.find("f16"), nullptr);
    expect_error(ErrorKind::unsupported, {"toy.gguf", "tensor q5_1", "type mxfp4", "q8_0", "iq4_nl"},
                 [&] { (void)file.find("q5_1"); });
}

TEST(Gguf, VersionTwoReadsAlike) {
    const TemporaryFolder folder;
    std::string bytes = read_bytes(kGolden + "toy.gguf");
    bytes[4] = 2;
    const GgufFile file(write_bytes(folder / "v2.gguf", bytes));
    EXPECT_EQ(file.version(), 2u);
    EXPECT_EQ(file.tensors().size(), 6u);
}

TEST(GgufWriter, CopyKeepsEveryStoredByte) {
    const TemporaryFolder folder;
    const GgufFile from(kGolden + "toy.gguf");
    GgufWriter writer;
    for (const auto& [key, value] : from.metadata()) writer.copy(from, key);
    for (const TensorView& tensor : from.tensors().first(5)) {
        writer.add_tensor(tensor.name, tensor.type, tensor.shape, [&tensor] {
            return std::vector<std::byte>(tensor.data.begin(), tensor.data.end());
        });
    }
    const std::int64_t bytes = writer.write(folder / "copy.gguf");
    EXPECT_EQ(static_cast<std::uintmax_t>(bytes), std::filesystem::file_size(folder / "copy.gguf"));

    const GgufFile copy(folder / "copy.gguf");
    for (const auto& [key, value] : from.metadata()) {
        const auto a = from.encoded(key), b = copy.encoded(key);
        EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << key;
    }
    ASSERT_EQ(copy.tensors().size(), 5u);
    for (std::size_t i = 0; i < 5; ++i) {
        const TensorView &a = from.tensors()[i], &b = copy.tensors()[i];
        EXPECT_EQ(a.name, b.name);
        EXPECT_EQ(a.shape, b.shape);
        EXPECT_TRUE(std::equal(a.data.begin(), a.data.end(), b.data.begin(), b.data.end())) << a.name;
    }
}

TEST(GgufWriter, SettersRoundTripAndTheLastSetWins) {
    const TemporaryFolder folder;
    GgufWriter writer;
    writer.set_u32("u32", 1);
    writer.set_u32("u32", 4000000000);
    writer.set_i32("i32", -5);
    writer.set_u64("u64", 1ull << 40);
    writer.set_f32("f32", 1.5f);
    writer.set_bool("bool", false);
    writer.set_string("string", std::string("a\0b", 3));
    writer.set_strings("strings", {"x", ""});
    writer.set_i32s("i32s", {1, -2});
    writer.set_f32s("f32s", {});
    writer.write(folder / "a.gguf");
    const GgufFile file(folder / "a.gguf");
    EXPECT_EQ(file.metadata().size(), 9u);
    EXPECT_EQ(file.integer("u32"), 4000000000);
    EXPECT_EQ(file.integer("i32"), -5);
    EXPECT_EQ(file.integer("u64"), std::int64_t{1} << 40);
    EXPECT_EQ(file.number("f32"), 1.5);
    EXPECT_FALSE(file.boolean("bool"));
    EXPECT_EQ(file.string("string"), std::string("a\0b", 3));
    EXPECT_EQ(values(*file.strings("strings")), (std::vector<std::string_view>{"x", ""}));
    EXPECT_EQ(values(*file.integers("i32s")), (std::vector<std::int64_t>{1, -2}));
    EXPECT_TRUE(file.numbers("f32s")->empty());
    EXPECT_TRUE(file.tensors().empty());
}

}  // namespace
}  // namespace tinyllm
