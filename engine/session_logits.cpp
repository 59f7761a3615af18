// What a model makes of given texts: log-probabilities of their tokens, logits behind them. Nothing is kept.
#include <algorithm>
#include <mutex>

#include "engine/fail.h"
#include "engine/session_state.h"

namespace tinyllm {
namespace {

// Runs `job` and gives log p(targets[i]) at row first + i; `last_logits`, if given, of the last row.
std::vector<float> score_rows(Decoder& decoder, const Job& job, std::int64_t first,
                              std::span<const Token> targets, std::int32_t chunk, std::size_t vocab,
                              std::vector<float>* last_logits) {
    std::vector<float> out(targets.size());
    const std::int64_t n = std::ssize(job.tokens);
    decoder.run({&job, 1}, chunk, Phase::prompt, [&](std::span<const JobRows> rows) {
        const JobRows& part = rows.back();
        const std::int64_t begin = std::max(part.offset, first);
        const std::int64_t end = std::min(part.offset + part.n, first + std::ssize(targets));
        if (begin < end) {
            std::vector<std::int32_t> at(static_cast<std::size_t>(end - begin));
            std::vector<std::int32_t> best(at.size());
            for (std::size_t i = 0; i < at.size(); ++i)
                at[i] = static_cast<std::int32_t>(begin - part.offset) + static_cast<std::int32_t>(i);
            decoder.score(at, targets.subspan(static_cast<std::size_t>(begin - first), at.size()),
                          out.data() + (begin - first), best.data());
        }
        if (last_logits && part.offset + part.n == n) {
            last_logits->resize(vocab);
            const std::int32_t last = part.n - 1;
            decoder.logits({&last, 1}, last_logits->data());
        }
    });
    return out;
}

}  // namespace

std::vector<float> Session::token_logprobs(std::span<const Token> tokens, std::vector<float>* next_logits) {
    const State& s = *state_;
    if (s.has_encoder()) {
        fail(ErrorKind::usage, "{}: an encoder-decoder scores a target behind a context, not a text alone",
             s.model->info().path);
    }
    const std::int64_t n = std::ssize(tokens);
    if (n > s.context) {
        fail(ErrorKind::usage, "the context of {} positions cannot hold {} tokens", s.context, n);
    }
    s.check_tokens(tokens);
    const std::lock_guard lock(s.backend().mutex());
    Sequence sequence(s.decoder->pool());
    return score_rows(*s.decoder, {&sequence, tokens}, 0, tokens.subspan(tokens.empty() ? 0 : 1),
                      s.options.chunk, static_cast<std::size_t>(s.model->info().vocab_size), next_logits);
}

std::vector<float> Session::target_logprobs(std::span<const Token> context, std::span<const Token> targets,
                                            std::vector<float>* last_logits) {
    const State& s = *state_;
    if (context.empty() || targets.empty()) {
        fail(ErrorKind::usage, "a target behind a context: expected tokens of both, found {} and {}",
             targets.size(), context.size());
    }
    if (s.has_encoder()) s.check_encodable(context);
    s.check_tokens(context);
    s.check_tokens(targets);
    std::vector<Token> read(context.begin(), context.end());
    if (s.has_encoder()) read = {s.model->info().decoder_start};
    const std::int64_t first = std::ssize(read) - 1;
    read.insert(read.end(), targets.begin(), targets.end() - 1);
    if (std::ssize(read) > s.context) {
        fail(ErrorKind::usage, "the context of {} positions cannot hold the {} that the target needs",
             s.context, read.size());
    }
    const std::lock_guard lock(s.backend().mutex());
    const Encodings encodings(*s.decoder, std::span(&context, 1), s.options.chunk);
    Sequence sequence(s.decoder->pool());
    return score_rows(*s.decoder, {&sequence, read, encodings.of(0)}, first, targets, s.options.chunk,
                      static_cast<std::size_t>(s.model->info().vocab_size), last_logits);
}

std::vector<std::vector<float>> Session::last_logits(std::span<const std::vector<Token>> prompts) {
    const State& s = *state_;
    for (const std::vector<Token>& prompt : prompts) {
        if (prompt.empty() || std::ssize(prompt) > s.context) {
            fail(ErrorKind::usage, "a prompt of {} tokens; expected 1 to {}, the context", prompt.size(),
                 s.context);
        }
        s.check_tokens(prompt);
    }
    const auto vocab = static_cast<std::size_t>(s.model->info().vocab_size);
    std::vector<std::vector<float>> out(prompts.size());
    const std::lock_guard lock(s.backend().mutex());
    for (std::size_t first = 0; first < prompts.size();) {
        const std::size_t begin = first;
        std::vector<std::span<const Token>> group;
        std::int64_t rows = 0;
        while (first < prompts.size() &&
               (first == begin || rows + std::ssize(prompts[first]) <= s.options.chunk)) {
            rows += std::ssize(prompts[first]);
            group.push_back(prompts[first++]);
        }
        const Encodings encodings(*s.decoder, group, s.options.chunk);
        if (s.has_encoder()) std::ranges::fill(group, std::span(&s.model->info().decoder_start, 1));
        std::vector<Sequence> sequences(group.size(), Sequence(s.decoder->pool()));
        std::vector<Job> jobs;
        for (std::size_t i = 0; i < group.size(); ++i)
            jobs.push_back({&sequences[i], group[i], encodings.of(i)});
        s.decoder->run(jobs, s.options.chunk, Phase::prompt, [&](std::span<const JobRows> parts) {
            std::vector<std::int32_t> last;
            std::vector<std::size_t> of;
            for (const JobRows& part : parts) {
                if (part.offset + part.n < std::ssize(jobs[part.job].tokens)) continue;
                last.push_back(part.first_row + part.n - 1);
                of.push_back(begin + part.job);
            }
            if (last.empty()) return;
            std::vector<float> logits(last.size() * vocab);
            s.decoder->logits(last, logits.data());
            for (std::size_t i = 0; i < of.size(); ++i) {
                const float* row = logits.data() + i * vocab;
                out[of[i]].assign(row, row + vocab);
            }
        });
    }
    return out;
}

}  // namespace tinyllm
