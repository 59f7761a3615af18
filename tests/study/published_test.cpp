// A study beside the published figures.
#include "tools/study/published.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tools/eval/rows_file.h"

namespace tinyllm::study {
namespace {

namespace fs = std::filesystem;

CellFigures cell_of(const std::string& model, const std::string& task, std::size_t right, std::size_t n,
                    double ms) {
    CellFigures cell;
    cell.model = model;
    cell.type = "f32";
    cell.task = cell.title = task;
    cell.protocol = eval::Protocol::study;
    cell.status = "ok";
    cell.figures.n = n;
    cell.figures.acc.value = static_cast<double>(right) / static_cast<double>(n);
    cell.figures.latency.mean = ms;
    cell.peak_bytes = std::int64_t{1} << 28;
    cell.load = {{"weight_bytes", std::int64_t{100} << 20}};
    return cell;
}

TEST(Published, ModelsAreKnownByTheirNames) {
    ASSERT_EQ(published_models().size(), 20u);
    ASSERT_TRUE(find_published("SmolLM-135M"));
    EXPECT_EQ(find_published("smollm-135m")->hub_id, "HuggingFaceTB/SmolLM-135M");
    EXPECT_EQ(find_published("SmolLM-135M@main")->hub_id, "HuggingFaceTB/SmolLM-135M");
    EXPECT_EQ(find_published("EleutherAI/pythia-160m")->hub_id, "EleutherAI/pythia-160m");
    EXPECT_FALSE(find_published("SmolLM-135M-Instruct"));
    EXPECT_FALSE(find_published("SmolLM"));
    EXPECT_FALSE(find_published(""));
}

TEST(Published, FiguresAreThoseOfTheStudy) {
    const fs::path path = fs::path(TINYLLM_SOURCE_DIR) / ".." / "shared" / "study" / "published.json";
    if (!fs::exists(path)) GTEST_SKIP() << path << " is not there";
    const auto study = nlohmann::json::parse(eval::read_bytes(path));
    ASSERT_EQ(study.at("models").size(), published_models().size());
    for (const auto& model : study.at("models")) {
        const PublishedModel* ours = find_published(model.at("hub_id").get<std::string>());
        ASSERT_TRUE(ours) << model.at("hub_id");
        for (std::size_t i = 0; i < published_tasks().size(); ++i) {
            const std::string task(published_tasks()[i].task);
            EXPECT_EQ(study.at("protocol").at("samples").at(task), published_tasks()[i].questions);
            const auto expect = [&](const char* key, double value) {
                const auto figure = model.at("published").is_null() ? nlohmann::json()
                                                                    : model.at("published").at(key).at(task);
                if (figure.is_null()) {
                    EXPECT_TRUE(std::isnan(value)) << ours->hub_id << ' ' << task << ' ' << key;
                } else {
                    EXPECT_EQ(figure.get<double>(), value) << ours->hub_id << ' ' << task << ' ' << key;
                }
            };
            expect("accuracy_percent", ours->tasks[i].accuracy_percent);
            expect("inference_ms", ours->tasks[i].ms);
            expect("peak_gpu_memory_gb", ours->tasks[i].peak_gib);
        }
    }
}

TEST(Published, TwoProportions) {
    EXPECT_NEAR(two_proportions(30, 100, 45, 100), 0.028459736916,
                1e-9);  // as a chi-squared test without correction
    EXPECT_EQ(two_proportions(30, 100, 45, 100), two_proportions(45, 100, 30, 100));
    EXPECT_EQ(two_proportions(50, 100, 500, 1000), 1);
    EXPECT_EQ(two_proportions(0, 100, 0, 50), 1);
    EXPECT_EQ(two_proportions(100, 100, 50, 50), 1);
    EXPECT_EQ(two_proportions(0, 0, 5, 10), 1);
}

TEST(Published, RowsAndWords) {
    Summary summary;
    summary.cells = {cell_of("SmolLM-135M", "arc_easy", 138, 570, 62.7955),  // as published
                     cell_of("SmolLM-135M", "piqa", 600, 1000, 69.0585),     // 10 points more
                     cell_of("SmolLM-135M", "hellaswag", 250, 1000, 50),     // not in the study
                     cell_of("pythia-160m", "piqa", 0, 1000, 10),
                     cell_of("TinyLlama_v1.1", "boolq", 600, 1000, 10),  // no figures there
                     cell_of("another", "piqa", 500, 1000, 10)};
    summary.cells[3].status = "oom";
    summary.cells.push_back(summary.cells[0]);
    summary.cells.back().protocol = eval::Protocol::lm_eval;
    const tinyllm::Table table = published_table(summary);
    ASSERT_EQ(table.rows.size(), 4u);
    EXPECT_EQ(table.rows[0].at("published"), "24.2 (20.9 to 27.9)");
    EXPECT_EQ(table.rows[0].at("measured"), "24.2 (20.9 to 27.9)");
    EXPECT_NEAR(table.rows[0].at("difference").get<double>(), 0, 1e-3);
    EXPECT_EQ(table.rows[0].at("p"), 1);
    EXPECT_NEAR(table.rows[0].at("speed").get<double>(), 2, 1e-9);
    EXPECT_EQ(table.rows[0].at("peak_gib"), 0.25);
    EXPECT_EQ(table.rows[0].at("size_mib"), 100);
    EXPECT_NEAR(table.rows[1].at("difference").get<double>(), 10.1, 1e-9);
    EXPECT_LT(table.rows[1].at("p").get<double>(), 1e-5);
    EXPECT_EQ(table.rows[2].at("measured"), "oom");
    EXPECT_FALSE(table.rows[2].contains("p"));
    EXPECT_EQ(table.rows[3].at("published"), "no figure");
    EXPECT_TRUE(table.rows[3].at("published_ms").is_null());

    const std::vector<std::string> words = words_about_published(summary);
    ASSERT_EQ(words.size(), 2u);  // a model whose cells all failed has nothing to be said of
    EXPECT_NE(words[0].find("1 of 2 accuracies differ beyond chance, piqa (+10.1 points)"), std::string::npos)
        << words[0];
    EXPECT_NE(words[0].find("2.00 times its speed"), std::string::npos) << words[0];
    EXPECT_NE(words[1].find("no accuracy to compare"), std::string::npos) << words[1];
    EXPECT_NE(words[1].find("a figure on 1 task where the published board had none"), std::string::npos)
        << words[1];
}

TEST(Published, ManyTasksDifferByChanceLessOften) {
    Summary summary;
    // p about 0.03 each: below 5 % alone, not among six.
    for (const PublishedData& data : published_tasks()) {
        const PublishedTask& published =
            find_published("opt-125m")->tasks[static_cast<std::size_t>(&data - published_tasks().data())];
        const double share = published.accuracy_percent / 100, n = static_cast<double>(data.questions);
        const double moved = share + 2.17 * std::sqrt(2 * share * (1 - share) / n);
        summary.cells.push_back(cell_of("opt-125m", std::string(data.task),
                                        static_cast<std::size_t>(std::lround(moved * n)), data.questions, 1));
    }
    for (const Json& row : published_table(summary).rows) {
        EXPECT_LT(row.at("p").get<double>(), 0.05);
        EXPECT_GT(row.at("p").get<double>(), 0.01);
    }
    EXPECT_NE(words_about_published(summary)[0].find("no accuracy of 6 differs beyond chance"),
              std::string::npos);
}

}  // namespace
}  // namespace tinyllm::study
