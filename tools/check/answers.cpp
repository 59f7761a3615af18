#include "tools/check/answers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/fail.h"
#include "tools/distribution.h"

namespace tinyllm::check {
namespace {

constexpr std::int64_t kLength = 16;
constexpr std::size_t kTop = 64;

/// The `n` largest, the first of equals first; what is no number is last.
std::vector<Token> largest(std::span<const float> values, std::size_t n) {
    const auto value = [&](Token token) {
        const float x = values[static_cast<std::size_t>(token)];
        return std::isnan(x) ? -std::numeric_limits<float>::infinity() : x;
    };
    std::vector<Token> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    n = std::min(n, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n), order.end(),
                      [&](Token a, Token b) { return value(a) != value(b) ? value(a) > value(b) : a < b; });
    order.resize(n);
    return order;
}

/// Greedy tokens behind what the session has read, and their margins.
void write_greedily(Session& session, std::int64_t n, Answer& answer) {
    for (std::int64_t i = 0; i < n; ++i) {
        const std::span<const float> logits = session.logits();
        const std::vector<Token> best = largest(logits, 2);
        answer.greedy.push_back(best.front());
        answer.margins.push_back(logits[static_cast<std::size_t>(best.front())] -
                                 logits[static_cast<std::size_t>(best.back())]);
        if (i + 1 < n) session.prefill(std::span(&best.front(), 1));
    }
}

/// log p of `text` behind `prompt`, in one pass.
std::vector<float> logprobs_behind(Session& session, const std::vector<Token>& prompt,
                                   const std::vector<Token>& text) {
    if (text.empty()) return {};
    if (session.model().info().encoder_decoder) return session.target_logprobs(prompt, text);
    std::vector<Token> all = prompt;
    all.insert(all.end(), text.begin(), text.end());
    const std::vector<float> logprobs = session.token_logprobs(all);
    return {logprobs.end() - std::ssize(text), logprobs.end()};
}

double difference(std::span<const float> a, std::span<const float> b) {
    double most = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double d = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
        if (!(d <= most)) most = std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
    }
    return most;
}

std::vector<Token> encode(const Model& model, const std::string& text) {
    std::vector<Token> tokens = model.tokenizer().encode(text);
    const auto most = static_cast<std::size_t>(
        std::max<std::int64_t>(1, model.info().context - answer_length(model.info())));
    if (tokens.size() > most) tokens.resize(most);
    return tokens;
}

}  // namespace

std::vector<std::string> built_in_prompts() {
    std::string page;
    for (int i = 1; i <= 24; ++i) {
        page += "Line " + std::to_string(i) + ": the pump ran for " + std::to_string(7 * i % 31) +
                " minutes, and the water stood at " + std::to_string(100 - 3 * i % 17) + " cm.\n";
    }
    return {
        "The river rises in the mountains and runs past three old towns before it meets the sea. In spring",
        "Question: Which of these keeps food cold?\nA. a lamp\nB. a refrigerator\nC. a shoe\nAnswer:",
        "def area(width, height):\n    \"\"\"Returns the area of a rectangle.\"\"\"\n    return",
        "  12 + 30 = 42\n\t7 x 8 = 56\n  1000 - 1 =",
        "Grüße aus Köln, привет из Москвы, 東京から、 مرحبا 🌍 naïve café",
        page + "In short,"};
}

std::int64_t answer_length(const ModelInfo& info) {
    return std::clamp<std::int64_t>(info.context / 4, 1, kLength);
}

std::vector<Answer> prompts_of_ids(const ModelInfo& info) {
    std::vector<Answer> prompts;
    for (const std::int64_t length : {1, 9, 33, 300}) {
        Answer prompt;
        const std::int64_t n =
            std::min(length, std::max<std::int64_t>(1, info.context - answer_length(info)));
        for (std::int64_t i = 0; i < n; ++i) {
            prompt.prompt.push_back(static_cast<Token>((i * 7919 + length) % info.vocab_size));  // a prime
        }
        prompts.push_back(std::move(prompt));
    }
    return prompts;
}

std::vector<Answer> prompts_of(const Model& model, const std::vector<std::string>& texts) {
    std::vector<Answer> prompts;
    for (const std::string& text : texts) {
        Answer prompt;
        prompt.text = text;
        prompt.prompt = encode(model, text);
        if (!prompt.prompt.empty()) prompts.push_back(std::move(prompt));
    }
    return prompts;
}

Answers run_prompts(const std::shared_ptr<const Model>& model, const SessionOptions& options,
                    std::vector<Answer> prompts) {
    Answers result{model->exact(), model->info().backend, std::move(prompts)};
    Session session(model, options);
    for (Answer& answer : result.answers) {
        session.truncate(0);
        session.prefill(answer.prompt);
        const std::vector<float> logprobs = log_softmax(session.logits());
        answer.top = largest(logprobs, kTop);
        for (const Token token : answer.top)
            answer.top_logprobs.push_back(logprobs[static_cast<std::size_t>(token)]);
        write_greedily(session, answer_length(model->info()), answer);
        answer.logprobs = logprobs_behind(session, answer.prompt, answer.greedy);
        for (const std::vector<float>& values : {answer.top_logprobs, answer.margins, answer.logprobs}) {
            if (!std::ranges::all_of(values, [](float x) { return std::isfinite(x); }))
                fail(ErrorKind::runtime, "{}: its logits are no numbers", model->info().path);
        }
    }
    return result;
}

std::vector<Deviation> deviations(const std::shared_ptr<const Model>& model, const SessionOptions& options,
                                  const Answers& recorded) {
    Session session(model, options);
    std::vector<Deviation> all;
    for (const Answer& answer : recorded.answers) {
        Deviation& deviation = all.emplace_back();
        if (!answer.text.empty() && model->has_tokenizer() && encode(*model, answer.text) != answer.prompt) {
            deviation.tokens_differ = true;
            continue;
        }
        session.truncate(0);
        session.prefill(answer.prompt);
        const std::vector<float> logprobs = log_softmax(session.logits());
        std::vector<float> top;
        for (const Token token : answer.top) top.push_back(logprobs[static_cast<std::size_t>(token)]);
        deviation.prompt = difference(top, answer.top_logprobs);
        Answer own;
        write_greedily(session, std::ssize(answer.greedy), own);
        deviation.agreed = std::ranges::mismatch(own.greedy, answer.greedy).in1 - own.greedy.begin();
        if (deviation.agreed < std::ssize(answer.greedy))
            deviation.margin = answer.margins[static_cast<std::size_t>(deviation.agreed)];
        deviation.text = difference(logprobs_behind(session, answer.prompt, answer.greedy), answer.logprobs);
    }
    return all;
}

bool passes(const Deviation& deviation, const Answer& recorded, double tolerance) {
    return !deviation.tokens_differ && deviation.prompt <= tolerance && deviation.text <= tolerance &&
           (deviation.agreed == std::ssize(recorded.greedy) || deviation.margin <= 2 * tolerance);
}

}  // namespace tinyllm::check
