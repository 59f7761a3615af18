// The flat tables against maps that follow the same rules.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "tinyllm/error.h"
#include "tokenizers/byte_level.h"
#include "tokenizers/merge_table.h"
#include "tokenizers/text_list.h"
#include "tokenizers/vocab.h"

namespace tinyllm {
namespace {

/// Some stand for bytes, some for none; few enough that they come again.
std::string random_spelling(std::mt19937& random) {
    static const char* const kParts[] = {"a", "b", "Ġ", "ł", " ", "▁", "€", "\xC2\xA1"};
    std::string text;
    for (auto n = random() % 4; n > 0; --n) text += kParts[random() % std::size(kParts)];
    return text;
}

struct SlowVocab {
    std::map<std::string, Token> ids;
    std::map<Token, std::string> spellings;

    void add(const std::string& spelling, Token id, bool keep_earlier) {
        const auto known = ids.find(spelling);
        if (known != ids.end() && !keep_earlier && spellings.at(known->second) == spelling)
            spellings.erase(known->second);
        ids[spelling] = id;
        spellings[id] = spelling;
    }
};

TEST(Vocab, IsWhatMapsAre) {
    for (const Vocab::Held held : {Vocab::Held::spellings, Vocab::Held::bytes}) {
        for (unsigned seed = 0; seed < 40; ++seed) {
            const bool counted = seed % 2 == 0, keep_earlier = counted && seed % 4 == 0;
            std::mt19937 random(seed);
            Vocab vocab(held);
            if (seed % 3 == 0) vocab.reserve(100, 100);
            SlowVocab slow;
            Token largest = -1;
            for (Token i = 0; i < 300; ++i) {
                const std::string spelling = random_spelling(random);
                // Ids that count, or any, of which many are given twice: to the entry of a known spelling
                // too.
                const Token id = counted ? i : static_cast<Token>(random() % 500);
                if (!counted && slow.ids.count(spelling) && !slow.spellings.count(slow.ids[spelling]))
                    continue;
                vocab.add(spelling, id, "test", keep_earlier);
                slow.add(spelling, id, keep_earlier);
                largest = std::max(largest, id);
            }
            for (int i = 0; i < 1000; ++i) {
                const std::string spelling = random_spelling(random);
                const auto it = slow.ids.find(spelling);
                const Token want = it == slow.ids.end() ? -1 : it->second;
                EXPECT_EQ(vocab.find(spelling), want) << spelling;
                std::string text;
                if (!vocab.to_text(spelling, text)) continue;
                EXPECT_EQ(vocab.find_text(text), want);
                EXPECT_EQ(vocab.is_text(static_cast<Token>(i), text),
                          want == i && vocab.piece(want) == spelling);
            }
            for (Token id = -2; id < 510; ++id) {
                const auto it = slow.spellings.find(id);
                EXPECT_EQ(vocab.has(id), it != slow.spellings.end()) << id;
                EXPECT_EQ(vocab.piece(id), it == slow.spellings.end() ? "" : it->second) << id;
            }
            EXPECT_EQ(vocab.size(), keep_earlier ? 300 : slow.ids.size());
            EXPECT_EQ(vocab.id_end(), largest + 1);
        }
    }
}

TEST(Vocab, RefusesIdsOutOfRange) {
    Vocab vocab;
    EXPECT_THROW(vocab.add("a", -1, "test"), Error);
    EXPECT_THROW(vocab.add("a", Vocab::kMaxId + 1, "test"), Error);
    EXPECT_EQ(vocab.size(), 0u);
    EXPECT_EQ(vocab.id_end(), 0);
    EXPECT_EQ(vocab.find("a"), -1);
}

TEST(ByteLevel, ComesBackAndRefusesTheRest) {
    std::string bytes, back;
    for (int b = 0; b < 256; ++b) bytes.push_back(static_cast<char>(b));
    ASSERT_TRUE(from_byte_level(to_byte_level(bytes), back));
    EXPECT_EQ(back, bytes);
    for (const char* const none :
         {" ", "\xC2\xA0", "▁", "\xC8\x80", "\xC4", "\xC0\x80", "\xC1\xA1", "a\xC4x", "\xA1"}) {
        EXPECT_FALSE(from_byte_level(none, back)) << none;
        EXPECT_EQ(back, bytes);
    }
}

TEST(MergeTable, TheLastOfEqualPairsCounts) {
    std::mt19937 random(1);
    MergeTable table(5000);
    std::map<std::pair<Token, Token>, std::pair<std::uint32_t, Token>> slow;
    for (std::uint32_t rank = 0; rank < 5000; ++rank) {
        const Token left = static_cast<Token>(random() % 80), right = static_cast<Token>(random() % 80);
        const Token result = static_cast<Token>(random() % 1000);
        table.add(left, right, result);
        slow[{left, right}] = {rank, result};
    }
    for (Token left = 0; left < 85; ++left) {
        for (Token right = 0; right < 85; ++right) {
            const auto it = slow.find({left, right});
            const auto found = table.find(left, right);
            ASSERT_EQ(found.rank, it == slow.end() ? MergeTable::kNone : it->second.first);
            ASSERT_EQ(found.result, it == slow.end() ? -1 : it->second.second);
        }
    }
}

TEST(TextList, JoinsNeighbours) {
    TextList list;
    for (const char* const text : {"", "ab", "", "c", "def"}) ASSERT_TRUE(list.add(text));
    EXPECT_EQ(list.size(), 5u);
    EXPECT_EQ(list[1], "ab");
    EXPECT_EQ(list[2], "");
    EXPECT_EQ(list.join(1, 3), "abc");
    EXPECT_EQ(list.join(0, 4), "abcdef");
    list.clear();
    EXPECT_EQ(list.size() + list.bytes(), 0u);
}

}  // namespace
}  // namespace tinyllm
