// The embedded models on the embedded questions against stored results of the real lm-evaluation-harness and
// of transformers (tests/embedded/*.json): the same token ids, log-likelihoods, logits and accuracies.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "tools/eval/ask.h"
#include "tools/eval/find_data.h"
#include "tools/eval/metrics.h"
#include "tools/eval/rows_file.h"

namespace tinyllm::eval {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = TINYLLM_SOURCE_DIR;
const fs::path kEmbedded = kSource / "tools" / "embedded";

Json stored(const char* name) {
    const fs::path path = kSource / "tests" / "embedded" / name;
    return fs::exists(path) ? Json::parse(read_bytes(path)) : Json();
}

std::shared_ptr<const Model> load_exact(const std::string& name) {
    ModelOptions options;
    options.exact = true;
    return Model::load((kEmbedded / "models" / name).string(), options);
}

double tolerance(double value) {
    return 1e-3 + 1e-5 * std::abs(value);
}

// All answers of a task, with the prepared questions.
struct Outcome {
    Questions questions;
    std::vector<Prepared> prepared;
    std::vector<Answer> answers;
};

Outcome ask(const Asker& asker, const Task& task, const DataIndex& index) {
    Outcome run{load_questions(task, asker.protocol(), index.find(task, asker.protocol()), 0), {}, {}};
    for (const Example& example : run.questions.examples) {
        run.prepared.push_back(asker.prepare(example, "question"));
        const Prepared* one = &run.prepared.back();
        const Example* of = &example;
        run.answers.push_back(asker.answer(std::span(&one, 1), std::span(&of, 1)).front());
    }
    return run;
}

DataIndex questions_index() {
    DataPlaces places;
    places.folders = {kEmbedded / "questions"};
    return DataIndex(places);
}

TEST(EmbeddedResults, HarnessGivesTheSame) {
    const Json results = stored("harness_results.json");
    if (results.is_null()) GTEST_SKIP() << "no tests/embedded/harness_results.json";
    const DataIndex index = questions_index();
    for (const auto& [name, model] : results.items()) {
        const Asker asker(make_scorer(load_exact(name)), Protocol::lm_eval);
        for (const auto& [task_name, expected] : model.at("tasks").items()) {
            SCOPED_TRACE(name + " " + task_name);
            const Task& task = find_task(task_name);
            const Outcome ours = ask(asker, task, index);
            ASSERT_EQ(ours.answers.size(), expected.at("questions").get<std::size_t>());
            const TaskFigures figures = figures_of(ours.answers);
            EXPECT_NEAR(figures.acc.value, expected.at("metrics").at("acc,none").get<double>(), 1e-12);
            EXPECT_NEAR(*figures.acc.stderr_, expected.at("metrics").at("acc_stderr,none").get<double>(),
                        1e-12);
            EXPECT_EQ(task.normalised, expected.at("metrics").contains("acc_norm,none"));
            if (task.normalised) {
                EXPECT_NEAR(figures.acc_norm.value, expected.at("metrics").at("acc_norm,none").get<double>(),
                            1e-12);
            }
            std::size_t q = 0;
            for (const Json& sample : expected.at("samples")) {
                SCOPED_TRACE(q);
                EXPECT_EQ(ours.answers[q].gold, sample.at("gold").get<int>());
                for (std::size_t i = 0; i < sample.at("requests").size(); ++i) {
                    const Json& request = sample.at("requests").at(i);
                    EXPECT_EQ(ours.prepared[q].pairs[i].context,
                              request.at("context").get<std::vector<Token>>());
                    EXPECT_EQ(ours.prepared[q].pairs[i].continuation,
                              request.at("continuation").get<std::vector<Token>>());
                    const double expected_score = request.at("loglikelihood").get<double>();
                    EXPECT_NEAR(ours.answers[q].scores[i], expected_score, tolerance(expected_score));
                }
                ++q;
            }
        }
    }
}

TEST(EmbeddedResults, StudyOracleGivesTheSame) {
    const Json results = stored("study_results.json");
    if (results.is_null()) GTEST_SKIP() << "no tests/embedded/study_results.json";
    const DataIndex index = questions_index();
    for (const auto& [name, model] : results.items()) {
        const Asker asker(make_scorer(load_exact(name)), Protocol::study);
        for (const auto& [task_name, expected] : model.at("tasks").items()) {
            SCOPED_TRACE(name + " " + task_name);
            const Outcome ours = ask(asker, find_task(task_name), index);
            ASSERT_EQ(ours.answers.size(), expected.at("n").get<std::size_t>());
            EXPECT_NEAR(figures_of(ours.answers).acc.value, expected.at("accuracy").get<double>(), 1e-12);
            std::size_t q = 0;
            for (const Json& sample : expected.at("samples")) {
                SCOPED_TRACE(q);
                EXPECT_EQ(ours.prepared[q].prompt.size(), sample.at("n_tokens").get<std::size_t>());
                for (std::size_t i = 0; i < sample.at("option_logits").size(); ++i)
                    EXPECT_NEAR(ours.answers[q].scores[i], sample.at("option_logits").at(i).get<double>(),
                                1e-3);
                ++q;
            }
        }
    }
}

}  // namespace
}  // namespace tinyllm::eval
