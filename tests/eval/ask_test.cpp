// Token rules, metrics and the study's truncation, with a tokenizer of one id per byte.
#include "tools/eval/ask.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tinyllm/error.h"
#include "tools/eval/metrics.h"

namespace tinyllm::eval {
namespace {

constexpr Token kBos = 1000;

// Scores: minus the number of tokens of the continuation; logits: favour what `favourite` says.
Scorer byte_scorer(bool adds_bos, std::int64_t context = 10000) {
    Scorer scorer;
    scorer.encode = [adds_bos](std::string_view text, bool add_special) {
        std::vector<Token> ids;
        if (adds_bos && add_special) ids.push_back(kBos);
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text.substr(i, 3) == "<s>") {
                ids.push_back(kBos);
                i += 2;
            } else {
                ids.push_back(static_cast<unsigned char>(text[i]));
            }
        }
        return ids;
    };
    scorer.loglikelihood = [](std::span<const ScoreRequest> requests) {
        std::vector<std::vector<Score>> scores;
        for (const ScoreRequest& request : requests) {
            scores.emplace_back();
            for (const auto& c : request.continuations)
                scores.back().push_back(
                    {-static_cast<double>(c.size()), static_cast<std::int32_t>(c.size()), c.size() < 4});
        }
        return scores;
    };
    scorer.last_logits = [](const std::vector<Token>& prompt) {
        std::vector<float> logits(1001, 0.0f);
        logits['B'] = static_cast<float>(prompt.size());
        return logits;
    };
    scorer.prefix = kBos;
    scorer.prefix_text = "<s>";
    scorer.context = context;
    return scorer;
}

std::vector<Token> ids(std::string_view text) {
    return {text.begin(), text.end()};
}

TEST(EncodePair, SplitsBehindTheContext) {
    const PairTokens t = encode_pair(byte_scorer(false), {"ab", " c"}, "q");
    EXPECT_EQ(t.context, ids("ab"));
    EXPECT_EQ(t.continuation, ids(" c"));
}

TEST(EncodePair, MovesTrailingWhiteSpace) {
    const PairTokens t = encode_pair(byte_scorer(false), {"ab \n", " c"}, "q");
    EXPECT_EQ(t.context, ids("ab"));
    EXPECT_EQ(t.continuation, ids(" \n c"));
}

TEST(EncodePair, EmptyContextBecomesThePrefix) {
    const PairTokens t = encode_pair(byte_scorer(true), {"", " c"}, "q");
    EXPECT_EQ(t.context, std::vector<Token>{kBos});
    EXPECT_EQ(t.continuation, ids(" c"));
    const PairTokens written = encode_pair(byte_scorer(true), {"", "<s>c"}, "q");
    EXPECT_EQ(written.context, std::vector<Token>{kBos});
    EXPECT_EQ(written.continuation, ids("c"));
    Scorer none = byte_scorer(false);
    none.prefix.reset();
    EXPECT_THROW(encode_pair(none, {"", " c"}, "q"), Error);
}

TEST(EncodePair, WhiteSpaceContextNeedsBos) {
    const PairTokens t = encode_pair(byte_scorer(true), {"  ", " c"}, "q");
    EXPECT_EQ(t.context, std::vector<Token>{kBos});
    EXPECT_EQ(t.continuation, ids("   c"));
    EXPECT_THROW(encode_pair(byte_scorer(false), {"  ", " c"}, "q"), Error);
}

TEST(EncodePair, WrittenBosIsNotDoubled) {
    const PairTokens t = encode_pair(byte_scorer(true), {"<s>ab", " c"}, "q");
    EXPECT_EQ(t.context, (std::vector<Token>{kBos, 'a', 'b'}));
    EXPECT_EQ(t.continuation, ids(" c"));
}

TEST(EncodePair, OfAnEncoderDecoderEncodesEachByItself) {
    Scorer scorer = byte_scorer(true);  // its special token stands for any
    scorer.encoder_decoder = true;
    const PairTokens t = encode_pair(scorer, {"ab \n", " c"}, "q");
    EXPECT_EQ(t.context, (std::vector<Token>{kBos, 'a', 'b'}));
    EXPECT_EQ(t.continuation, ids(" \n c"));
    EXPECT_EQ(encode_pair(scorer, {"<s>ab", "c"}, "q").context, (std::vector<Token>{kBos, 'a', 'b'}));
    EXPECT_EQ(encode_pair(scorer, {"  ", "c"}, "q").context, std::vector<Token>{kBos});
    const PairTokens empty = encode_pair(scorer, {"", "<s>c"}, "q");
    EXPECT_EQ(empty.context, std::vector<Token>{kBos});
    EXPECT_EQ(empty.continuation, ids("c"));
}

Example example(std::vector<std::string> choices, const std::string& context, int gold) {
    Example e;
    set_continuations(e, context, choices);
    e.gold = gold;
    e.prompt = "prompt";
    e.letters = static_cast<int>(choices.size());
    e.prompt_gold = gold;
    return e;
}

TEST(Asker, OfAnEncoderDecoderCountsTheContextAlone) {
    Scorer scorer = byte_scorer(false, 4);
    scorer.encoder_decoder = true;
    const Asker asker(scorer, Protocol::lm_eval);
    EXPECT_EQ(asker.prepare(example({"abcdef"}, "wxyz", 0), "q").cut, 0u);
    EXPECT_EQ(asker.prepare(example({"abcdef", "b"}, "vwxyz", 0), "q").cut, 2u);
}

TEST(Asker, LettersOfAnEncoderDecoderHaveNoSpecialTokens) {
    Scorer scorer = byte_scorer(false);
    scorer.encode = [](std::string_view text, bool add_special) {
        std::vector<Token> tokens = ids(text);
        if (add_special) tokens.push_back(kBos);
        return tokens;
    };
    scorer.encoder_decoder = true;
    const Asker asker(scorer, Protocol::study);
    const Example e = example({"x", "y", "z"}, "c", 1);
    const Prepared p = asker.prepare(e, "q");
    EXPECT_EQ(p.prompt.back(), kBos);
    const Prepared* const prepared = &p;
    const Example* const asked = &e;
    EXPECT_EQ(asker.answer({&prepared, 1}, {&asked, 1}).front().prediction, 1);
}

TEST(Asker, GroupsEqualContextsAndCountsCuts) {
    const Asker asker(byte_scorer(false, 4), Protocol::lm_eval);
    Example e = example({"a", "bcd"}, "xy", 1);
    e.pairs.push_back({"z", " q"});
    e.lengths.push_back(1);
    const Prepared p = asker.prepare(e, "q");
    EXPECT_EQ(p.requests.size(), 2u);
    EXPECT_EQ(p.slots[2], (std::pair<std::size_t, std::size_t>{1, 0}));
    EXPECT_EQ(p.cut, 1u) << "2 + 4 tokens of at most 4 + 1";
}

TEST(Asker, BothAccuraciesAndTies) {
    const Asker asker(byte_scorer(false), Protocol::lm_eval);
    const Example e = example({"aaaaaaaa", "b", "c"}, "x", 1);  // -9, -2, -2; per character -1.125, -2, -2
    const Prepared p = asker.prepare(e, "q");
    const Prepared* one = &p;
    const Example* of = &e;
    const Answer a = asker.answer(std::span(&one, 1), std::span(&of, 1)).front();
    EXPECT_EQ(a.prediction, 1) << "the first of equals";
    EXPECT_EQ(a.prediction_norm, 0);
    EXPECT_EQ(a.scores, (std::vector<double>{-9, -2, -2}));
    EXPECT_EQ(a.greedy, (std::vector<bool>{false, true, true}));
}

TEST(Asker, BatchKeepsOrder) {
    const Asker asker(byte_scorer(false), Protocol::lm_eval);
    std::vector<Example> examples;
    for (int i = 0; i < 5; ++i)
        examples.push_back(example({std::string(static_cast<std::size_t>(i + 1), 'a'), "bb"}, "x", 0));
    std::vector<Prepared> prepared;
    std::vector<const Prepared*> ps;
    std::vector<const Example*> es;
    for (const Example& e : examples) prepared.push_back(asker.prepare(e, "q"));
    for (std::size_t i = 0; i < examples.size(); ++i) {
        ps.push_back(&prepared[i]);
        es.push_back(&examples[i]);
    }
    const auto answers = asker.answer(ps, es);
    for (std::size_t i = 0; i < answers.size(); ++i)
        EXPECT_EQ(answers[i].scores[0], -static_cast<double>(i + 2));
}

TEST(Asker, NotANumberIsAnError) {
    Scorer scorer = byte_scorer(false);
    scorer.last_logits = [](const std::vector<Token>&) { return std::vector<float>(1001, std::nanf("")); };
    const Asker asker(scorer, Protocol::study);
    const Example e = example({"a", "b"}, "x", 1);
    const Prepared p = asker.prepare(e, "q");
    const Prepared* one = &p;
    const Example* of = &e;
    EXPECT_THROW(asker.answer(std::span(&one, 1), std::span(&of, 1)), Error);
}

TEST(Study, LettersAndTruncation) {
    const Asker asker(byte_scorer(true, 300), Protocol::study);
    Example e = example({"a", "b", "c", "d"}, "x", -1);
    e.prompt = std::string(400, 'p');
    e.prompt_gold = -1;
    const Prepared p = asker.prepare(e, "q");
    EXPECT_EQ(p.prompt.size(), 300u);
    EXPECT_EQ(p.prompt.front(), kBos);
    EXPECT_EQ(p.cut, 1u);
    const Prepared* one = &p;
    const Example* of = &e;
    const Answer a = asker.answer(std::span(&one, 1), std::span(&of, 1)).front();
    EXPECT_EQ(a.prediction, 1);
    EXPECT_EQ(a.scores, (std::vector<double>{0, 300, 0, 0}));
    EXPECT_EQ(a.gold, -1) << "never right";
}

TEST(Study, KeepsAnEndTokenWhenCutting) {
    Scorer scorer = byte_scorer(true);
    const auto plain = scorer.encode;
    scorer.encode = [plain](std::string_view text, bool add_special) {
        auto result = plain(text, add_special);
        if (add_special) result.push_back(7);
        return result;
    };
    bool cut = false;
    EXPECT_EQ(encode_truncated(scorer, "abcdef", 5, &cut), (std::vector<Token>{kBos, 'a', 'b', 'c', 7}));
    EXPECT_TRUE(cut);
    EXPECT_EQ(encode_truncated(scorer, "abc", 5, &cut), (std::vector<Token>{kBos, 'a', 'b', 'c', 7}));
    EXPECT_FALSE(cut);
}

TEST(Metrics, MeanAndStandardError) {
    const Mean mean = mean_of({1, 0, 0, 1});
    EXPECT_DOUBLE_EQ(mean.value, 0.5);
    EXPECT_NEAR(*mean.stderr_, std::sqrt(1.0 / 3.0) / 2.0, 1e-15);
    EXPECT_FALSE(mean_of({1}).stderr_.has_value());
}

TEST(Metrics, Percentiles) {
    EXPECT_DOUBLE_EQ(percentile({4, 1, 3, 2}, 0.5), 2.5);
    EXPECT_DOUBLE_EQ(percentile({1, 2, 3, 4, 5}, 0.95), 4.8);
    EXPECT_DOUBLE_EQ(percentile({7}, 0.99), 7);
}

TEST(Metrics, WilsonInterval) {
    const Interval i = wilson(8, 10);  // textbook: 0.4902, 0.9433
    EXPECT_NEAR(i.low, 0.4902, 1e-4);
    EXPECT_NEAR(i.high, 0.9433, 1e-4);
}

TEST(Metrics, ConstantAnswerAndShares) {
    std::vector<Answer> answers(4);
    for (int i = 0; i < 4; ++i) {
        answers[static_cast<std::size_t>(i)].scores = {0, 0};
        answers[static_cast<std::size_t>(i)].prediction = i == 0;
        answers[static_cast<std::size_t>(i)].gold = i == 3 ? -1 : 1;
    }
    const TaskFigures f = figures_of(answers);
    EXPECT_DOUBLE_EQ(f.constant, 0.75);
    EXPECT_EQ(f.constant_choice, 1);
    EXPECT_DOUBLE_EQ(f.predicted[0], 0.75);
    EXPECT_DOUBLE_EQ(f.chance, 0.5);
    EXPECT_DOUBLE_EQ(f.acc.value, 0.25);
}

}  // namespace
}  // namespace tinyllm::eval
