// The stored answers of the reference libraries (make_goldens.py), for every tokenizer in golden/, from the
// folder and from a GGUF file written of it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tinyllm/error.h"
#include "tinyllm/tokenizer.h"
#include "tokenizers/gguf_tokenizer.h"

namespace tinyllm {
namespace {

namespace fs = std::filesystem;

std::string from_hex(const std::string& hex) {
    std::string out;
    if (hex == "-") return out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return out;
}

std::vector<Token> ids_of(const std::string& text) {
    std::istringstream in(text);
    std::vector<Token> ids;
    for (Token id; in >> id;) ids.push_back(id);
    return ids;
}

std::string streamed(const Tokenizer& tokenizer, const std::vector<Token>& ids, DecodeOptions options) {
    StreamDecoder stream(tokenizer, options);
    std::string text;
    for (const Token id : ids) {
        const std::string part = stream.append(id);
        for (std::size_t i = 0; i < part.size();) {  // no half characters
            const auto first = static_cast<unsigned char>(part[i]);
            i += first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
            EXPECT_LE(i, part.size());
        }
        text += part;
    }
    return text + stream.finish();
}

void check(const Tokenizer& tokenizer, const fs::path& cases) {
    std::ifstream in(cases);
    ASSERT_TRUE(in) << cases;
    std::size_t n = 0;
    for (std::string line; std::getline(in, line); ++n) {
        const std::size_t tab = line.find('\t');
        ASSERT_NE(tab, std::string::npos);
        const std::string request = line.substr(2, tab - 2), answer = line.substr(tab + 1);
        const char kind = line[0];
        if (kind == 'e' || kind == 'n' || kind == 'r') {
            EXPECT_EQ(tokenizer.encode(from_hex(request), {kind == 'e', kind != 'r'}), ids_of(answer))
                << line;
        } else {
            const DecodeOptions options{kind == 'k'};
            EXPECT_EQ(tokenizer.decode(ids_of(request), options), from_hex(answer)) << line;
            EXPECT_EQ(streamed(tokenizer, ids_of(request), options), from_hex(answer)) << line;
        }
    }
    EXPECT_GT(n, 50U);
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, Folder) {
    const fs::path folder = fs::path(TINYLLM_TEST_DIR) / "tokenizers/golden" / GetParam();
    check(*Tokenizer::load(folder.string()), folder / "cases.txt");
}

TEST_P(Golden, Gguf) {
    const fs::path folder = fs::path(TINYLLM_TEST_DIR) / "tokenizers/golden" / GetParam();
    const auto original = Tokenizer::load(folder.string());
    GgufWriter writer;
    if (GetParam() == "metaspace") {  // neither bytes nor byte fallback
        EXPECT_THROW(write_gguf_tokenizer(folder.string(), 1000, writer), Error);
        return;
    }
    writer.set_string("general.architecture", "llama");
    write_gguf_tokenizer(folder.string(), original->vocab_size() + 7, writer);
    const std::string path = testing::TempDir() + "tokenizer_" + GetParam() + ".gguf";
    writer.write(path);
    const auto copy = Tokenizer::load(path);
    check(*copy, folder / "cases.txt");
    EXPECT_EQ(copy->bos(), original->bos());
    EXPECT_EQ(copy->eos(), original->eos());
    fs::remove(path);
}

std::vector<std::string> kinds() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(fs::path(TINYLLM_TEST_DIR) / "tokenizers/golden")) {
        names.push_back(entry.path().filename().string());
    }
    return names;
}

INSTANTIATE_TEST_SUITE_P(All, Golden, testing::ValuesIn(kinds()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace tinyllm
