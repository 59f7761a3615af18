// Contexts with examples against those that the harness built from the same rows (make_few_shot.py).
#include "tools/eval/few_shot.h"

#include <gtest/gtest.h>

#include "tinyllm/error.h"
#include "tools/eval/rows_file.h"

namespace tinyllm::eval {
namespace {

Json harness_contexts() {
    return Json::parse(read_bytes(std::string(TINYLLM_TEST_DIR) + "/eval/few_shot.json"));
}

std::vector<Row> rows_times(const Json& task, int times) {
    std::vector<Row> rows;
    for (int t = 0; t < times; ++t)
        for (std::size_t i = 0; i < task.at("rows").size(); ++i)
            rows.push_back({task.at("rows")[i], "rows:" + std::to_string(i), task.at("labels")[i]});
    return rows;
}

TEST(FewShot, ContextsAreTheHarnesss) {
    const Json all = harness_contexts();
    ASSERT_EQ(all.at("tasks").size(), all_tasks().size());
    for (const auto& [name, task] : all.at("tasks").items()) {
        FewShot few_shot(find_task(name), rows_times(task, 3), "rows", all.at("shots"));
        const std::vector<Row> questions = rows_times(task, 2);
        ASSERT_EQ(questions.size(), task.at("contexts").size());
        for (std::size_t i = 0; i < questions.size(); ++i) {
            Example question = find_task(name).read(questions[i]);
            few_shot.add_to(question);
            std::vector<std::string> contexts;  // winogrande's requests differ in theirs
            for (const Pair& pair : question.pairs)
                if (contexts.empty() || contexts.back() != pair.context) contexts.push_back(pair.context);
            EXPECT_EQ(Json(contexts), task.at("contexts")[i]) << name << " question " << i;
        }
    }
}

TEST(FewShot, KeysMayStandInAnyOrder) {
    // The harness compares columns, so a row is left out however its file spells it: with three rows, two of
    // them the question, one example is always the third.
    const Task& task = find_task("piqa");
    const char* rows[] = {R"({"goal":"g","sol1":"a","sol2":"b","label":0})",
                          R"({"label":0,"sol2":"b","sol1":"a","goal":"g"})",
                          R"({"goal":"other","sol1":"a","sol2":"b","label":1})"};
    std::vector<Row> pool;
    for (const char* row : rows) pool.push_back({Json::parse(row), "rows", ""});
    FewShot few_shot(task, pool, "rows", 1);
    for (int i = 0; i < 20; ++i) {
        Example question = task.read(pool[0]);
        few_shot.add_to(question);
        EXPECT_EQ(question.pairs[1].context, "Question: other\nAnswer: b\n\nQuestion: g\nAnswer:");
    }
}

TEST(FewShot, TooFewRows) {
    const Json task = harness_contexts().at("tasks").at("boolq");  // two rows
    for (const auto& [times, shots, words] :
         {std::tuple(1, 2, "from at least 3"), std::tuple(2, 3, "2 rows that differ")}) {
        try {
            FewShot few_shot(find_task("boolq"), rows_times(task, times), "pool.jsonl",
                             static_cast<std::size_t>(shots));
            Example question = find_task("boolq").read(rows_times(task, 1).front());
            few_shot.add_to(question);
            FAIL() << "no error for " << shots << " examples";
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::usage);
            EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
            EXPECT_NE(std::string(error.what()).find("pool.jsonl"), std::string::npos) << error.what();
        }
    }
}

}  // namespace
}  // namespace tinyllm::eval
