// .safetensors files of the `safetensors` package are read as written; contradictions are named.
#include "engine/safetensors.h"
#include "engine/hf_folder.h"
#include "files/support.h"
#include "kernels/quant.h"

namespace tinyllm {
namespace {

std::string safetensors(const std::string& header, std::size_t data) {
    return raw<std::uint64_t>(header.size()) + header + std::string(data, '\0');
}

void check_golden(const TensorSource& source) {
    ASSERT_EQ(source.tensors().size(), 6u);
    const std::vector<std::string> names = {"f32", "f16", "bf16"};
    const std::vector<std::vector<std::int64_t>> shapes = {{3, 5}, {2, 3, 4}, {7}};
    for (std::size_t t = 0; t < names.size(); ++t) {
        const TensorView* tensor = source.find(names[t]);
        ASSERT_NE(tensor, nullptr);
        EXPECT_EQ(dtype_name(tensor->type), names[t]);
        EXPECT_EQ(tensor->shape, shapes[t]);
        const std::vector<float> got = floats(*tensor);
        for (std::size_t i = 0; i < got.size(); ++i) {
            EXPECT_EQ(got[i], static_cast<float>((i + t) % 17) / 4 - 2) << names[t] << " " << i;
        }
    }
    EXPECT_TRUE(source.find("scalar")->shape.empty());
    EXPECT_EQ(source.find("scalar")->data.size(), 4u);
    EXPECT_EQ(source.find("empty")->data.size(), 0u);
    EXPECT_EQ(source.find("absent"), nullptr);
    expect_error(ErrorKind::unsupported, {"tensor ids", "I64"}, [&] { (void)source.find("ids"); });
}

TEST(Safetensors, ReadsASingleFile) {
    const HfFolder folder(kGolden + "single");
    EXPECT_EQ(folder.config()["hidden_size"], 5);
    EXPECT_EQ(folder.generation_config()["eos_token_id"][1], 2);
    check_golden(*folder.open_tensors());
}

TEST(Safetensors, ReadsShards) {
    const HfFolder folder(kGolden + "sharded");
    EXPECT_TRUE(folder.generation_config().is_null());
    check_golden(*folder.open_tensors());
}

class SafetensorsCorrupt : public testing::Test {
  protected:
    void corrupt(std::initializer_list<std::string> words, const std::string& bytes) {
        const std::string path = write_bytes(folder_ / "bad.safetensors", bytes);
        expect_error(ErrorKind::corrupt, words, [&] { (void)open_safetensors(path); });
        expect_error(ErrorKind::corrupt, {"bad.safetensors"}, [&] { (void)open_safetensors(path); });
    }
    /// One tensor "t" with this description.
    void corrupt_entry(std::initializer_list<std::string> words, const std::string& entry, std::size_t data) {
        corrupt({"tensor t"}, safetensors("{\"t\":" + entry + "}", data));
        corrupt(words, safetensors("{\"t\":" + entry + "}", data));
    }
    TemporaryFolder folder_;
};

TEST_F(SafetensorsCorrupt, Headers) {
    corrupt({"8 bytes", "0 bytes"}, "");
    corrupt({"byte 0", "18446744073709551615"}, raw<std::uint64_t>(~0ull) + "{}");
    corrupt({"byte 0", "header of 3 bytes", "at most 2"}, raw<std::uint64_t>(3) + "{}");
    corrupt({"byte 8", "'{'"}, safetensors("[]", 0));
    corrupt({"byte 8"}, safetensors("", 0));
    corrupt({"header", "byte 2"}, safetensors("{]", 0));
    corrupt(
        {"\"t\" stands"},
        safetensors(
            R"({"t":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"t":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
            4));
    corrupt({"64 levels"}, safetensors("{\"t\":" + std::string(70, '[') + std::string(70, ']') + "}", 0));
}

TEST_F(SafetensorsCorrupt, Entries) {
    corrupt_entry({"dtype"}, "3", 0);
    corrupt_entry({"dtype"}, R"({"shape":[1],"data_offsets":[0,4]})", 4);
    corrupt_entry({"shape", "nothing"}, R"({"dtype":"F32","data_offsets":[0,4]})", 4);
    corrupt_entry({"a size", "-1"}, R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})", 4);
    corrupt_entry({"a size", "1.5"}, R"({"dtype":"F32","shape":[1.5],"data_offsets":[0,4]})", 4);
    corrupt_entry({"a size", "18446744073709551615"},
                  R"({"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]})", 4);
    corrupt_entry({"data_offsets", "two offsets"}, R"({"dtype":"F32","shape":[1],"data_offsets":[0]})", 4);
    corrupt_entry({"4..0"}, R"({"dtype":"F32","shape":[0],"data_offsets":[4,0]})", 4);
    corrupt_entry({"0..4", "3 bytes"}, R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})", 3);
    corrupt_entry({"[3] of F32 takes 12", "hold 8"}, R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})",
                  8);
    corrupt_entry({"more than 2^63"},
                  R"({"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]})", 8);
    corrupt_entry({"at most 8 sizes"}, R"({"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]})",
                  4);
}

TEST_F(SafetensorsCorrupt, HolesOverlapsAndLeftovers) {
    const std::string a = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
    corrupt({"tensor b", "byte 8", "byte 4"},
            safetensors("{" + a + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})", 12));
    corrupt({"tensor b", "byte 0", "byte 4"},
            safetensors("{" + a + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4));
    corrupt({"take 4 bytes", "holds 5"}, safetensors("{" + a + "}", 5));
}

TEST_F(SafetensorsCorrupt, EveryTruncationIsAnError) {
    const std::string whole = read_bytes(kGolden + "single/model.safetensors");
    for (std::size_t n = 0; n < whole.size(); ++n) {
        const std::string path = write_bytes(folder_ / "cut.safetensors", whole.substr(0, n));
        expect_error(ErrorKind::corrupt, {"cut.safetensors"}, [&] { (void)open_safetensors(path); });
    }
}

TEST_F(SafetensorsCorrupt, AnyChangedByteIsAnErrorOrAFile) {
    const std::string whole = read_bytes(kGolden + "single/model.safetensors");
    for (std::size_t i = 0; i < whole.size(); ++i) {
        std::string bytes = whole;
        bytes[i] = static_cast<char>(bytes[i] ^ 1);
        try {
            (void)open_safetensors(write_bytes(folder_ / "flip.safetensors", bytes));
        } catch (const Error&) {
        }
    }
}

class Shards : public testing::Test {
  protected:
    void SetUp() override {
        std::filesystem::copy(kGolden + "sharded", folder_.path(), std::filesystem::copy_options::recursive);
    }
    void index(const std::string& text) { write_bytes(folder_ / "model.safetensors.index.json", text); }
    void refuse(ErrorKind kind, std::initializer_list<std::string> words) {
        expect_error(kind, words, [&] { (void)HfFolder(folder_.path()).open_tensors(); });
    }
    TemporaryFolder folder_;
};

TEST_F(Shards, AMissingShardIsNamed) {
    std::filesystem::remove(folder_ / "model-00002-of-00002.safetensors");
    refuse(ErrorKind::not_found, {"model-00002-of-00002.safetensors", "index.json"});
}

TEST_F(Shards, NamesThatLeaveTheFolderAreRefused) {
    for (const char* name : {"../x", "/etc/passwd", "..", "", "a\\\\b", "x\\u0000y"}) {
        index("{\"weight_map\":{\"f32\":\"" + std::string(name) + "\"}}");
        refuse(ErrorKind::corrupt, {"index.json", "in this folder"});
    }
}

TEST_F(Shards, TheMapMustAgreeWithTheShards) {
    index(R"({"weight_map":{"f32":"model-00001-of-00002.safetensors"}})");
    refuse(ErrorKind::corrupt, {"tensor f16", "no file"});
    index(
        R"({"weight_map":{"f32":"model-00001-of-00002.safetensors","f16":"model-00001-of-00002.safetensors","x":"model-00001-of-00002.safetensors"}})");
    refuse(ErrorKind::corrupt, {"tensor x", "is not in model-00001"});
    index(R"({"weight_map":{"f32":7}})");
    refuse(ErrorKind::corrupt, {"tensor f32", "file name"});
    index(R"({"weight_map":[]})");
    refuse(ErrorKind::corrupt, {"weight_map"});
}

TEST(HfFolder, SaysWhatIsMissing) {
    const TemporaryFolder folder;
    expect_error(ErrorKind::not_found, {"absent", "no such model folder"},
                 [&] { HfFolder x(folder / "absent"); });
    expect_error(ErrorKind::not_found, {"config.json"}, [&] { HfFolder x(folder.path()); });
    write_bytes(folder / "config.json", "[]");
    expect_error(ErrorKind::corrupt, {"config.json", "object", "array"}, [&] { HfFolder x(folder.path()); });
    write_bytes(folder / "config.json", "{}");
    expect_error(ErrorKind::not_found, {"model.safetensors"},
                 [&] { (void)HfFolder(folder.path()).open_tensors(); });
}

TEST(JsonFile, NamesFileAndByte) {
    const TemporaryFolder folder;
    const auto refuse = [&](std::initializer_list<std::string> words, const std::string& text) {
        const std::string path = write_bytes(folder / "x.json", text);
        expect_error(ErrorKind::corrupt, words, [&] { (void)read_json_file(path); });
    };
    refuse({"x.json", "byte 1"}, "");
    refuse({"x.json", "byte 6"}, "{\"a\":}");
    refuse({"x.json", "byte 4", "expected end of input"}, "{} x");
    refuse({"byte 2", "UTF-8"}, "\"\xff\"");
    refuse({"\"a\" stands twice"}, R"({"b":{"a":1,"a":[]}})");
    refuse({"64 levels"}, std::string(100000, '['));
    const std::string deep = std::string(64, '[') + std::string(64, ']');
    EXPECT_EQ(read_json_file(write_bytes(folder / "x.json", deep)), nlohmann::json::parse(deep));
}

TEST(JsonFile, BuildsWhatTheLibraryBuilds) {
    const std::string text =
        R"( {"a":[1,-2,3.5,1e300,null,true,false,"x\u00e9\n",{}],"b":{"c":{"d":[[],[[]]]}},"e":18446744073709551615} )";
    const TemporaryFolder folder;
    EXPECT_EQ(read_json_file(write_bytes(folder / "x.json", text)), nlohmann::json::parse(text));
    EXPECT_EQ(read_json_file(write_bytes(folder / "x.json", "3")), 3);
}

}  // namespace
}  // namespace tinyllm
