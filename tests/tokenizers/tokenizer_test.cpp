// What goldens do not show: hand-written matchers against their expressions, long words, bad files, threads.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <thread>

#include "tinyllm/error.h"
#include "tinyllm/tokenizer.h"
#include "tokenizers/pipeline.h"
#include "tokenizers/regex.h"
#include "tokenizers/sentencepiece.h"
#include "tokenizers/split_patterns.h"
#include "tokenizers/tokenizer_spec.h"
#include "tokenizers/utf8.h"

namespace tinyllm {
namespace {

std::shared_ptr<const Tokenizer> from_json(const std::string& json) {
    return build_tokenizer(parse_tokenizer_json(json, "tokenizer.json"), {});
}

ErrorKind kind_of(const std::string& json, std::string& message) {
    try {
        from_json(json);
    } catch (const Error& error) {
        message = error.what();
        return error.kind();
    }
    message = "accepted";
    return ErrorKind::runtime;
}

std::string random_text(std::mt19937& random) {
    static const char* const kParts[] = {"a",  "Z",      "é",    "ſ",  "9",      "²",      "٣",
                                         "'",  "'s",     "'LL",  "'ſ", " ",      "  ",     "\n",
                                         "\r", "\t",     "!",    "漢", "\u00a0", "\u3000", "\u0301",
                                         "😀",  "\u180e", "\x85", ".",  "-",      "_",      "\u200d"};
    std::string text;
    for (int n = static_cast<int>(random() % 24); n > 0; --n) {
        const std::string part = kParts[random() % std::size(kParts)];
        text += part == "\x85" ? std::string("\xC2\x85") : part;
    }
    return text;
}

TEST(Matchers, EqualTheirExpressions) {
    for (const std::string_view pattern :
         {kGpt2Pattern, kLlama3Pattern, kQwen2Pattern, kGgufLlama3Pattern, kGgufQwen2Pattern}) {
        const Matcher matcher = find_matcher(pattern);
        ASSERT_NE(matcher, nullptr);
        const Regex regex(pattern, "test");
        std::mt19937 random(1);
        for (int i = 0; i < 4000; ++i) {
            const std::string text = random_text(random);
            std::vector<std::size_t> want, got;
            regex.each_match(text, [&](std::size_t, std::size_t end) { want.push_back(end); });
            for (std::size_t at = 0; at < text.size();) got.push_back(at = matcher(text, at));
            ASSERT_EQ(got, want) << pattern << "\n" << text;
        }
    }
}

TEST(Regex, Translation) {
    EXPECT_EQ(translate_regex("[a[bc]d]", "t"), "[abcd]");
    EXPECT_EQ(translate_regex("[^]x]", "t"), "[^\\]x]");
    for (const char* const bad : {"[a&&b]", "a{1,2}+", "[a[^b]]", "(?m:a)", "\\b", "a\\"}) {
        EXPECT_THROW(translate_regex(bad, "t"), Error) << bad;
    }
    EXPECT_THROW(Regex("(", "t"), Error);
}

TEST(Bpe, LongWordsTakeTheHeapAndAgree) {
    const auto tokenizer = from_json(
        R"({"model":{"type":"BPE","vocab":{"a":0,"b":1,"aa":2,"aaaa":3,"ab":4},"merges":["a a","aa aa","a b"]}})");
    const auto ids = tokenizer->encode(std::string(1 << 20, 'a'));
    EXPECT_EQ(ids, std::vector<Token>(1 << 18, 3));
    // Up to 40 symbols are merged by scanning, more by a heap: a prefix of tokens must not depend on it.
    const std::string unit = "aabab";
    const auto short_ids = tokenizer->encode(unit + unit);
    std::string many;
    for (int i = 0; i < 40; ++i) many += unit + unit;
    const auto long_ids = tokenizer->encode(many);
    ASSERT_EQ(long_ids.size(), short_ids.size() * 40);
    for (std::size_t i = 0; i < long_ids.size(); ++i) EXPECT_EQ(long_ids[i], short_ids[i % short_ids.size()]);
}

TEST(Unigram, LongTextsAreSettledInPartsAndAgree) {
    const auto tokenizer = from_json(
        R"({"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",-3.125],["b",-2.75],["aa",-4.25],["aba",-5.875],["bab",-6.25],["ba",-5.125]]}})");
    std::mt19937 random(3);
    std::string text, part;
    std::vector<Token> want;
    for (int i = 0; i < 9000; ++i) {  // an unknown character is a border that no piece crosses
        part.clear();
        for (auto n = random() % 12; n > 0; --n) part += random() % 3 ? 'a' : 'b';
        const auto ids = tokenizer->encode(part);
        want.insert(want.end(), ids.begin(), ids.end());
        want.push_back(0);
        text += part + "x";
        if (part.empty() && i > 0) want.pop_back();  // two in a row are one
    }
    EXPECT_EQ(tokenizer->encode(text), want);
    EXPECT_EQ(tokenizer->encode(std::string(1 << 20, 'a')), std::vector<Token>(1 << 19, 3));
}

TEST(Unigram, UnknownCharacters) {
    const std::string head =
        R"({"model":{"type":"Unigram","vocab":[["<unk>",0],["a",-1],["xy",-90],["<0x7A>",0]])";
    EXPECT_EQ(from_json(head + R"(,"unk_id":0}})")->encode("aqqaxyax<unk>"),
              (std::vector<Token>{1, 0, 1, 2, 1, 0}));
    EXPECT_EQ(from_json(head + R"(,"unk_id":0,"byte_fallback":true}})")->encode("zzazqz"),
              (std::vector<Token>{3, 3, 1, 0}));
    const auto without = from_json(head + "}}");
    EXPECT_EQ(without->encode("aa"), (std::vector<Token>{1, 1}));
    EXPECT_THROW(without->encode("ab"), Error);
    std::string message;
    EXPECT_EQ(kind_of(head + R"(,"unk_id":4}})", message), ErrorKind::corrupt);
    EXPECT_EQ(kind_of(R"({"model":{"type":"Unigram","unk_id":0,"vocab":{"a":0}}})", message),
              ErrorKind::corrupt);
    EXPECT_EQ(kind_of(R"({"model":{"type":"Unigram","unk_id":0,"vocab":[["a"]]}})", message),
              ErrorKind::corrupt);
}

TEST(TokenizerJson, RefusesWhatItDoesNotKnow) {
    const std::string model = R"("model":{"type":"BPE","vocab":{"a":0},"merges":[]})";
    std::string message;
    EXPECT_EQ(
        kind_of("{" + model +
                    R"(,"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Fancy"}]}})",
                message),
        ErrorKind::unsupported);
    EXPECT_NE(message.find("normalizer.normalizers[1]"), std::string::npos) << message;
    EXPECT_NE(message.find("Fancy"), std::string::npos) << message;
    EXPECT_EQ(kind_of("{" + model + R"(,"pre_tokenizer":{"type":"UnicodeScripts"}})", message),
              ErrorKind::unsupported);
    EXPECT_EQ(kind_of("{" + model + R"(,"decoder":{"type":"CTC"}})", message), ErrorKind::unsupported);
    EXPECT_EQ(kind_of("{" + model + R"(,"post_processor":{"type":"Other"}})", message),
              ErrorKind::unsupported);
    EXPECT_EQ(kind_of(R"({"model":{"type":"WordPiece","vocab":{}}})", message), ErrorKind::unsupported);
    EXPECT_EQ(kind_of(R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1}})", message),
              ErrorKind::unsupported);
}

TEST(TokenizerJson, RefusesContradictions) {
    std::string message;
    for (const char* const bad : {
             "",
             "{",
             "[]",
             R"({"model":3})",
             R"({"model":{"type":"BPE"}})",
             R"({"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}})",
             R"({"model":{"type":"BPE","vocab":{"a":1e3},"merges":[]}})",
             R"({"model":{"type":"BPE","vocab":{"a":99999999999},"merges":[]}})",
             R"({"model":{"type":"BPE","vocab":{"a":"b"},"merges":[]}})",
             R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}})",
             R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["a"]}})",
             R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[["a"]]}})",
             R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[["a","a","a"]]}})",
         }) {
        EXPECT_EQ(kind_of(bad, message), ErrorKind::corrupt) << bad << ": " << message;
    }
}

TEST(Sentencepiece, RefusesBadFiles) {
    using namespace std::string_literals;
    for (const std::string& bad :
         {""s, "\x0a"s, "\x0a\x05\x0a"s, "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s, "\x0b"s}) {
        EXPECT_THROW(parse_sentencepiece(bad, "tokenizer.model"), Error);
    }
    const SentencepieceModel unigram = parse_sentencepiece("\x0a\x03\x0a\x01\x61"s, "tokenizer.model");
    EXPECT_THROW(build_sentencepiece(unigram, {}, "tokenizer.model"), Error);
}

TEST(Load, MissingFiles) {
    try {
        Tokenizer::load("/nonexistent/model");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::not_found);
    }
}

TEST(Utf8, Repair) {
    EXPECT_EQ(repair_utf8("a\xE2\x82z\xFF\xC0\xAF"), "a\uFFFDz\uFFFD\uFFFD\uFFFD");
    EXPECT_EQ(repair_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
    EXPECT_EQ(open_tail("ab\xF0\x9F\x98"), 3U);
    EXPECT_EQ(open_tail("ab\x80"), 0U);
}

TEST(Tokenizer, ThreadsShareOne) {
    const auto path = std::filesystem::path(TINYLLM_TEST_DIR) / "tokenizers/golden/gpt2";
    const auto tokenizer = Tokenizer::load(path.string());
    std::string text;
    for (int i = 0; i < 200; ++i)
        text += "The water between the house and the mountain, isn't it? " + std::to_string(i);
    const auto want = Tokenizer::load(path.string())->encode(text);
    std::vector<std::thread> threads;
    std::vector<std::vector<Token>> got(4);
    for (auto& ids : got) threads.emplace_back([&] { ids = tokenizer->encode(text); });
    for (auto& thread : threads) thread.join();
    for (const auto& ids : got) EXPECT_EQ(ids, want);
}

}  // namespace
}  // namespace tinyllm
