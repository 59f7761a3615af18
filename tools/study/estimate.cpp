#include "tools/study/estimate.h"

#include <cmath>
#include <map>

#include "tinyllm/inspect.h"

namespace tinyllm::study {

struct Estimator::State {
    const StudyOptions& options;
    std::map<std::string, std::optional<ModelFacts>> models;

    const std::optional<ModelFacts>& facts(const StudyModel& model) {
        const auto [at, fresh] = models.try_emplace(model.argument);
        if (fresh && !model.path.empty()) {
            try {
                at->second = inspect_model(model.path);
            } catch (const Error&) {  // running it will say why
            }
        }
        return at->second;
    }
};

Estimator::Estimator(const StudyOptions& options) : state_(new State{options, {}}) {}
Estimator::~Estimator() = default;

std::optional<std::int64_t> Estimator::stored_bytes(const StudyModel& model) {
    const auto& facts = state_->facts(model);
    if (!facts) return {};
    std::int64_t bytes = 0;
    for (const TensorInfo& tensor : facts->tensors) bytes += tensor.bytes;
    return bytes;
}

Estimated Estimator::of(const StudyModel& model, const std::string& type, const QuestionSize& question) {
    const auto& facts = state_->facts(model);
    if (!facts) return {};
    ModelOptions load;
    load.exact = state_->options.exact;
    load.device = state_->options.device;
    if (type != "stored") load.type = dtype_from_name(type);
    Estimated estimated;
    const auto positions =
        static_cast<std::int64_t>(std::ceil(question.prompt + question.answers * question.answer));
    estimated.peak_bytes = predict_memory(*facts, load, {}, std::max<std::int64_t>(positions, 1)).peak;
    return estimated;
}

}  // namespace tinyllm::study
