#include "tools/study/estimate.h"

#include <map>

#include "engine/fail.h"
#include "tools/board.h"
#include "tools/memory_check.h"
#include "tools/predict/predict.h"
#include "tools/predict/tasks.h"

namespace tinyllm::study {

struct Estimator::State {
    const StudyOptions& options;
    predict::Board board;
    std::string device;
    std::map<std::string, std::optional<predict::Subject>> models = {};

    const std::optional<predict::Subject>& subject(const StudyModel& model) {
        const auto [at, fresh] = models.try_emplace(model.argument);
        if (fresh) {
            try {
                at->second = predict::subject_of(model.path.empty() ? model.argument : model.path);
            } catch (const Error&) {  // of no known shape, or a file that running it will complain about
            }
        }
        return at->second;
    }
    std::optional<predict::Estimate> estimate(const StudyModel& model, const std::string& type,
                                              const predict::Question& question) {
        const auto& known = subject(model);
        if (!known) return {};
        predict::Run run;
        run.device = device;
        run.threads = options.threads;
        run.exact = options.exact;
        run.question = question;
        try {
            return predict::estimate(known->facts, type, board, run);
        } catch (const Error&) {  // this model cannot be of this type: its cells will say so
            return {};
        }
    }
};

namespace {

std::string device_meant(const StudyOptions& options, const predict::Board& board) {
    if (options.device != "auto") return options.device == "ref" ? "cpu" : options.device;
    if (options.board == "this") return meant_device("auto", probe_gpus());
    return board.gpu.empty() ? "cpu" : "cuda";
}

}  // namespace

Estimator::Estimator(const StudyOptions& options) {
    predict::Board board = options.board == "this" ? predict::measure_board(options.threads, options.cores)
                                                   : predict::find_board(options.board);
    std::string device = device_meant(options, board);
    state_.reset(new State{options, std::move(board), std::move(device)});
}
Estimator::~Estimator() = default;

std::string Estimator::board() const {
    return state_->board.title.empty() ? state_->board.name : state_->board.title;
}

std::optional<std::int64_t> Estimator::available_bytes() const {
    if (state_->options.board == "this") return available_memory();
    return state_->board.free_bytes > 0 ? std::optional(state_->board.free_bytes) : std::nullopt;
}

std::optional<std::int64_t> Estimator::stored_bytes(const StudyModel& model) {
    const auto estimate = state_->estimate(model, "stored", {});
    if (!estimate) return {};
    return estimate->weight_file_bytes;
}

Estimated Estimator::of(const StudyModel& model, const std::string& type, eval::Protocol protocol,
                        const std::string& task) {
    const auto estimate =
        state_->estimate(model, type, predict::task_question(task, protocol == eval::Protocol::study));
    if (!estimate) return {};
    Estimated estimated;
    estimated.peak_bytes = estimate->memory.peak;
    estimated.load_ms = estimate->load_ms;
    // The reference kernels are many times slower than those the arithmetic is about.
    if (state_->options.device != "ref") estimated.question_ms = estimate->question_ms;
    return estimated;
}

}  // namespace tinyllm::study
