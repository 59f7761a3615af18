// A study on boards that measure: energy in journals and reports, a hot board that pauses it or stops it.
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <fstream>

#include "tests/monitor/fake_boards.h"
#include "tinyllm/error.h"
#include "tools/eval/rows_file.h"
#include "tools/log.h"
#include "tools/output.h"
#include "tools/study/report.h"
#include "tools/study/runner.h"
#include "tools/study/words.h"

namespace tinyllm::study {
namespace {

constexpr int kMeteredQuestions = 12;

LoadedModel metered_model(const StudyModel&, const std::string&) {
    eval::Scorer scorer;
    scorer.encode = [](std::string_view text, bool) { return std::vector<Token>(text.begin(), text.end()); };
    scorer.loglikelihood = [](std::span<const ScoreRequest> requests) {
        ::usleep(3000);
        std::vector<std::vector<Score>> scores;
        for (const ScoreRequest& request : requests) {
            scores.emplace_back();
            for (const auto& continuation : request.continuations)
                scores.back().push_back({-static_cast<double>(continuation.size()),
                                         static_cast<std::int32_t>(continuation.size()), false});
        }
        return scores;
    };
    scorer.context = 4096;
    Json facts = {{"architecture", "fake"}, {"parameters", 1000}, {"weight_bytes", 4000},
                  {"main_type", "f32"},     {"context", 4096},    {"backend", "plain functions"},
                  {"threads", 1},           {"load_ms", 0.5},     {"load_peak_rss_bytes", nullptr}};
    return {std::move(scorer), std::move(facts)};
}

class MeteredStudy : public testing::Test {
  protected:
    void SetUp() override {
        log_level() = -1;
        tree_.write("model/config.json", "{}");
        tree_.write("model/model.safetensors", "weights");
        std::string rows;
        for (int i = 0; i < kMeteredQuestions; ++i)  // the shorter answer is right every third time
            rows += R"({"goal":"g","sol1":"one","sol2":"long one","label":)" +
                    std::string(i % 3 ? "1" : "0") + "}\n";
        tree_.write("data/valid.jsonl", rows);
        options_.models = {tree_.path("model")};
        options_.data = {tree_.path("data")};
        options_.types = {"f32"};
        options_.protocols = {"lm-eval"};
        options_.output = tree_.path("out");
        options_.monitor.interval = 0.005;
        options_.monitor.idle = 0.01;
    }
    bool run() {
        const Plan plan = make_plan(options_);
        const ResultsLock lock(options_.output);
        write_file(options_.output + "/study.json", dump_json_pretty(plan_json(plan, options_)));
        return run_plan(plan, options_, metered_model);
    }

    monitor::FakeTree tree_;
    StudyOptions options_;
};

TEST_F(MeteredStudy, EnergyReachesTheReport) {
    tree_.orin_nano();
    ASSERT_TRUE(run());
    const Summary summary = read_summary(options_.output);
    ASSERT_TRUE(summary.cells.at(0).ok()) << summary.cells.at(0).reason;
    const Json& usage = summary.cells.at(0).usage;
    EXPECT_EQ(usage.at("questions"), kMeteredQuestions);
    EXPECT_EQ(usage.at("correct"), kMeteredQuestions / 3);
    EXPECT_GT(usage.at("seconds").get<double>(), 0.003 * kMeteredQuestions);
    EXPECT_NEAR(usage.at("power_W").get<double>(), 5.0, 1e-9);  // VDD_IN of the tree, and as much at rest
    EXPECT_NEAR(usage.at("energy_net_J").get<double>(), 0.0, 1e-9);
    const double joules = usage.at("energy_J").get<double>();
    const Entry& entry = summary.entries.at(0);
    EXPECT_NEAR(entry.joules_per_question.value(), joules / kMeteredQuestions, 1e-12);
    EXPECT_NEAR(entry.joules_per_correct.value(), joules / (kMeteredQuestions / 3), 1e-12);
    EXPECT_EQ(entry.temp_C.value(), 48.0);
    EXPECT_EQ(entry.throttled, false);
    write_report(summary, options_.output);
    for (const char* file : {"results.md", "report.html"}) {
        const std::string text = eval::read_bytes(tree_.path("out") / file);
        for (const char* words : {"J/question", "J/correct", "max °C", "Energy is that of VDD_IN", "48.0",
                                  "Power mode 15W", "not throttled"})
            EXPECT_NE(text.find(words), std::string::npos) << file << ": " << words;
    }
    const std::string csv = eval::read_bytes(tree_.path("out") / "results.csv");
    EXPECT_NE(csv.find("energy_J"), std::string::npos);
    const Json results = Json::parse(eval::read_bytes(tree_.path("out") / "results.json"));
    EXPECT_EQ(results.at("cells").at(0).at("usage"), usage);
    EXPECT_NEAR(results.at("entries").at(0).at("power_W").get<double>(), 5.0, 1e-9);
}

TEST_F(MeteredStudy, WithoutSensorsItSaysSo) {
    ASSERT_TRUE(run());
    const Summary summary = read_summary(options_.output);
    EXPECT_TRUE(summary.cells.at(0).usage.at("energy_J").is_null());
    EXPECT_FALSE(summary.entries.at(0).joules_per_question);
    EXPECT_FALSE(summary.entries.at(0).throttled);
    const std::string text = markdown_report(summary);
    EXPECT_EQ(text.find("J/question"), std::string::npos);
    EXPECT_NE(text.find("Not measured: energy, temperature, throttling."), std::string::npos);
}

// A journal of a version that asked no sensor.
TEST_F(MeteredStudy, OldJournalsAreRead) {
    tree_.orin_nano();
    ASSERT_TRUE(run());
    const auto path = journal_path(options_.output, "model", "f32", "lm-eval", "piqa");
    std::string journal = eval::read_bytes(path);
    const std::size_t at = journal.find(",\"usage\":");
    ASSERT_NE(at, std::string::npos);
    const Json end = Json::parse(journal.substr(journal.rfind("{\"end\"")));
    Json without = end;
    without.erase("usage");
    journal.resize(journal.rfind("{\"end\""));
    std::ofstream(path, std::ios::binary | std::ios::trunc) << journal << without.dump() << "\n";
    const Summary summary = read_summary(options_.output);
    EXPECT_TRUE(summary.cells.at(0).usage.is_null());
    EXPECT_NE(terminal_report(summary).find("Not measured: energy"), std::string::npos);
    EXPECT_FALSE(render(cells_table(summary), Format::csv).empty());
}

TEST_F(MeteredStudy, TooHotForTooLongStops) {
    tree_.orin_nano();
    tree_.thermal_zone(8, "tj-thermal", "96000");
    options_.monitor.max_temp = 90;
    options_.monitor.patience = 0;
    try {
        run();
        FAIL() << "went on";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::check_failed);
    }
    const auto state = read_journal(journal_path(options_.output, "model", "f32", "lm-eval", "piqa"));
    ASSERT_TRUE(state);
    EXPECT_FALSE(state->ended());
    EXPECT_GT(state->answered, 0u);
    // The same study on a cool board goes on where it was.
    tree_.thermal_zone(8, "tj-thermal", "60000");
    ASSERT_TRUE(run());
    const Summary summary = read_summary(options_.output);
    EXPECT_TRUE(summary.cells.at(0).ok());
    EXPECT_EQ(summary.cells.at(0).usage.at("questions").get<std::size_t>() + state->answered,
              std::size_t{kMeteredQuestions});
}

TEST_F(MeteredStudy, PausesWhileHotAndThePauseIsInNoFigure) {
    tree_.orin_nano();
    tree_.thermal_zone(8, "tj-thermal", "96000");
    options_.monitor.max_temp = 90;
    options_.timeout = 2.5;
    // A process of its own: run() forks, and threads would not come along.
    const pid_t fan = ::fork();
    if (fan == 0) {
        ::sleep(3);
        tree_.thermal_zone(8, "tj-thermal", "60000");
        ::_exit(0);
    }
    ASSERT_TRUE(run());
    const Summary summary = read_summary(options_.output);
    EXPECT_TRUE(summary.cells.at(0).ok()) << summary.cells.at(0).reason;  // no time-out
    EXPECT_EQ(summary.cells.at(0).usage.at("questions"), kMeteredQuestions);
    EXPECT_LT(summary.cells.at(0).usage.at("seconds").get<double>(), 2.5);
    int status = 0;
    ::waitpid(fan, &status, 0);
}

}  // namespace
}  // namespace tinyllm::study
