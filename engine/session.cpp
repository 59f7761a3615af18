#include "tinyllm/session.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "engine/fail.h"
#include "engine/kv_cache.h"
#include "engine/session_state.h"

namespace tinyllm {

void Session::State::check_tokens(std::span<const Token> asked) const {
    const std::int64_t vocab = model->network().config.vocab_size;
    for (const Token token : asked) {
        if (token < 0 || token >= vocab) {
            fail(ErrorKind::usage, "token {} is outside the model's vocabulary of {}", token, vocab);
        }
    }
}

void Session::State::keep_hidden(std::int32_t row) {
    const std::int64_t width = decoder->head_width();
    if (!hidden || hidden.use_count() > 1)
        hidden = backend().allocate(static_cast<std::size_t>(width) * sizeof(float));
    backend().norm({1, width, decoder->hidden(row), Norm{}, reinterpret_cast<float*>(hidden.get())});
    has_hidden = true;
    has_logits = false;
}

void Session::State::check_encodable(std::span<const Token> read) const {
    if (read.empty() || std::ssize(read) > context) {
        fail(ErrorKind::usage, "the encoder cannot read {} tokens: expected 1 to {}, the context",
             read.size(), context);
    }
    check_tokens(read);
}

void Session::State::encode(std::span<const Token> read) {
    const Job job{&encoded, read};
    try {
        decoder->encode({&job, 1}, options.chunk);
        run({&model->info().decoder_start, 1});
    } catch (...) {
        encoded.truncate(0);
        throw;
    }
}

void Session::State::run(std::span<const Token> added, bool wait) {
    if (added.empty()) return;
    const Job job{&sequence, added, encoded_or_null()};
    has_hidden = has_logits = false;
    try {
        phase = added.size() == 1 ? Phase::decode : Phase::prompt;
        decoder->run({&job, 1}, options.chunk, phase, [&](std::span<const JobRows> rows) {
            const JobRows& part = rows.back();
            tokens.insert(tokens.end(), added.begin() + part.offset, added.begin() + part.offset + part.n);
            if (part.offset + part.n == std::ssize(added)) keep_hidden(part.first_row + part.n - 1);
        });
        if (wait) backend().read(nullptr, nullptr, 0);  // what a device meets is this call's
    } catch (...) {
        sequence.truncate(std::ssize(tokens));  // what did not run to its end does not count
        throw;
    }
}

void Session::State::rewind(std::int64_t n) {
    sequence.truncate(n);
    tokens.resize(static_cast<std::size_t>(n));
    has_hidden = has_logits = false;
}

void Session::State::check_has_hidden() const {
    if (!has_hidden)
        fail(ErrorKind::usage, "logits: nothing was run since the session was made or truncated");
}

void Session::State::compute_logits() {
    if (has_logits) return;
    logits.resize(static_cast<std::size_t>(model->network().config.vocab_size));
    decoder->logits_of(reinterpret_cast<const float*>(hidden.get()), phase, logits.data());
    has_logits = true;
}

Token Session::State::next(Sampler& sampler) {
    const auto vocab = static_cast<std::int32_t>(model->network().config.vocab_size);
    const std::int32_t k = std::min(sampler.wanted(kMostTop), vocab);
    if (!has_logits && k > 0) {
        Token best[kMostTop];
        float values[kMostTop];
        double total = 0;
        const std::vector<Token> penalized = sampler.penalized(tokens);
        logits.resize(static_cast<std::size_t>(vocab));
        TopArgs args;
        args.penalized = penalized;
        args.penalty = sampler.options().repeat_penalty;
        args.k = k;
        args.tokens = best;
        args.values = values;
        args.logits = logits.data();
        if (sampler.wants_total()) {
            args.temperature = sampler.options().temperature;
            args.total = &total;
        }
        has_logits = decoder->top_of(reinterpret_cast<const float*>(hidden.get()), phase, args);
        const auto n = static_cast<std::size_t>(k);
        if (const auto token = sampler.sample_top({{best, n}, {values, n}, vocab, total})) return *token;
    }
    compute_logits();
    return sampler.sample(logits, tokens);
}

CacheTypes cache_types(const SessionOptions& options, bool exact) {
    const DType type = exact ? DType::f32 : DType::f16;
    return {options.k_type.value_or(type), options.v_type.value_or(type)};
}

Session::Session(std::shared_ptr<const Model> model, const SessionOptions& options) {
    const std::int64_t own = model->info().context;
    if (options.context < 0) fail(ErrorKind::usage, "context: expected 0 or more, found {}", options.context);
    if (options.chunk < 1) fail(ErrorKind::usage, "chunk: expected 1 or more, found {}", options.chunk);
    if (options.context > own && !model->network().config.open_ended) {
        fail(ErrorKind::usage, "context: the model was made for {} positions, asked for {}", own,
             options.context);
    }
    const CacheTypes cache = cache_types(options, model->exact());
    for (const DType type : {cache.k, cache.v})
        check_cache_type(model->info().path, model->info().head_dim, type);
    Backend& backend = model->backend();
    const std::lock_guard lock(backend.mutex());
    auto decoder = Decoder::shared(model->network(), backend, cache.k, cache.v);
    const Sequence empty(decoder->pool());
    state_.reset(new State{.model = std::move(model),
                           .options = options,
                           .context = options.context ? options.context : own,
                           .decoder = std::move(decoder),
                           .sequence = empty,
                           .encoded = empty});
}

Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

void Session::prefill(std::span<const Token> tokens) {
    State& s = *state_;
    if (s.has_encoder() && s.encoded.length() == 0 && !tokens.empty()) {
        s.check_encodable(tokens);
        const std::lock_guard lock(s.backend().mutex());
        s.encode(tokens);
        return;
    }
    const std::int64_t end = s.sequence.length() + static_cast<std::int64_t>(tokens.size());
    if (end > s.context) {
        fail(ErrorKind::usage, "the context of {} positions cannot hold {} tokens behind the {} it has",
             s.context, tokens.size(), s.sequence.length());
    }
    s.check_tokens(tokens);
    const std::lock_guard lock(s.backend().mutex());
    s.run(tokens);
}

std::span<const float> Session::logits() {
    State& s = *state_;
    s.check_has_hidden();
    if (!s.has_logits) {
        const std::lock_guard lock(s.backend().mutex());
        s.compute_logits();
    }
    return s.logits;
}

std::vector<Token> Session::generate(const GenerateOptions& options,
                                     const std::function<bool(Token)>& on_token) {
    State& s = *state_;
    Sampler sampler(options.sampler);
    const std::vector<Token>& eos = s.model->info().eos;
    std::vector<Token> out;
    // A token is run together with the draw of the next one: one step of the backend, one wait.
    bool to_run = false;
    while (static_cast<std::int64_t>(out.size()) < options.max_tokens) {
        Token token = 0;
        if (!to_run) s.check_has_hidden();
        const std::int64_t held = s.sequence.length();
        try {
            const std::lock_guard lock(s.backend().mutex());
            if (to_run) s.decoder->prepare(s.sequence);
            s.backend().step([&] {
                if (std::exchange(to_run, false)) s.run({&out.back(), 1}, false);
                token = s.next(sampler);
            });
        } catch (...) {
            if (s.sequence.length() > held) s.rewind(held);  // the token may not have run
            throw;
        }
        if (!options.ignore_eos && std::ranges::count(eos, token)) break;
        out.push_back(token);
        const bool more = !on_token || on_token(token);
        if (s.sequence.length() == s.context) break;
        to_run = true;
        if (!more) break;
    }
    if (to_run) {
        const std::lock_guard lock(s.backend().mutex());
        s.run({&out.back(), 1});
    }
    return out;
}

void Session::truncate(std::int64_t n) {
    State& s = *state_;
    if (n < 0 || n > s.sequence.length()) {
        fail(ErrorKind::usage, "truncate: expected 0 to {} positions, found {}", s.sequence.length(), n);
    }
    if (n == s.sequence.length()) return;
    s.rewind(n);
    if (n == 0) s.encoded.truncate(0);
}

std::int64_t Session::position() const {
    return state_->sequence.length();
}

Session Session::fork() const {
    Session copy(state_->model, state_->options);
    *copy.state_ = *state_;
    return copy;
}

void Session::decode_batch(std::span<Session* const> sessions, std::span<const Token> tokens) {
    if (sessions.size() != tokens.size()) {
        fail(ErrorKind::usage, "decode_batch: {} sessions but {} tokens", sessions.size(), tokens.size());
    }
    for (std::size_t i = 0; i < sessions.size(); ++i) {
        const State& s = *sessions[i]->state_;
        if (s.model != sessions[0]->state_->model)
            fail(ErrorKind::usage, "decode_batch: sessions of different models");
        if (std::ranges::count(sessions, sessions[i]) > 1)
            fail(ErrorKind::usage, "decode_batch: a session stands there twice");
        if (s.sequence.length() >= s.context) {
            fail(ErrorKind::usage, "the context of {} positions is full", s.context);
        }
        if (s.has_encoder() && s.encoded.length() == 0) {
            fail(ErrorKind::usage, "decode_batch: session {} has no context that its encoder read", i);
        }
        s.check_tokens(tokens.subspan(i, 1));
    }
    if (sessions.empty()) return;
    const std::lock_guard lock(sessions[0]->state_->backend().mutex());
    // Sessions with the same kind of cache share a decoder and run together.
    std::vector<bool> done(sessions.size());
    for (std::size_t first = 0; first < sessions.size(); ++first) {
        if (done[first]) continue;
        Decoder& decoder = *sessions[first]->state_->decoder;
        std::vector<Job> jobs;
        std::vector<std::size_t> of;
        for (std::size_t i = first; i < sessions.size(); ++i) {
            State& s = *sessions[i]->state_;
            if (s.decoder.get() != &decoder) continue;
            jobs.push_back({&s.sequence, tokens.subspan(i, 1), s.encoded_or_null()});
            of.push_back(i);
            done[i] = true;
        }
        decoder.run(jobs, sessions[first]->state_->options.chunk, Phase::decode,
                    [&](std::span<const JobRows> rows) {
                        for (const JobRows& row : rows) {
                            State& s = *sessions[of[row.job]]->state_;
                            s.tokens.push_back(tokens[of[row.job]]);
                            s.keep_hidden(row.first_row);
                            s.phase = Phase::decode;
                        }
                    });
    }
}

const Model& Session::model() const {
    return *state_->model;
}
std::int64_t Session::context() const {
    return state_->context;
}

MemoryUse Session::memory() const {
    const std::lock_guard lock(state_->backend().mutex());
    return {state_->model->info().weight_bytes, state_->decoder->pool()->bytes(),
            state_->decoder->scratch_bytes()};
}

}  // namespace tinyllm
