// Encoder-decoders against what transformers computes in fp32; models made by make_t5_goldens.py.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <mutex>

#include "engine/decoder.h"
#include "golden/golden_models.h"
#include "tinyllm/tinyllm.h"

namespace tinyllm {
namespace {

namespace fs = std::filesystem;
using Tokens = std::vector<Token>;
using Logits = std::vector<std::vector<float>>;
using test::kTolerance;

class EncoderDecoder : public testing::TestWithParam<std::tuple<std::string, std::string>> {
  protected:
    EncoderDecoder()
        : folder_(test::golden_models() + "/" + std::get<0>(GetParam())),
          expected_(test::golden_expected(std::get<0>(GetParam()))),
          context_(expected_["encoder"].get<Tokens>()),
          text_(expected_["prompt"].get<Tokens>()) {}

    std::shared_ptr<const Model> load(ModelOptions options) const {
        options.device = std::get<1>(GetParam());
        options.tokenizer = false;
        return Model::load(folder_, options);
    }
    std::shared_ptr<const Model> load() const { return load(exact()); }
    static ModelOptions exact(int threads = 0) {
        ModelOptions options;
        options.exact = true;
        options.threads = threads;
        return options;
    }

    /// The logits behind the context and behind every token of the text, one step each.
    Logits step_by_step(const std::shared_ptr<const Model>& model) const {
        Session session(model);
        session.prefill(context_);
        Logits rows = {{session.logits().begin(), session.logits().end()}};
        for (const Token token : text_) {
            session.prefill({&token, 1});
            rows.emplace_back(session.logits().begin(), session.logits().end());
        }
        return rows;
    }

    std::vector<ScoreRequest> requests() const {
        std::vector<ScoreRequest> out;
        for (const auto& request : expected_["requests"]) {
            out.push_back(
                {request["context"].get<Tokens>(), request["continuations"].get<std::vector<Tokens>>()});
        }
        return out;
    }

    /// A file of its own for this test.
    fs::path temporary() const {
        return fs::temp_directory_path() /
               ("tinyllm-" + std::get<0>(GetParam()) + "-" + std::get<1>(GetParam()) + "-" +
                std::to_string(::getpid()) + ".gguf");
    }

    std::string folder_;
    nlohmann::json expected_;
    Tokens context_, text_;
};

std::vector<float> logits_of(Session& session) {
    return {session.logits().begin(), session.logits().end()};
}

SessionOptions with_chunk(std::int32_t chunk) {
    SessionOptions options;
    options.chunk = chunk;
    return options;
}

/// `expected` holds the last rows.
void expect_near(const nlohmann::json& expected, const Logits& found) {
    const auto wanted = expected.get<Logits>();
    ASSERT_LE(wanted.size(), found.size());
    const std::size_t skipped = found.size() - wanted.size();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        ASSERT_EQ(wanted[i].size(), found[i + skipped].size());
        for (std::size_t v = 0; v < wanted[i].size(); ++v)
            ASSERT_NEAR(wanted[i][v], found[i + skipped][v], kTolerance)
                << "row " << i + skipped << ", " << v;
    }
}

TEST_P(EncoderDecoder, EncoderOutput) {
    const auto model = load();
    const std::lock_guard lock(model->backend().mutex());
    Decoder decoder(model->network(), model->backend(), DType::f32, DType::f32);
    Sequence encoded(decoder.pool());
    const Job job{&encoded, context_};
    decoder.encode({&job, 1}, 1);
    EXPECT_EQ(encoded.length(), std::ssize(context_));
    Logits rows;
    for (std::int32_t i = 0; i < std::ssize(context_); ++i) {
        auto& row = rows.emplace_back(static_cast<std::size_t>(model->info().dim));
        model->backend().read(row.data(), decoder.hidden(i), row.size() * sizeof(float));
    }
    expect_near(expected_["encoded"], rows);
}

TEST_P(EncoderDecoder, LogitsOfEveryPosition) {
    const auto model = load();
    EXPECT_TRUE(model->info().encoder_decoder);
    expect_near(expected_["logits"], step_by_step(model));
}

TEST_P(EncoderDecoder, PrefillInAnyChunksEqualsSteps) {
    const auto model = load();
    const auto steps = step_by_step(model);
    for (const std::int32_t chunk : {512, 7, 1}) {
        Session session(model, with_chunk(chunk));
        EXPECT_EQ(session.position(), 0);
        session.prefill(context_);
        EXPECT_EQ(session.position(), 1);
        EXPECT_EQ(logits_of(session), steps.front());
        session.prefill(text_);
        EXPECT_EQ(session.position(), std::ssize(text_) + 1);
        EXPECT_EQ(logits_of(session), steps.back()) << "chunk " << chunk;
    }
}

TEST_P(EncoderDecoder, GreedyText) {
    Session session(load());
    session.prefill(context_);
    const Tokens expected = expected_["greedy"].get<Tokens>();
    EXPECT_EQ(session.generate({.max_tokens = std::ssize(expected), .sampler = {}, .ignore_eos = true}),
              expected);
}

TEST_P(EncoderDecoder, LogLikelihoods) {
    Session session(load());
    const auto scores = session.loglikelihood(requests());
    for (std::size_t r = 0; r < scores.size(); ++r) {
        const auto& expected = expected_["requests"][r]["scores"];
        ASSERT_EQ(scores[r].size(), expected.size());
        for (std::size_t i = 0; i < scores[r].size(); ++i) {
            const double logprob = expected[i]["logprob"];
            EXPECT_NEAR(scores[r][i].logprob, logprob, kTolerance + 1e-5 * std::abs(logprob))
                << r << " " << i;
            EXPECT_EQ(scores[r][i].is_greedy, expected[i]["is_greedy"].get<bool>()) << r << " " << i;
        }
    }
    EXPECT_EQ(session.position(), 0);
}

TEST_P(EncoderDecoder, ScoresAreTheSameAloneAndInAnyBatch) {
    const auto model = load();
    const auto together = Session(model).loglikelihood(requests());
    for (const std::int32_t chunk : {512, 3}) {
        Session other(model, with_chunk(chunk));
        for (std::size_t r = 0; r < together.size(); ++r) {
            const ScoreRequest whole = requests()[r];
            for (std::size_t i = 0; i < whole.continuations.size(); ++i) {
                const ScoreRequest one{whole.context, {whole.continuations[i]}};
                EXPECT_EQ(other.loglikelihood({&one, 1})[0][0].logprob, together[r][i].logprob)
                    << r << " " << i;
            }
        }
    }
}

TEST_P(EncoderDecoder, TargetLogprobsAgreeWithLogits) {
    const auto model = load();
    const auto steps = step_by_step(model);
    for (const std::int32_t chunk : {512, 6}) {
        std::vector<float> last;
        const auto found = Session(model, with_chunk(chunk)).target_logprobs(context_, text_, &last);
        ASSERT_EQ(found.size(), text_.size());
        EXPECT_EQ(last, steps[text_.size() - 1]);
        for (std::size_t i = 0; i < found.size(); ++i) {
            const double best = *std::ranges::max_element(steps[i]);
            double total = 0;
            for (const float logit : steps[i]) total += std::exp(logit - best);
            EXPECT_NEAR(found[i], steps[i][static_cast<std::size_t>(text_[i])] - best - std::log(total), 1e-5)
                << i;
        }
    }
}

TEST_P(EncoderDecoder, ForkAndTruncate) {
    const auto model = load();
    const auto steps = step_by_step(model);
    const std::span<const Token> all = text_;
    for (const std::size_t cut : {std::size_t{0}, text_.size() / 2, text_.size() - 1}) {
        Session session(model);
        session.prefill(context_);
        session.prefill(all.first(cut));
        Session fork = session.fork();
        // Both write behind the cut, each its own, and read the same context.
        const Tokens other(text_.rbegin(), text_.rend() - static_cast<std::ptrdiff_t>(cut));
        fork.prefill(other);
        session.prefill(all.subspan(cut));
        EXPECT_EQ(logits_of(session), steps.back()) << "cut " << cut;
        fork.truncate(static_cast<std::int64_t>(cut) + 1);
        // What one of them forgets the other keeps.
        session.truncate(0);
        session.prefill(all.first(1));
        fork.prefill(all.subspan(cut));
        EXPECT_EQ(logits_of(fork), steps.back()) << "cut " << cut;
        session.truncate(0);
        session.prefill(context_);
        EXPECT_EQ(logits_of(session), steps.front());
    }
}

TEST_P(EncoderDecoder, SessionsDecodeTogetherAsAlone) {
    const auto model = load();
    const std::vector<Tokens> contexts = {context_, {3}, Tokens(context_.rbegin(), context_.rend())};
    std::vector<Session> sessions;
    std::vector<Session> alone;
    for (const Tokens& context : contexts) {
        sessions.emplace_back(model).prefill(context);
        alone.emplace_back(model).prefill(context);
    }
    const auto last = Session(model).last_logits(contexts);
    std::vector<Session*> pointers;
    for (std::size_t i = 0; i < sessions.size(); ++i) {
        pointers.push_back(&sessions[i]);
        EXPECT_EQ(last[i], logits_of(alone[i])) << i;
    }
    for (std::size_t step = 0; step < 3; ++step) {
        const Tokens tokens = {text_[step], text_[step + 1], text_[step + 2]};
        Session::decode_batch(pointers, tokens);
        for (std::size_t i = 0; i < sessions.size(); ++i) {
            alone[i].prefill({&tokens[i], 1});
            EXPECT_EQ(logits_of(sessions[i]), logits_of(alone[i])) << i;
        }
    }
}

TEST_P(EncoderDecoder, AsGgufTheLogitsAreTheSame) {
    const fs::path file = temporary();
    convert_to_gguf(folder_, file);
    ModelOptions options = exact();
    options.device = std::get<1>(GetParam());
    options.tokenizer = false;
    const auto found = step_by_step(Model::load(file, options));
    fs::remove(file);
    EXPECT_EQ(found, step_by_step(load()));
}

TEST_P(EncoderDecoder, RoundedAtLoadEqualsRoundedInTheFile) {
    for (const DType type : {DType::f16, DType::q8_0}) {
        const fs::path file = temporary();
        ConvertOptions rounding;
        rounding.type = type;
        convert_to_gguf(folder_, file, rounding);
        ModelOptions options = exact();
        options.device = std::get<1>(GetParam());
        options.tokenizer = false;
        const auto found = step_by_step(Model::load(file, options));
        fs::remove(file);
        options.type = type;
        EXPECT_EQ(found, step_by_step(load(options))) << dtype_name(type);
    }
}

TEST_P(EncoderDecoder, OneThreadEqualsMany) {
    EXPECT_EQ(step_by_step(load(exact(1))), step_by_step(load(exact(3))));
    ModelOptions one, three;
    one.threads = 1;
    three.threads = 3;
    EXPECT_EQ(step_by_step(load(one)), step_by_step(load(three)));
}

TEST_P(EncoderDecoder, RefusesWhatItCannotRead) {
    const auto model = load();
    Session session(model);
    EXPECT_THROW(session.token_logprobs(text_), Error);
    EXPECT_THROW(session.logits(), Error);
    EXPECT_THROW(session.prefill(Tokens(static_cast<std::size_t>(session.context()) + 1, 2)), Error);
    EXPECT_THROW(session.prefill(Tokens{static_cast<Token>(model->info().vocab_size)}), Error);
    EXPECT_THROW(session.target_logprobs({}, text_), Error);
    EXPECT_THROW(session.target_logprobs(context_, {}), Error);
    Session* const one = &session;
    EXPECT_THROW(Session::decode_batch({&one, 1}, {text_.data(), 1}), Error);
    // Relative positions have no end: a longer context can be asked for.
    SessionOptions longer;
    longer.context = session.context() + 50;
    const Tokens many(static_cast<std::size_t>(longer.context), 2);
    EXPECT_EQ(Session(model, longer).target_logprobs(many, many).size(), many.size());
}

INSTANTIATE_TEST_SUITE_P(Models, EncoderDecoder,
                         testing::Combine(testing::ValuesIn(test::golden_cases(true)),
                                          testing::ValuesIn(test::golden_devices())),
                         test::golden_name);
// Folders of a script may hold none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EncoderDecoder);

}  // namespace
}  // namespace tinyllm
