#include "tools/eval/ask.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/fail.h"
#include "tools/eval/text.h"

namespace tinyllm::eval {
namespace {

constexpr std::size_t kStudyTokens = 512;  // the published study's longest prompt

// The harness's rule: a text that already begins with the written prefix token gets no special tokens.
std::vector<Token> encode_text(const Scorer& scorer, const std::string& text) {
    const bool has_prefix = !scorer.prefix_text.empty() && text.rfind(scorer.prefix_text, 0) == 0;
    return scorer.encode(text, !has_prefix);
}

void require_numbers(const std::vector<double>& scores) {
    if (std::any_of(scores.begin(), scores.end(), [](double s) { return std::isnan(s); }))
        fail(ErrorKind::corrupt,
             "the model's output is not a number (NaN): its weights are damaged or overflow");
}

double milliseconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int argmax(const std::vector<double>& values) {
    return static_cast<int>(std::max_element(values.begin(), values.end()) - values.begin());
}

PairTokens encode_pair(const Scorer& scorer, const Pair& pair, const std::string& place) {
    PairTokens tokens;
    if (pair.context.empty()) {
        if (!scorer.prefix)
            fail(ErrorKind::runtime,
                 "{}: the context is empty and the tokenizer has neither BOS nor EOS to stand for it", place);
        tokens.context = {*scorer.prefix};
        tokens.continuation = scorer.encode(pair.continuation, false);
        // The prefix already written in the continuation becomes the context itself.
        if (!tokens.continuation.empty() && tokens.continuation.front() == *scorer.prefix)
            tokens.continuation.erase(tokens.continuation.begin());
    } else {
        const std::size_t moved = trailing_space_bytes(pair.context);
        const std::size_t kept = pair.context.size() - moved;
        tokens.context = encode_text(scorer, pair.context.substr(0, kept));
        if (scorer.encoder_decoder) {
            tokens.continuation = scorer.encode(pair.context.substr(kept) + pair.continuation, false);
        } else if (const auto whole = encode_text(scorer, pair.context + pair.continuation);
                   whole.size() > tokens.context.size()) {
            tokens.continuation.assign(whole.begin() + static_cast<std::ptrdiff_t>(tokens.context.size()),
                                       whole.end());
        }
    }
    if (tokens.context.empty())
        fail(ErrorKind::runtime,
             "{}: no context token: the context is white space and the tokenizer adds no BOS", place);
    if (tokens.continuation.empty())
        fail(ErrorKind::runtime, "{}: no token is left of the continuation \"{}\"", place, pair.continuation);
    return tokens;
}

std::vector<Token> encode_truncated(const Scorer& scorer, std::string_view text, std::size_t most,
                                    bool* was_cut) {
    std::vector<Token> ids = scorer.encode(text, true);
    *was_cut = ids.size() > most;
    if (!*was_cut) return ids;
    // What stands behind the text itself (an end token) is kept: only the text is cut.
    const std::vector<Token> plain = scorer.encode(text, false);
    auto inner = std::search(ids.begin(), ids.end(), plain.begin(), plain.end());
    if (inner == ids.end()) {
        ids.resize(most);
        return ids;
    }
    const auto suffix = static_cast<std::size_t>(ids.end() - inner) - plain.size();
    std::vector<Token> result(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(suffix));
    result.resize(most > suffix ? most - suffix : 0);
    result.insert(result.end(), ids.end() - static_cast<std::ptrdiff_t>(suffix), ids.end());
    return result;
}

Asker::Asker(Scorer scorer, Protocol protocol) : scorer_(std::move(scorer)), protocol_(protocol) {
    if (protocol != Protocol::study) return;
    // Of an encoder-decoder the letter is the decoder's text, without what ends the encoder's.
    for (const char* letter : {" A", " B", " C", " D"}) {
        const std::vector<Token> ids = scorer_.encode(letter, !scorer_.encoder_decoder);
        if (ids.empty())
            fail(ErrorKind::unsupported,
                 "the tokenizer has no token for \"{}\", which the study's protocol asks for", letter);
        letters_.push_back(ids.back());
    }
}

Prepared Asker::prepare(const Example& example, const std::string& place) const {
    Prepared prepared;
    if (protocol_ == Protocol::study) {
        bool cut = false;
        const auto most = std::min(kStudyTokens, static_cast<std::size_t>(scorer_.context));
        prepared.prompt = encode_truncated(scorer_, example.prompt, most, &cut);
        prepared.cut = cut ? 1 : 0;
        prepared.tokens = prepared.prompt.size();
        return prepared;
    }
    const auto most = static_cast<std::size_t>(scorer_.context);
    for (const Pair& pair : example.pairs) {
        PairTokens tokens = encode_pair(scorer_, pair, place);
        if (!scorer_.encoder_decoder && tokens.continuation.size() > most)
            fail(ErrorKind::usage, "{}: a choice of {} tokens; expected at most {}, the model's context",
                 place, tokens.continuation.size(), most);
        const std::size_t behind = scorer_.encoder_decoder ? 1 : tokens.continuation.size();
        if (tokens.context.size() + behind > most + 1) ++prepared.cut;
        auto same = std::find_if(prepared.requests.begin(), prepared.requests.end(),
                                 [&](const ScoreRequest& r) { return r.context == tokens.context; });
        if (same == prepared.requests.end()) {
            prepared.tokens += tokens.context.size();
            same = prepared.requests.insert(same, ScoreRequest{tokens.context, {}});
        }
        prepared.slots.emplace_back(same - prepared.requests.begin(), same->continuations.size());
        same->continuations.push_back(tokens.continuation);
        prepared.tokens += tokens.continuation.size() - 1;
        prepared.pairs.push_back(std::move(tokens));
    }
    return prepared;
}

Answer Asker::answer_study(const Prepared& prepared, const Example& example) const {
    Answer answer;
    const auto start = std::chrono::steady_clock::now();
    const std::vector<float> logits = scorer_.last_logits(prepared.prompt);
    answer.ms = milliseconds_since(start);
    for (int i = 0; i < example.letters; ++i)
        answer.scores.push_back(logits.at(static_cast<std::size_t>(letters_[static_cast<std::size_t>(i)])));
    answer.prediction = argmax(answer.scores);
    answer.prediction_norm = answer.prediction;
    for (int i = 0; i < example.letters; ++i) answer.greedy.push_back(i == answer.prediction);
    require_numbers(answer.scores);
    answer.gold = example.prompt_gold;
    answer.cut = prepared.cut;
    answer.tokens = prepared.tokens;
    return answer;
}

std::vector<Answer> Asker::answer(std::span<const Prepared* const> prepared,
                                  std::span<const Example* const> examples) const {
    std::vector<Answer> answers;
    if (protocol_ == Protocol::study) {
        for (std::size_t i = 0; i < prepared.size(); ++i)
            answers.push_back(answer_study(*prepared[i], *examples[i]));
        return answers;
    }
    std::vector<ScoreRequest> requests;
    for (const Prepared* one : prepared)
        requests.insert(requests.end(), one->requests.begin(), one->requests.end());
    const auto start = std::chrono::steady_clock::now();
    const std::vector<std::vector<Score>> scores = scorer_.loglikelihood(requests);
    const double ms = milliseconds_since(start) / static_cast<double>(prepared.size());
    std::size_t first = 0;
    for (std::size_t i = 0; i < prepared.size(); ++i) {
        Answer answer;
        std::vector<double> per_length;
        for (std::size_t k = 0; k < prepared[i]->slots.size(); ++k) {
            const auto [request, continuation] = prepared[i]->slots[k];
            const Score& score = scores.at(first + request).at(continuation);
            answer.scores.push_back(score.logprob);
            answer.greedy.push_back(score.is_greedy);
            per_length.push_back(score.logprob / static_cast<double>(examples[i]->lengths[k]));
        }
        answer.prediction = argmax(answer.scores);
        answer.prediction_norm = argmax(per_length);
        require_numbers(answer.scores);
        answer.gold = examples[i]->gold;
        answer.ms = ms;
        answer.cut = prepared[i]->cut;
        answer.tokens = prepared[i]->tokens;
        answers.push_back(std::move(answer));
        first += prepared[i]->requests.size();
    }
    return answers;
}

}  // namespace tinyllm::eval
