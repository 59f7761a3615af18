#include "tools/eval/scorer.h"

namespace tinyllm::eval {

Scorer make_scorer(std::shared_ptr<const Model> model, const SessionOptions& options) {
    auto session = std::make_shared<Session>(model, options);
    Scorer scorer;
    scorer.encode = [model](std::string_view text, bool add_special) {
        return model->tokenizer().encode(text, {.add_special = add_special, .parse_special = true});
    };
    scorer.loglikelihood = [session](std::span<const ScoreRequest> requests) {
        return session->loglikelihood(requests);
    };
    scorer.last_logits = [session](const std::vector<Token>& prompt) {
        return std::move(session->last_logits(std::span(&prompt, 1)).front());
    };
    const Tokenizer& tokenizer = model->tokenizer();
    scorer.prefix = tokenizer.bos() ? tokenizer.bos() : tokenizer.eos();
    if (scorer.prefix) scorer.prefix_text = tokenizer.decode(std::span(&*scorer.prefix, 1));
    scorer.context = session->context();
    scorer.encoder_decoder = model->info().encoder_decoder;
    return scorer;
}

}  // namespace tinyllm::eval
