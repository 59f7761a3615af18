// Every way a GGUF file can contradict itself is an error that names the place, and never more than that.
#include "engine/gguf.h"
#include "files/support.h"

namespace tinyllm {
namespace {

struct Tensor {
    std::string name = "t";
    std::vector<std::uint64_t> dims = {4};
    std::uint32_t type = 0;
    std::uint64_t offset = 0;
};

/// A file of these keys (already encoded) and tensors, with `data` bytes of data.
std::string gguf(const std::vector<std::string>& keys, const std::vector<Tensor>& tensors, std::size_t data) {
    std::string out =
        "GGUF" + raw<std::uint32_t>(3) + raw<std::uint64_t>(tensors.size()) + raw<std::uint64_t>(keys.size());
    for (const std::string& key : keys) out += key;
    for (const Tensor& t : tensors) {
        out += gguf_string(t.name) + raw(static_cast<std::uint32_t>(t.dims.size()));
        for (const std::uint64_t dim : t.dims) out += raw(dim);
        out += raw(t.type) + raw(t.offset);
    }
    if (!tensors.empty()) out.resize((out.size() + 31) / 32 * 32 + data);
    return out;
}

std::string key(const std::string& name, std::uint32_t type, const std::string& value) {
    return gguf_string(name) + raw(type) + value;
}

class GgufCorrupt : public testing::Test {
  protected:
    void refuse(ErrorKind kind, std::initializer_list<std::string> words, const std::string& bytes) {
        const std::string path = write_bytes(folder_ / "bad.gguf", bytes);
        expect_error(kind, words, [&] { GgufFile file(path); });
        expect_error(kind, {"bad.gguf"}, [&] { GgufFile file(path); });
    }
    void corrupt(std::initializer_list<std::string> words, const std::string& bytes) {
        refuse(ErrorKind::corrupt, words, bytes);
    }
    TemporaryFolder folder_;
};

TEST_F(GgufCorrupt, EmptyAndForeignFiles) {
    corrupt({"byte 0", "magic"}, "");
    corrupt({"byte 4", "GGUF", "ggjt"}, "ggjt" + std::string(100, '\0'));
    corrupt({"version 1"}, "GGUF" + raw<std::uint32_t>(1) + std::string(16, '\0'));
    corrupt({"version 4"}, "GGUF" + raw<std::uint32_t>(4) + std::string(16, '\0'));
    corrupt({"big-endian"}, "GGUF" + raw<std::uint32_t>(3u << 24) + std::string(16, '\0'));
    expect_error(ErrorKind::not_found, {"absent.gguf", "No such file"},
                 [&] { GgufFile file(folder_ / "absent.gguf"); });
    expect_error(ErrorKind::not_found, {"folder"}, [&] { GgufFile file(folder_.path()); });
}

TEST_F(GgufCorrupt, EveryTruncationIsAnError) {
    const std::string whole = read_bytes(kGolden + "toy.gguf");
    const GgufFile file(kGolden + "toy.gguf");
    const std::span<const std::byte> last = file.tensors().back().data;
    const std::size_t padding = 16;  // q5_1's 48 bytes end so much before the file does
    ASSERT_EQ(last.size() % 32, 32 - padding);
    for (std::size_t n = 0; n < whole.size() - padding; ++n) {
        const std::string path = write_bytes(folder_ / "cut.gguf", whole.substr(0, n));
        try {
            GgufFile cut(path);
            FAIL() << "cut after " << n << " bytes was accepted";
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::corrupt) << n << ": " << error.what();
        }
    }
}

TEST_F(GgufCorrupt, AnyChangedByteIsAnErrorOrAFile) {
    const std::string whole = read_bytes(kGolden + "toy.gguf");
    for (std::size_t i = 0; i < whole.size(); ++i) {
        constexpr int kMasks[] = {0x01, 0x80, 0xff};
        std::string bytes = whole;
        bytes[i] = static_cast<char>(bytes[i] ^ kMasks[i % 3]);
        const std::string path = write_bytes(folder_ / "flip.gguf", bytes);
        try {
            GgufFile flipped(path);
        } catch (const Error&) {
        }
    }
}

TEST_F(GgufCorrupt, Counts) {
    corrupt({"number of tensors", "18446744073709551615"},
            "GGUF" + raw<std::uint32_t>(3) + raw<std::uint64_t>(~0ull) + raw<std::uint64_t>(0));
    corrupt({"number of keys"},
            "GGUF" + raw<std::uint32_t>(3) + raw<std::uint64_t>(0) + raw<std::uint64_t>(1000));
    corrupt({"key a", "hold at most"},
            gguf({key("a", 9, raw<std::uint32_t>(4) + raw<std::uint64_t>(1ull << 62))}, {}, 0));
    corrupt(
        {"key a", "hold at most"},
        gguf({key("a", 9, raw<std::uint32_t>(8) + raw<std::uint64_t>(2) + raw<std::uint64_t>(0))}, {}, 0));
}

TEST_F(GgufCorrupt, Strings) {
    corrupt({"a key", "length"}, gguf({raw<std::uint64_t>(70000) + std::string(70020, 'x')}, {}, 0));
    corrupt({"key a", "18446744073709551615"}, gguf({key("a", 8, raw<std::uint64_t>(~0ull))}, {}, 0));
    corrupt({"key a\\x0a"}, gguf({key("a\n", 8, raw<std::uint64_t>(99))}, {}, 0));
}

TEST_F(GgufCorrupt, Values) {
    corrupt({"key a", "type 13"}, gguf({key("a", 13, raw<std::uint64_t>(0))}, {}, 0));
    corrupt({"key a", "element type 77"},
            gguf({key("a", 9, raw<std::uint32_t>(77) + raw<std::uint64_t>(0))}, {}, 0));
    corrupt({"key a", "arrays of arrays"},
            gguf({key("a", 9, raw<std::uint32_t>(9) + raw<std::uint64_t>(0))}, {}, 0));
    corrupt({"key a", "0 or 1"}, gguf({key("a", 7, "\x02")}, {}, 0));
    corrupt({"key a", "2^63"}, gguf({key("a", 10, raw<std::uint64_t>(~0ull))}, {}, 0));
    corrupt({"key a", "twice"}, gguf({key("a", 7, "\x01"), key("a", 7, "\x01")}, {}, 0));
}

TEST_F(GgufCorrupt, Alignment) {
    corrupt({"general.alignment", "power of two", "0"},
            gguf({key("general.alignment", 4, raw<std::uint32_t>(0))}, {}, 0));
    corrupt({"general.alignment", "24"}, gguf({key("general.alignment", 4, raw<std::uint32_t>(24))}, {}, 0));
    corrupt({"general.alignment", "a string"}, gguf({key("general.alignment", 8, gguf_string("32"))}, {}, 0));
    const auto wide = gguf({key("general.alignment", 4, raw<std::uint32_t>(64))}, {{"t", {4}, 0, 32}}, 256);
    corrupt({"tensor t", "offset 32", "64"}, wide);
}

TEST_F(GgufCorrupt, Tensors) {
    corrupt({"tensor t", "5 dimensions"}, gguf({}, {{"t", {1, 1, 1, 1, 1}}}, 32));
    corrupt({"tensor t", "2^63"}, gguf({}, {{"t", {1ull << 62, 1ull << 62}}}, 32));
    corrupt({"tensor t", "2^63"}, gguf({}, {{"t", {~0ull}}}, 32));
    corrupt({"tensor t", "2^63 bytes"}, gguf({}, {{"t", {1ull << 62}}}, 32));
    corrupt({"tensor t", "rows of 33", "32", "q8_0"}, gguf({}, {{"t", {33, 2}, 8}}, 4096));
    corrupt({"tensor t", "16 bytes", "ends at byte"}, gguf({}, {{"t", {4}}}, 15));
    corrupt({"tensor t", "ends at byte"}, gguf({}, {{"t", {4}, 0, ~31ull}}, 64));
    corrupt({"tensor t", "twice"}, gguf({}, {{"t", {4}}, {"t", {4}, 0, 32}}, 64));
    corrupt({"tensor b", "overlaps tensor a", "64 bytes"}, gguf({}, {{"a", {16}}, {"b", {4}, 0, 32}}, 64));
    corrupt({"tensor q", "ends at byte"}, gguf({}, {{"q", {256}, 16}}, 65));  // a type we do not compute with
}

TEST_F(GgufCorrupt, BlocksOfEveryTypeAreWholeAndThere) {
    for (const DType type : all_dtypes()) {
        const auto id = static_cast<std::uint32_t>(type);
        const std::string name(dtype_name(type));
        const auto block = static_cast<std::uint64_t>(dtype_block(type));
        const std::size_t bytes = row_bytes(type, 3 * dtype_block(type));
        EXPECT_NO_THROW(
            GgufFile(write_bytes(folder_ / "whole.gguf", gguf({}, {{"t", {block, 3}, id}}, bytes))));
        corrupt({"tensor t", std::to_string(bytes), "ends at byte"},
                gguf({}, {{"t", {block, 3}, id}}, bytes - 1));
        if (block == 1) continue;
        const std::uint64_t odd = block + block / 2;
        corrupt({"tensor t", "rows of " + std::to_string(odd), "multiple of " + std::to_string(block), name},
                gguf({}, {{"t", {odd, 2}, id}}, 2 * bytes));
    }
}

TEST_F(GgufCorrupt, SplitModelsAreRefusedByName) {
    refuse(ErrorKind::unsupported, {"2 parts"}, gguf({key("split.count", 2, raw<std::uint16_t>(2))}, {}, 0));
}

TEST_F(GgufCorrupt, TypeNumbersOutsideTheFormatAreRefusedWhenUsed) {
    const GgufFile file(write_bytes(folder_ / "new.gguf", gguf({}, {{"t", {4}, 4000}}, 32)));
    expect_error(ErrorKind::unsupported, {"tensor t", "number 4000"}, [&] { (void)file.find("t"); });
}

}  // namespace
}  // namespace tinyllm
