// Journals that survive being killed, plans, locks, statuses and the report, with a model made of plain
// functions.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>

#include "tinyllm/error.h"
#include "tools/eval/rows_file.h"
#include "tools/log.h"
#include "tools/output.h"
#include "tools/study/compare.h"
#include "tools/study/report.h"
#include "tools/study/runner.h"
#include "tools/study/summary.h"

namespace tinyllm::study {
namespace {

namespace fs = std::filesystem;

// Answers differ by type, so that a mixed-up journal shows. `pause_us` makes room for a kill.
Loader fake_loader(int pause_us) {
    return [pause_us](const StudyModel&, const std::string& type) -> LoadedModel {
        if (type == "f16") throw Error(ErrorKind::unsupported, "no f16 here");
        const double tilt = type == "q8_0" ? 1.5 : 1.0;
        eval::Scorer scorer;
        scorer.encode = [](std::string_view text, bool) {
            return std::vector<Token>(text.begin(), text.end());
        };
        scorer.loglikelihood = [tilt, pause_us](std::span<const ScoreRequest> requests) {
            ::usleep(static_cast<useconds_t>(pause_us));
            std::vector<std::vector<Score>> scores;
            for (const ScoreRequest& r : requests) {
                scores.emplace_back();
                for (const auto& c : r.continuations) {
                    double sum = 0;
                    for (Token t : c) sum = sum * tilt + static_cast<double>((t * 31) % 7);
                    scores.back().push_back(
                        {-std::fmod(sum, 11.0), static_cast<std::int32_t>(c.size()), false});
                }
            }
            return scores;
        };
        scorer.last_logits = [pause_us](const std::vector<Token>& prompt) {
            ::usleep(static_cast<useconds_t>(pause_us));
            std::vector<float> logits(256);
            for (std::size_t i = 0; i < prompt.size(); ++i)
                logits[static_cast<std::size_t>(prompt[i]) % 256] += static_cast<float>(i % 5);
            return logits;
        };
        scorer.context = 4096;
        Json facts = {
            {"architecture", "fake"}, {"parameters", 1000}, {"weight_bytes", type == "q8_0" ? 1100 : 4000},
            {"main_type", type},      {"context", 4096},    {"backend", "plain functions"},
            {"threads", 1},           {"load_ms", 0.5},     {"load_peak_rss_bytes", nullptr}};
        return {std::move(scorer), std::move(facts)};
    };
}

class Study : public testing::Test {
  protected:
    void SetUp() override {
        log_level() = -1;
        folder_ = fs::temp_directory_path() / ("tinyllm_study_" + std::to_string(::getpid()) + "_" +
                                               testing::UnitTest::GetInstance()->current_test_info()->name());
        fs::remove_all(folder_);
        fs::create_directories(folder_ / "model");
        std::ofstream(folder_ / "model" / "config.json") << "{}";
        std::ofstream(folder_ / "model" / "model.safetensors") << "weights";
        std::string wino, piqa;
        for (int i = 0; i < 40; ++i) {
            const std::string n = std::to_string(i * 37 % 101);
            wino += R"({"sentence":"The )" + n +
                    R"( is near _ today.","option1":"a","option2":"bb","answer":")" + (i % 2 ? "1" : "2") +
                    "\"}\n";
            piqa += R"({"goal":"g)" + n + R"(","sol1":"one )" + n + R"(","sol2":"two","label":)" +
                    (i % 3 ? "1" : "0") + "}\n";
        }
        fs::create_directories(folder_ / "data");
        std::ofstream(folder_ / "data" / "dev.jsonl") << wino;
        std::ofstream(folder_ / "data" / "valid.jsonl") << piqa;
        options_.models = {(folder_ / "model").string()};
        options_.data = {(folder_ / "data").string()};
        options_.types = {"f32", "q8_0"};
        options_.output = (folder_ / "out").string();
    }
    void TearDown() override { fs::remove_all(folder_); }

    void run(int pause_us = 0) {
        const Plan plan = make_plan(options_);
        const ResultsLock lock(options_.output);
        write_file(options_.output + "/study.json", dump_json_pretty(plan_json(plan, options_)));
        ASSERT_TRUE(run_plan(plan, options_, fake_loader(pause_us)));
    }
    // What must not depend on how often the study was killed.
    static Json steady(const std::string& output) {
        Json cells = Json::array();
        for (const CellFigures& cell : read_summary(output).cells) {
            Json answers = Json::array();
            for (const eval::Answer& a : cell.answers)
                answers.push_back({a.scores, a.greedy, a.prediction, a.prediction_norm, a.gold, a.tokens});
            cells.push_back({cell.model, cell.type, cell.task, cell.status, cell.reason,
                             cell.figures.acc.value, answers});
        }
        return cells;
    }
    fs::path only_journal() const { return journal_path(options_.output, "model", "f32", "lm-eval", "piqa"); }

    fs::path folder_;
    StudyOptions options_;
};

TEST_F(Study, RunsEveryCellAndReports) {
    run();
    const Summary summary = read_summary(options_.output);
    ASSERT_EQ(summary.cells.size(), 8u);
    for (const CellFigures& cell : summary.cells) {
        EXPECT_EQ(cell.status, "ok") << cell.reason;
        EXPECT_EQ(cell.answers.size(), 40u);
    }
    EXPECT_EQ(summary.entries.size(), 4u);
    write_report(summary, options_.output);
    for (const char* name : {"results.json", "results.csv", "results.md", "report.html"})
        EXPECT_GT(fs::file_size(fs::path(options_.output) / name), 500u) << name;
    const std::string page = eval::read_bytes(fs::path(options_.output) / "report.html");
    for (const char* outside : {"http://", "https://", "src=", "@import"})
        EXPECT_EQ(page.find(outside), std::string::npos) << outside;
    const Json results = Json::parse(eval::read_bytes(fs::path(options_.output) / "results.json"));
    EXPECT_EQ(results.at("cells").size(), 8u);
    EXPECT_NEAR(results.at("entries").at(1).at("ratio_fp32").get<double>(), 0.275, 1e-12);
}

TEST_F(Study, KilledAtRandomMomentsNothingIsLostOrRunTwice) {
    run();
    const Json undisturbed = steady(options_.output);
    options_.output = (folder_ / "killed").string();
    std::mt19937 random(7);
    int kills = 0;
    for (bool done = false; !done;) {
        const pid_t child = ::fork();
        if (child == 0) {
            try {
                const Plan plan = make_plan(options_);
                const ResultsLock lock(options_.output);
                write_file(options_.output + "/study.json", dump_json_pretty(plan_json(plan, options_)));
                ::_exit(run_plan(plan, options_, fake_loader(700)) ? 0 : 1);
            } catch (const std::exception& error) {
                std::fprintf(stderr, "%s\n", error.what());
                ::_exit(2);
            }
        }
        if (kills < 12) {
            ::usleep(std::uniform_int_distribution<useconds_t>(20'000, 150'000)(random));
            ::kill(child, SIGKILL);
            ++kills;
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        done = WIFEXITED(status);
        if (done) {
            EXPECT_EQ(WEXITSTATUS(status), 0);
        }
    }
    EXPECT_GT(kills, 0);
    EXPECT_EQ(steady(options_.output), undisturbed);
    for (const auto& entry : fs::directory_iterator(fs::path(options_.output) / "journal")) {
        const auto state = read_journal(entry.path());  // throws where a question stands twice
        ASSERT_TRUE(state);
        EXPECT_EQ(state->answered, 40u);
        EXPECT_EQ(state->valid_bytes, fs::file_size(entry.path()));
    }
}

TEST_F(Study, TornLastLineIsCutOff) {
    run();
    const std::string whole = eval::read_bytes(only_journal());
    // Everything behind the 11th answer is lost, the 12th is half there.
    std::size_t at = 0;
    for (int lines = 0; lines < 13; ++lines) at = whole.find('\n', at) + 1;
    fs::resize_file(only_journal(), at + 20);
    const Json before = steady((folder_ / "out").string());
    EXPECT_EQ(before.at(0).at(3), "skipped");
    run();
    const auto state = read_journal(only_journal());
    EXPECT_TRUE(state->ended());
    EXPECT_EQ(state->answered, 40u);
    // The lines that were whole are still the first ones.
    EXPECT_EQ(eval::read_bytes(only_journal()).substr(0, at), whole.substr(0, at));
}

TEST_F(Study, FinishedCellsAreNotRunAgain) {
    run();
    const std::string whole = eval::read_bytes(only_journal());
    run();
    EXPECT_EQ(eval::read_bytes(only_journal()), whole);
    options_.fresh = true;
    run();
    EXPECT_NE(eval::read_bytes(only_journal()), whole) << "times differ";
}

TEST_F(Study, JournalOfAnotherModelIsSetAside) {
    run();
    std::ofstream(folder_ / "model" / "model.safetensors") << "other weights";
    run();
    EXPECT_TRUE(fs::exists(only_journal().string() + ".stale"));
    EXPECT_TRUE(read_journal(only_journal())->ended());
}

TEST_F(Study, DamagedJournalNamesTheLine) {
    run();
    std::string bytes = eval::read_bytes(only_journal());
    bytes[bytes.find("\"scores\"", 2000) + 2] = '\xff';
    std::ofstream(only_journal(), std::ios::binary) << bytes;
    try {
        read_summary(options_.output);
        FAIL() << "no error";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::corrupt);
        EXPECT_NE(std::string(error.what()).find(".jsonl:"), std::string::npos);
    }
}

TEST_F(Study, ACellThatCannotBeHadSaysWhy) {
    options_.types = {"f16", "q8_0"};
    run();
    const Summary summary = read_summary(options_.output);
    EXPECT_EQ(summary.cells.front().status, "unsupported");
    EXPECT_EQ(summary.cells.front().reason, "no f16 here");
    EXPECT_EQ(summary.cells.back().status, "ok");
    const std::string text =
        terminal_report(summary) + markdown_report(summary) + html_report(summary, texts_of_data(summary));
    EXPECT_NE(text.find("no f16 here"), std::string::npos);
}

TEST_F(Study, AWorkerThatDiesLeavesAStatus) {
    const Plan plan = make_plan(options_);
    const ResultsLock lock(options_.output);
    write_file(options_.output + "/study.json", dump_json_pretty(plan_json(plan, options_)));
    const Loader loader = [](const StudyModel& model, const std::string& type) {
        if (type == "q8_0") ::raise(SIGKILL);
        return fake_loader(0)(model, type);
    };
    EXPECT_TRUE(run_plan(plan, options_, loader));
    const Summary summary = read_summary(options_.output);
    EXPECT_EQ(summary.cells.front().status, "ok");
    EXPECT_EQ(summary.cells.back().status, "oom");
}

TEST_F(Study, SlowCellsTimeOutAndTheRestGoesOn) {
    options_.timeout = 0.4;
    options_.protocols = {"lm-eval"};
    options_.types = {"f32"};
    const Plan plan = make_plan(options_);
    const ResultsLock lock(options_.output);
    write_file(options_.output + "/study.json", dump_json_pretty(plan_json(plan, options_)));
    // PIQA's prompts hold "Question"; WinoGrande's do not.
    const Loader loader = [](const StudyModel& model, const std::string& type) {
        LoadedModel loaded = fake_loader(0)(model, type);
        loaded.scorer.loglikelihood =
            [fast = loaded.scorer.loglikelihood](std::span<const ScoreRequest> requests) {
                if (requests.front().context.front() == 'Q') ::usleep(60'000);
                return fast(requests);
            };
        return loaded;
    };
    EXPECT_TRUE(run_plan(plan, options_, loader));
    const Summary summary = read_summary(options_.output);
    EXPECT_EQ(summary.cells.at(0).status, "timeout");
    EXPECT_EQ(summary.cells.at(1).status, "ok");
}

TEST_F(Study, SecondWriterIsRefused) {
    const ResultsLock lock(options_.output);
    try {
        const ResultsLock second(options_.output);
        FAIL() << "two locks";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::runtime);
        EXPECT_NE(std::string(error.what()).find("another"), std::string::npos);
    }
}

TEST_F(Study, OnlyAndSkipChooseCells) {
    options_.only = {"q8_0"};
    options_.skip = {"model/*/study/*"};
    std::size_t chosen = 0;
    for (const Cell& cell : make_plan(options_).cells) {
        chosen += cell.chosen;
        if (cell.chosen) {
            EXPECT_EQ(cell.type + std::string(eval::protocol_name(cell.protocol)), "q8_0lm-eval");
        }
    }
    EXPECT_EQ(chosen, 2u);
    options_.only = {"nothing"};
    EXPECT_THROW(make_plan(options_), Error);
}

TEST_F(Study, ComparesTwoStudies) {
    run();
    const Summary a = read_summary(options_.output);
    options_.output = (folder_ / "second").string();
    run();
    const Summary b = read_summary(options_.output);
    const tinyllm::Table table = compare_studies(a, b);
    ASSERT_EQ(table.rows.size(), 8u);
    EXPECT_EQ(table.rows[0].at("difference"), 0.0);
    EXPECT_EQ(table.rows[0].at("p"), 1.0);
    options_.limit = 10;
    options_.output = (folder_ / "third").string();
    run();
    EXPECT_THROW(compare_studies(a, read_summary(options_.output)), Error);
}

TEST(Compare, McNemarExact) {
    EXPECT_DOUBLE_EQ(mcnemar(0, 0), 1);
    EXPECT_NEAR(mcnemar(1, 9), 22.0 / 1024, 1e-12);  // 2 (1 + 10) / 2^10
    EXPECT_NEAR(mcnemar(5, 5), 1, 1e-12);
    EXPECT_NEAR(mcnemar(0, 2000), 0, 1e-300);
}

TEST(Front, KeepsWhatNoOtherBeats) {
    auto entry = [](double accuracy, double ms) {
        Entry e;
        e.average = eval::Mean{accuracy, 0.01};
        e.latency = eval::Latency{};
        e.latency->p50 = ms;
        return e;
    };
    const std::vector<Entry> all = {entry(0.5, 1), entry(0.4, 2), entry(0.7, 3), entry(0.7, 4),
                                    entry(0.9, 9)};
    std::vector<const Entry*> entries;
    for (const Entry& e : all) entries.push_back(&e);
    const auto best = front(entries, [](const Entry& e) { return std::optional(e.latency->p50); });
    EXPECT_EQ(best, (std::vector<const Entry*>{&all[0], &all[2], &all[4]}));
}

TEST(Paired, DifferenceUsesTheSameQuestions) {
    CellFigures a, b;
    for (int i = 0; i < 4; ++i) {
        eval::Answer answer;
        answer.scores = {0, 0};
        answer.gold = 1;
        answer.prediction = 1;
        a.answers.push_back(answer);
        answer.prediction = i ? 1 : 0;
        b.answers.push_back(answer);
    }
    Entry x, y;
    x.cells = {&a};
    y.cells = {&b};
    EXPECT_DOUBLE_EQ(paired_difference(x, y).value, -0.25);
    EXPECT_DOUBLE_EQ(*paired_difference(x, y).stderr_, 0.25);
}

}  // namespace
}  // namespace tinyllm::study
