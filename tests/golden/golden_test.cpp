// Small random models against what transformers computes in fp32: models/ holds both, made by
// make_goldens.py.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "golden/golden_models.h"
#include "tinyllm/tinyllm.h"

namespace tinyllm {
namespace {

namespace fs = std::filesystem;
using Tokens = std::vector<Token>;
using test::kTolerance;

/// A model of tests/golden/models on a device.
class Golden : public testing::TestWithParam<std::tuple<std::string, std::string>> {
  protected:
    Golden() : folder_(test::golden_models() + "/" + std::get<0>(GetParam())) {
        expected_ = test::golden_expected(std::get<0>(GetParam()));
        prompt_ = expected_["prompt"].get<Tokens>();
    }

    std::shared_ptr<const Model> load(ModelOptions options = {}) const {
        options.exact = true;
        return load_as_said(options);
    }

    std::shared_ptr<const Model> load_as_said(ModelOptions options) const {
        options.device = std::get<1>(GetParam());
        options.tokenizer = false;
        return Model::load(folder_, options);
    }

    /// The logits behind every token of the prompt, one step each.
    std::vector<std::vector<float>> step_by_step(const std::shared_ptr<const Model>& model) const {
        Session session(model);
        std::vector<std::vector<float>> rows;
        for (const Token token : prompt_) {
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

    /// Requests that share more than their contexts: beginnings of continuations, of each other, all of them.
    std::vector<ScoreRequest> branching() const {
        const auto part = [&](std::size_t first, std::size_t n) {
            Tokens tokens;
            for (std::size_t i = first; i < first + n; ++i) tokens.push_back(prompt_[i % prompt_.size()]);
            return tokens;
        };
        const auto behind = [](Tokens tokens, const Tokens& more) {
            tokens.insert(tokens.end(), more.begin(), more.end());
            return tokens;
        };
        const Tokens context = part(0, 4), shared = part(1, 9);
        return {{context,
                 {behind(shared, part(3, 2)), behind(shared, part(2, 3)), shared, part(2, 1), part(2, 1),
                  behind(part(2, 1), part(0, 1))}},
                {behind(context, part(1, 7)), {part(0, 2), behind(shared, part(5, 1))}},
                {part(3, 2), {part(0, 3)}}};
    }

    std::string folder_;
    nlohmann::json expected_;
    Tokens prompt_;
};

std::vector<float> logits_behind(Session& session, const Tokens& tokens) {
    session.prefill(tokens);
    return {session.logits().begin(), session.logits().end()};
}

TEST_P(Golden, LogitsOfEveryPosition) {
    const auto found = step_by_step(load());
    const auto expected = expected_["logits"].get<std::vector<std::vector<float>>>();
    const std::size_t skipped = found.size() - expected.size();
    for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_EQ(expected[i].size(), found[i + skipped].size());
        for (std::size_t v = 0; v < expected[i].size(); ++v) {
            ASSERT_NEAR(expected[i][v], found[i + skipped][v], kTolerance)
                << "position " << i + skipped << ", token " << v;
        }
    }
}

TEST_P(Golden, PrefillInAnyChunksEqualsSteps) {
    const auto model = load();
    const auto steps = step_by_step(model);
    for (const std::int32_t chunk : {512, 7, 1}) {
        Session session(model, {.context = 0, .k_type = {}, .v_type = {}, .chunk = chunk});
        EXPECT_EQ(logits_behind(session, prompt_), steps.back()) << "chunk " << chunk;
        EXPECT_EQ(session.position(), std::ssize(prompt_));
    }
}

/// Prompts may be multiplied in arithmetic of their own (Phase::prompt), which rounds activations.
TEST_P(Golden, FastPromptsAreNearExactOnes) {
    for (const DType type : {DType::f16, DType::bf16, DType::q8_0}) {
        ModelOptions options;
        options.type = type;
        std::vector<float> logits[2];
        for (const bool exact : {false, true}) {
            options.exact = exact;
            Session session(load_as_said(options));
            logits[exact] = logits_behind(session, prompt_);
        }
        double error = 0, size = 0;
        for (std::size_t i = 0; i < logits[1].size(); ++i) {
            error += std::pow(static_cast<double>(logits[0][i]) - logits[1][i], 2);
            size += std::pow(static_cast<double>(logits[1][i]), 2);
        }
        EXPECT_LE(error, 1e-3 * size) << dtype_name(type);
    }
}

TEST_P(Golden, GreedyText) {
    Session session(load());
    session.prefill(prompt_);
    const Tokens expected = expected_["greedy"].get<Tokens>();
    Tokens streamed;
    const Tokens found = session.generate(
        {.max_tokens = std::ssize(expected), .sampler = {}, .ignore_eos = true}, [&](Token t) {
            streamed.push_back(t);
            return true;
        });
    EXPECT_EQ(found, expected);
    EXPECT_EQ(streamed, expected);
}

TEST_P(Golden, LogLikelihoods) {
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
            EXPECT_EQ(scores[r][i].n_tokens, std::ssize(requests()[r].continuations[i]));
        }
    }
}

TEST_P(Golden, ScoresAreTheSameAloneAndInAnyBatch) {
    if (std::get<1>(GetParam()) == test::kCudaEmulated) GTEST_SKIP() << "takes minutes; see the table of ops";
    ModelOptions exact, fast, rounded;
    exact.exact = true;
    rounded.type = DType::q8_0;
    for (const ModelOptions& options : {exact, fast, rounded}) {
        const auto model = load_as_said(options);
        Session session(model);
        std::vector<ScoreRequest> all = requests();
        for (ScoreRequest& request : branching()) all.push_back(std::move(request));
        const auto together = session.loglikelihood(all);
        for (const std::int32_t chunk : {512, 3}) {
            Session other(model, {.context = 0, .k_type = {}, .v_type = {}, .chunk = chunk});
            for (std::size_t r = 0; r < together.size(); ++r) {
                const ScoreRequest& whole = all[r];
                for (std::size_t i = 0; i < whole.continuations.size(); ++i) {
                    const ScoreRequest one{whole.context, {whole.continuations[i]}};
                    const Score alone = other.loglikelihood({&one, 1})[0][0];
                    EXPECT_EQ(alone.logprob, together[r][i].logprob) << r << " " << i;
                    EXPECT_EQ(alone.is_greedy, together[r][i].is_greedy);
                }
            }
        }
        EXPECT_EQ(session.position(), 0);
    }
}

TEST_P(Golden, TokenLogprobsAgreeWithLogits) {
    const auto model = load();
    const auto steps = step_by_step(model);
    Session session(model, {.context = 0, .k_type = {}, .v_type = {}, .chunk = 6});
    std::vector<float> next;
    const std::vector<float> found = session.token_logprobs(prompt_, &next);
    ASSERT_EQ(found.size(), prompt_.size() - 1);
    EXPECT_EQ(next, steps.back());
    for (std::size_t i = 0; i < found.size(); ++i) {
        const double best = *std::ranges::max_element(steps[i]);
        double total = 0;
        for (const float logit : steps[i]) total += std::exp(logit - best);
        const double expected = steps[i][static_cast<std::size_t>(prompt_[i + 1])] - best - std::log(total);
        EXPECT_NEAR(found[i], expected, 1e-5) << i;
    }
}

TEST_P(Golden, ForkAndTruncate) {
    const auto model = load();
    const auto steps = step_by_step(model);
    for (const std::size_t cut :
         {std::size_t{5}, prompt_.size() / 2, std::min<std::size_t>(64, prompt_.size() - 1)}) {
        const std::span<const Token> all = prompt_;
        Session session(model);
        session.prefill(all.first(cut));
        Session fork = session.fork();
        // Both write behind the cut, each its own.
        const Tokens other(prompt_.rbegin(), prompt_.rend() - static_cast<std::ptrdiff_t>(cut));
        fork.prefill(other);
        session.prefill(all.subspan(cut));
        EXPECT_EQ(std::vector<float>(session.logits().begin(), session.logits().end()), steps.back())
            << "cut " << cut;
        fork.truncate(static_cast<std::int64_t>(cut));
        fork.prefill(all.subspan(cut));
        EXPECT_EQ(std::vector<float>(fork.logits().begin(), fork.logits().end()), steps.back())
            << "cut " << cut;
        session.truncate(static_cast<std::int64_t>(cut) - 1);
        EXPECT_EQ(logits_behind(session, {prompt_[cut - 1]}), steps[cut - 1]) << "cut " << cut;
    }
}

TEST_P(Golden, SessionsDecodeTogetherAsAlone) {
    const auto model = load();
    std::vector<Session> sessions;
    std::vector<Tokens> texts;
    for (std::size_t n : {std::size_t{1}, std::size_t{4}, prompt_.size() - 3}) {
        texts.emplace_back(prompt_.begin(), prompt_.begin() + static_cast<std::ptrdiff_t>(n));
        sessions.emplace_back(model).prefill(texts.back());
    }
    std::vector<Session*> pointers;
    for (Session& session : sessions) pointers.push_back(&session);
    for (std::int32_t step = 0; step < 3; ++step) {
        Tokens tokens;
        for (Tokens& text : texts) {
            tokens.push_back(prompt_[text.size() % prompt_.size()]);
            text.push_back(tokens.back());
        }
        Session::decode_batch(pointers, tokens);
    }
    const auto last = Session(model).last_logits(texts);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        Session alone(model);
        const std::vector<float> expected = logits_behind(alone, texts[i]);
        EXPECT_EQ(std::vector<float>(sessions[i].logits().begin(), sessions[i].logits().end()), expected)
            << i;
        EXPECT_EQ(last[i], expected) << i;
    }
}

TEST_P(Golden, AsGgufTheLogitsAreTheSame) {
    const auto steps = step_by_step(load());
    const std::string name = std::get<0>(GetParam()) + "-" + std::get<1>(GetParam());
    const fs::path file =
        fs::temp_directory_path() / ("tinyllm-golden-" + name + "-" + std::to_string(::getpid()) + ".gguf");
    convert_to_gguf(folder_, file);
    const auto model = Model::load(
        file,
        {.device = std::get<1>(GetParam()), .threads = 0, .exact = true, .type = {}, .tokenizer = false});
    const auto found = step_by_step(model);
    fs::remove(file);
    EXPECT_EQ(found, steps);
}

TEST_P(Golden, OneThreadEqualsMany) {
    const auto one =
        step_by_step(load({.device = "", .threads = 1, .exact = true, .type = {}, .tokenizer = false}));
    const auto three =
        step_by_step(load({.device = "", .threads = 3, .exact = true, .type = {}, .tokenizer = false}));
    EXPECT_EQ(one, three);
}

/// A copy of a model's folder, to be damaged.
class DamagedFolder : public testing::TestWithParam<std::string> {
  protected:
    DamagedFolder()
        : folder_(fs::temp_directory_path() /
                  ("tinyllm-damaged-" + GetParam() + "-" + std::to_string(::getpid()))) {
        fs::remove_all(folder_);
        fs::copy(fs::path(test::golden_models()) / GetParam(), folder_);
    }
    ~DamagedFolder() override { fs::remove_all(folder_); }

    void set_key(const std::string& key, const nlohmann::json& value) const {
        const fs::path path = folder_ / "config.json";
        std::ifstream in(path);
        nlohmann::json config = nlohmann::json::parse(in);
        config[key] = value;
        std::ofstream(path) << config;
    }

    /// The message of the refusal, whose kind must be `kind`.
    std::string refusal(ErrorKind kind) const {
        ModelOptions options;
        options.device = "ref";
        options.tokenizer = false;
        try {
            (void)Model::load(folder_, options);
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), kind) << error.what();
            return error.what();
        }
        ADD_FAILURE() << GetParam() << " was loaded";
        return "";
    }

    fs::path folder_;
};

TEST_P(DamagedFolder, AKeyThatNobodyKnowsIsRefusedByName) {
    set_key("query_rescaling", 2.0);
    const std::string message = refusal(ErrorKind::unsupported);
    EXPECT_NE(message.find("query_rescaling"), message.npos) << message;
}

using DamagedSafetensors = DamagedFolder;

TEST_P(DamagedSafetensors, AMissingAndALeftOverTensorAreRefusedByName) {
    const fs::path path = folder_ / "model.safetensors";
    std::ifstream in(path, std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(in), {});
    in.close();
    // The name of the last norm, which every family has, with another letter.
    const std::size_t at =
        bytes.find("norm.weight\"") != bytes.npos ? bytes.find("norm.weight\"") : bytes.find("ln_f.weight\"");
    ASSERT_NE(at, bytes.npos);
    const std::size_t start = bytes.rfind('"', at) + 1, end = bytes.find('"', at);
    bytes[end - 1] = 'z';
    std::ofstream(path, std::ios::binary) << bytes;
    const std::string message = refusal(ErrorKind::corrupt);
    EXPECT_NE(message.find(bytes.substr(start, end - start)), message.npos) << message;
}

TEST_P(DamagedFolder, ASizeThatDoesNotFitTheTensorsIsRefused) {
    set_key("vocab_size", 7);
    refusal(ErrorKind::corrupt);
}

std::vector<std::string> all_cases() {
    std::vector<std::string> names = test::golden_cases(false);
    for (const std::string& name : test::golden_cases(true)) names.push_back(name);
    return names;
}

std::vector<std::string> cases_in_one_safetensors_file() {
    std::vector<std::string> names = all_cases();
    std::erase_if(names, [](const std::string& name) {
        return !fs::exists(fs::path(test::golden_models()) / name / "model.safetensors");
    });
    return names;
}

INSTANTIATE_TEST_SUITE_P(Models, DamagedFolder, testing::ValuesIn(all_cases()),
                         [](const auto& param) { return test::as_test_name(param.param); });

INSTANTIATE_TEST_SUITE_P(Models, DamagedSafetensors, testing::ValuesIn(cases_in_one_safetensors_file()),
                         [](const auto& param) { return test::as_test_name(param.param); });

INSTANTIATE_TEST_SUITE_P(Models, Golden,
                         testing::Combine(testing::ValuesIn(test::golden_cases(false)),
                                          testing::ValuesIn(test::golden_devices())),
                         test::golden_name);
// Folders of a script may hold none.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Golden);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(DamagedSafetensors);

}  // namespace
}  // namespace tinyllm
