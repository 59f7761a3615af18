// Study files and their bounds, shares of a fleet, and what a child's death is put down to.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>

#include "tinyllm/error.h"
#include "tools/log.h"
#include "tools/output.h"
#include "tools/study/boards.h"
#include "tools/study/published.h"
#include "tools/study/runner.h"
#include "tools/study/study_file.h"
#include "tools/study/summary.h"
#include "tools/yaml_text.h"

namespace tinyllm::study {
namespace {

namespace fs = std::filesystem;

StudyOptions options_of_text(const std::string& text) {
    StudyOptions options;
    apply_study(
        parse_study(text, "my.yaml"), [](const std::string&) { return false; }, options);
    return options;
}

TEST(StudyFile, KeysAreTheCommandsOptions) {
    const StudyOptions options = options_of_text(
        "title: Mine\n"
        "models: [{model: a/b, parameters: 1.5B, download: 3M}, ./c]\n"
        "tasks: [piqa, boolq]\n"
        "types: q8_0\n"
        "protocol: [study]\n"
        "limit: {piqa: 0.5, boolq: 7}\n"
        "threads: 3\n"
        "exact: true\n"
        "cooldown: 60C\n"
        "idle: 100ms\n");
    EXPECT_EQ(options.study, "my");
    EXPECT_EQ(options.title, "Mine");
    EXPECT_EQ(options.models, (std::vector<std::string>{"a/b", "./c"}));
    EXPECT_EQ(options.stated.at("a/b").parameters, 1'500'000'000);
    EXPECT_EQ(options.stated.at("a/b").download_bytes, 3'000'000);
    EXPECT_FALSE(options.stated.at("./c").parameters);
    EXPECT_EQ(options.types, std::vector<std::string>{"q8_0"});
    EXPECT_EQ(limit_of(options, "piqa"), 0.5);
    EXPECT_EQ(limit_of(options, "boolq"), 7);
    EXPECT_EQ(limit_of(options, "winogrande"), 0);
    EXPECT_EQ(options.threads, 3);
    EXPECT_TRUE(options.exact);
    EXPECT_EQ(options.monitor.cooldown, 60);
    EXPECT_EQ(options.monitor.idle, 0.1);
}

TEST(StudyFile, ThoseThatComeWithTheCommandAreWhole) {
    ASSERT_GE(embedded_studies().size(), 2u);
    for (const EmbeddedStudy& one : embedded_studies()) {
        const StudyFile file = find_study(std::string(one.name));
        EXPECT_FALSE(file.title.empty()) << one.name;
        EXPECT_FALSE(file.about.empty()) << one.name;
    }
}

TEST(StudyFile, ThePublishedStudyHasItsModelsAndQuestions) {
    StudyOptions options;
    apply_study(
        find_study("jetson-orin-nano-2025"), [](const std::string&) { return false; }, options);
    ASSERT_EQ(options.models.size(), published_models().size());
    for (const PublishedModel& model : published_models()) {
        const std::string id(model.hub_id);
        EXPECT_EQ(std::count(options.models.begin(), options.models.end(), id), 1) << id;
        // The published size is that of the parameters in fp32.
        if (model.size_mib == model.size_mib) {
            EXPECT_NEAR(static_cast<double>(options.stated.at(id).parameters.value()) * 4 / (1 << 20),
                        model.size_mib, 0.01)
                << id;
        }
    }
    for (const PublishedData& data : published_tasks())
        EXPECT_EQ(limit_of(options, data.task), static_cast<double>(data.questions)) << data.task;
}

TEST(StudyFile, NumbersMeanWhatTheFlagsDo) {
    for (const char* text : {"limit: 1.5", "limit: {piqa: 1.5}", "limit: nan", "limit: -1", "timeout: inf",
                             "threads: 0.5", "sample-interval: 1e-9"}) {
        try {
            options_of_text(std::string("types: q8_0\n") + text);
            ADD_FAILURE() << text;
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), ErrorKind::usage) << text;
            EXPECT_EQ(std::string(error.what()).rfind("my.yaml:2: ", 0), 0u) << error.what();
        }
    }
}

TEST(StudyFile, DamageIsOneErrorAndNoCrash) {
    const std::string whole(embedded_studies().back().text);
    std::mt19937 random(5);
    std::size_t refused = 0;
    for (int i = 0; i < 3000; ++i) {
        std::string text = whole.substr(0, random() % 2 ? whole.size() : random() % whole.size());
        for (std::size_t n = random() % 6; n > 0 && !text.empty(); --n) {
            const char* bytes = "[]{}:,-&*!|>'\"%@`?#\n\t \\\0\xff";
            const std::size_t at = random() % text.size();
            if (random() % 3 == 0) {
                text.insert(at, 1, bytes[random() % 26]);
            } else {
                text[at] = bytes[random() % 26];
            }
        }
        try {
            options_of_text(text);
        } catch (const Error& error) {
            ++refused;
            EXPECT_TRUE(error.kind() == ErrorKind::usage || error.kind() == ErrorKind::corrupt);
            EXPECT_EQ(std::string(error.what()).rfind("my.yaml:", 0), 0u) << error.what();
        }
    }
    EXPECT_GT(refused, 300u);
}

TEST(YamlText, KeepsTheTreeAndItsLines) {
    const YamlNode root = read_yaml("a: [x, {b: 'y: z'}]\n\nc:\n  - ~\n  - d\n", "f");
    ASSERT_EQ(root.keys.size(), 2u);
    ASSERT_EQ(root.items.size(), 2u);
    EXPECT_EQ(root.items[0].items[1].items[0].text, "y: z");
    EXPECT_EQ(root.keys[1].line, 3);
    EXPECT_EQ(root.items[1].items[0].kind, YamlNode::Kind::null);
    EXPECT_EQ(root.items[1].items[1].line, 5);
    EXPECT_EQ(read_yaml("# nothing\n", "f").kind, YamlNode::Kind::null);
}

TEST(Shard, SharesAreBalancedAndWhole) {
    std::vector<double> costs;
    for (double model : {1.1, 0.5, 0.36, 0.135, 0.46, 0.77})
        for (double type : {2.0, 1.5, 1.27, 1.14}) costs.push_back(model * type);
    const double sum = std::accumulate(costs.begin(), costs.end(), 0.0);
    for (int shards : {1, 2, 3, 5, 24, 40}) {
        const std::vector<int> owner = deal(costs, shards);
        std::vector<double> load(static_cast<std::size_t>(shards));
        for (std::size_t i = 0; i < costs.size(); ++i) {
            ASSERT_GE(owner[i], 1);
            ASSERT_LE(owner[i], shards);
            load[static_cast<std::size_t>(owner[i] - 1)] += costs[i];
        }
        // No share is longer than a fair one by more than the costliest job.
        EXPECT_LE(*std::max_element(load.begin(), load.end()),
                  sum / shards + *std::max_element(costs.begin(), costs.end()));
        EXPECT_EQ(owner, deal(costs, shards));
    }
    EXPECT_EQ(parse_shard("3/4").index, 3);
    for (const char* wrong : {"", "0/4", "5/4", "x/y", "1/0", " 1/4", "1/4 "})
        EXPECT_THROW(parse_shard(wrong), Error) << wrong;
}

TEST(Boards, AreKnownByWhatTheyCanDo) {
    Json machine = {{"board", "Orin Nano"},
                    {"cpu", "Cortex-A78AE"},
                    {"cores", 6},
                    {"memory_bytes", 7'990'000'000},
                    {"power_mode", "15W"}};
    EXPECT_EQ(board_label(machine), "Orin Nano, Cortex-A78AE, 6 cores, 8 GB, 15W");
    machine["memory_bytes"] = 7'980'000'000;
    EXPECT_EQ(board_label(machine), "Orin Nano, Cortex-A78AE, 6 cores, 8 GB, 15W");
    EXPECT_EQ(board_label(Json::object()), "unnamed board");
}

/// One model, two tasks of five questions; the child dies where a test says so.
class Deaths : public testing::Test {
  protected:
    void SetUp() override {
        log_level() = -1;
        folder_ = fs::temp_directory_path() / ("tinyllm_deaths_" + std::to_string(::getpid()));
        fs::remove_all(folder_);
        fs::create_directories(folder_ / "model");
        fs::create_directories(folder_ / "data");
        std::ofstream(folder_ / "model" / "config.json") << "{}";
        std::ofstream piqa(folder_ / "data" / "valid.jsonl"), wino(folder_ / "data" / "dev.jsonl");
        for (int i = 0; i < 5; ++i) {
            piqa << R"({"goal":"g","sol1":"one","sol2":"two","label":1})"
                 << "\n";
            wino << R"({"sentence":"The _ is near.","option1":"a","option2":"b","answer":"1"})"
                 << "\n";
        }
        options_.models = {(folder_ / "model").string()};
        options_.data = {(folder_ / "data").string()};
        options_.tasks = {"piqa", "winogrande"};
        options_.types = {"f32"};
        options_.protocols = {"lm-eval"};
        options_.output = (folder_ / "out").string();
    }
    void TearDown() override { fs::remove_all(folder_); }

    /// PIQA's questions begin with "Question".
    std::vector<std::string> statuses(int at_load, int at_piqa) {
        const Plan plan = make_plan(options_);
        const ResultsLock lock(options_.output);
        write_file(options_.output + "/study.json", dump_json_pretty(plan_json(plan, options_)));
        const Loader loader = [=](const StudyModel&, const std::string&) {
            if (at_load) ::raise(at_load);
            eval::Scorer scorer;
            scorer.encode = [](std::string_view text, bool) {
                return std::vector<Token>(text.begin(), text.end());
            };
            scorer.loglikelihood = [=](std::span<const ScoreRequest> requests) {
                if (at_piqa && requests.front().context.front() == 'Q') ::raise(at_piqa);
                std::vector<std::vector<Score>> scores;
                for (const ScoreRequest& request : requests)
                    scores.emplace_back(request.continuations.size(), Score{-1, 1, false});
                return scores;
            };
            scorer.context = 4096;
            Json facts = {{"architecture", "fake"}, {"parameters", 10}, {"weight_bytes", 40},
                          {"main_type", "f32"},     {"context", 4096},  {"backend", "fake"},
                          {"threads", 1},           {"load_ms", 0.5}};
            return LoadedModel{std::move(scorer), std::move(facts)};
        };
        EXPECT_TRUE(run_plan(plan, options_, loader));
        std::vector<std::string> found;
        for (const CellFigures& cell : read_summary(options_.output).cells) found.push_back(cell.status);
        return found;
    }

    fs::path folder_;
    StudyOptions options_;
};

TEST_F(Deaths, AtWorkCostOneCell) {
    EXPECT_EQ(statuses(0, SIGKILL), (std::vector<std::string>{"oom", "ok"}));
    options_.output += "2";
    EXPECT_EQ(statuses(0, SIGABRT), (std::vector<std::string>{"failed", "ok"}));
}

TEST_F(Deaths, WhileLoadingCostTheModelAtThisType) {
    EXPECT_EQ(statuses(SIGKILL, 0), (std::vector<std::string>{"oom", "oom"}));
}

}  // namespace
}  // namespace tinyllm::study
