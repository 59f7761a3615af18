#include "tools/divergence.h"

#include <algorithm>
#include <functional>

#include "engine/fail.h"
#include "tinyllm/session.h"
#include "tools/distribution.h"

namespace tinyllm {
namespace {

constexpr std::ptrdiff_t kPieces = 8, kLength = 24;

std::shared_ptr<const Model> open_model(const std::string& path, bool tokenizer) {
    ModelOptions options;
    options.tokenizer = tokenizer;
    return Model::load(path, options);
}

/// Spread evenly over the text.
std::vector<std::vector<Token>> cut_pieces(const Model& model, const std::string& text) {
    const std::vector<Token> tokens = model.tokenizer().encode(text);
    const std::ptrdiff_t length = std::min<std::ptrdiff_t>(kLength, model.info().context);
    if (std::ssize(tokens) < 2 || length < 2) {
        fail(ErrorKind::usage, "the text to measure predictions on has {} tokens, expected 2 or more",
             tokens.size());
    }
    std::vector<std::vector<Token>> pieces;
    const std::ptrdiff_t n = std::clamp<std::ptrdiff_t>(std::ssize(tokens) / length, 1, kPieces);
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        const auto begin = tokens.begin() + i * (std::ssize(tokens) / n);
        pieces.emplace_back(begin, begin + std::min(length, tokens.end() - begin));
    }
    return pieces;
}

std::vector<std::vector<Token>> write_pieces(const std::shared_ptr<const Model>& model) {
    std::vector<std::vector<Token>> pieces;
    const Token start = model->info().eos.empty() ? 0 : model->info().eos.front();
    Session session(model);
    for (std::ptrdiff_t i = 0; i < kPieces; ++i) {
        GenerateOptions options;
        options.max_tokens = std::min<std::int64_t>(kLength, model->info().context) - 1;
        options.ignore_eos = true;
        options.sampler.temperature = 1;
        options.sampler.seed = static_cast<std::uint64_t>(i);
        session.truncate(0);
        session.prefill(std::span(&start, 1));
        pieces.push_back(session.generate(options));
        pieces.back().insert(pieces.back().begin(), start);
    }
    return pieces;
}

/// Calls `visit` with the logits behind each token; an encoder reads the first half of a piece.
void for_each_prediction(const std::shared_ptr<const Model>& model,
                         const std::vector<std::vector<Token>>& pieces,
                         const std::function<void(std::span<const float>)>& visit) {
    Session session(model);
    for (const std::vector<Token>& piece : pieces) {
        session.truncate(0);
        std::span<const Token> rest(piece);
        const std::size_t first = model->info().encoder_decoder ? (piece.size() + 1) / 2 : 1;
        for (std::size_t n = first; !rest.empty(); n = 1) {
            session.prefill(rest.first(n));
            visit(session.logits());
            rest = rest.subspan(n);
        }
    }
}

}  // namespace

Predictions::Predictions(const std::string& path, const std::string& text) {
    const auto model = open_model(path, !text.empty());
    pieces_ = text.empty() ? write_pieces(model) : cut_pieces(*model, text);
    for_each_prediction(model, pieces_,
                        [&](std::span<const float> logits) { logprobs_.push_back(log_softmax(logits)); });
}

double Predictions::divergence_of(const std::string& path) const {
    double sum = 0;
    std::size_t at = 0;
    for_each_prediction(open_model(path, false), pieces_, [&](std::span<const float> logits) {
        sum += divergence(logprobs_[at++], log_softmax(logits));
    });
    return sum / static_cast<double>(positions());
}

std::size_t Predictions::positions() const {
    return logprobs_.size();
}

}  // namespace tinyllm
