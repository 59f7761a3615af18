#include "tools/eval/accuracy.h"

#include <algorithm>

#include "engine/fail.h"
#include "tools/eval/metrics.h"

namespace tinyllm::eval {

AccuracyMeter::AccuracyMeter(const std::vector<std::string>& tasks, const std::vector<std::string>& data,
                             double limit) {
    const DataIndex index(parse_data_arguments(data));
    for (const std::string& name : tasks) {
        const Task& task = find_task(name);
        if (std::ranges::count(names_, name)) continue;
        Questions questions =
            load_questions(task, Protocol::lm_eval, index.find(task, Protocol::lm_eval), limit);
        if (questions.examples.empty())
            fail(ErrorKind::usage, "{}: no questions to measure accuracy on", name);
        names_.push_back(name);
        examples_.push_back(std::move(questions.examples));
    }
}

std::vector<double> AccuracyMeter::measure(const std::shared_ptr<const Model>& model) const {
    const Asker asker(make_scorer(model), Protocol::lm_eval);
    std::vector<double> accuracies;
    for (std::size_t task = 0; task < names_.size(); ++task) {
        std::vector<Answer> answers;
        for (std::size_t i = 0; i < examples_[task].size(); ++i) {
            const Example* example = &examples_[task][i];
            const Prepared prepared = asker.prepare(*example, fmt::format("{} question {}", names_[task], i));
            const Prepared* one = &prepared;
            answers.push_back(asker.answer(std::span(&one, 1), std::span(&example, 1)).front());
        }
        accuracies.push_back(figures_of(answers).acc.value);
    }
    return accuracies;
}

}  // namespace tinyllm::eval
