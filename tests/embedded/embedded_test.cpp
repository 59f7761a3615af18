// The embedded models and questions: in place, in the official formats, small, balanced, and asking nothing
// that was trained on.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kEmbedded = fs::path(TINYLLM_SOURCE_DIR) / "tools" / "embedded";
const fs::path kQuestions = kEmbedded / "questions";

std::string read_bytes(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    EXPECT_TRUE(in.good()) << path;
    return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> read_lines(const fs::path& path) {
    std::vector<std::string> lines;
    std::ifstream in(path, std::ios::binary);
    EXPECT_TRUE(in.good()) << path;
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

std::vector<json> read_rows(const fs::path& path) {
    std::vector<json> rows;
    for (const std::string& line : read_lines(path)) {
        rows.push_back(json::parse(line));
    }
    return rows;
}

struct Choices {
    std::vector<std::string> texts;
    int gold = -1;
};

// One reader per format; `label` is the line of the labels file, if there is one.
Choices arc_choices(const json& row, const std::string&) {
    Choices c;
    for (const json& choice : row.at("question").at("choices")) {
        if (choice.at("label") == row.at("answerKey")) {
            c.gold = static_cast<int>(c.texts.size());
        }
        c.texts.push_back(choice.at("text"));
    }
    EXPECT_FALSE(row.at("question").at("stem").get<std::string>().empty());
    return c;
}

Choices boolq_choices(const json& row, const std::string&) {
    for (const char* key : {"question", "title", "passage"}) {
        EXPECT_FALSE(row.at(key).get<std::string>().empty());
    }
    return {{"no", "yes"}, row.at("answer").get<bool>() ? 1 : 0};
}

Choices piqa_choices(const json& row, const std::string& label) {
    EXPECT_FALSE(row.at("goal").get<std::string>().empty());
    return {{row.at("sol1"), row.at("sol2")}, std::stoi(label)};
}

Choices social_choices(const json& row, const std::string& label) {
    EXPECT_FALSE(row.at("context").get<std::string>().empty() ||
                 row.at("question").get<std::string>().empty());
    return {{row.at("answerA"), row.at("answerB"), row.at("answerC")}, std::stoi(label) - 1};
}

Choices blank_choices(const json& row, const std::string& label) {
    const std::string sentence = row.at("sentence");
    EXPECT_EQ(std::count(sentence.begin(), sentence.end(), '_'), 1);
    EXPECT_EQ(row.at("answer"), label);
    return {{row.at("option1"), row.at("option2")}, std::stoi(label) - 1};
}

Choices ending_choices(const json& row, const std::string&) {
    EXPECT_EQ(row.at("ctx"), row.at("ctx_a").get<std::string>() + " " + row.at("ctx_b").get<std::string>());
    EXPECT_FALSE(row.at("activity_label").get<std::string>().empty());
    EXPECT_EQ(row.at("endings").size(), 4u);
    return {row.at("endings"), row.at("label").get<int>()};
}

struct QuestionFile {
    const char* path;
    const char* labels;  // or null
    Choices (*choices)(const json&, const std::string&);
};

const QuestionFile kFiles[] = {
    {"ARC-Easy/ARC-Easy-Test.jsonl", nullptr, arc_choices},
    {"ARC-Easy/ARC-Easy-Dev.jsonl", nullptr, arc_choices},
    {"OpenBookQA/test.jsonl", nullptr, arc_choices},
    {"OpenBookQA/dev.jsonl", nullptr, arc_choices},
    {"BoolQ/dev.jsonl", nullptr, boolq_choices},
    {"PIQA/valid.jsonl", "PIQA/valid-labels.lst", piqa_choices},
    {"SocialIQA/dev.jsonl", "SocialIQA/dev-labels.lst", social_choices},
    {"WinoGrande/dev.jsonl", "WinoGrande/dev-labels.lst", blank_choices},
    {"HellaSwag/hellaswag_val.jsonl", nullptr, ending_choices},
};

TEST(EmbeddedQuestions, AreWellFormedAndBalanced) {
    for (const QuestionFile& file : kFiles) {
        SCOPED_TRACE(file.path);
        const std::vector<json> rows = read_rows(kQuestions / file.path);
        EXPECT_GE(rows.size(), 60u);
        const std::vector<std::string> labels =
            file.labels ? read_lines(kQuestions / file.labels) : std::vector<std::string>(rows.size());
        ASSERT_EQ(labels.size(), rows.size());
        std::map<int, size_t> places;
        size_t fewest = rows.size();
        for (size_t i = 0; i < rows.size(); ++i) {
            SCOPED_TRACE(i);
            Choices c = file.choices(rows[i], labels[i]);
            ASSERT_GE(c.gold, 0);
            ASSERT_LT(static_cast<size_t>(c.gold), c.texts.size());
            ++places[c.gold];
            fewest = std::min(fewest, c.texts.size());
            std::sort(c.texts.begin(), c.texts.end());
            EXPECT_EQ(std::adjacent_find(c.texts.begin(), c.texts.end()), c.texts.end())
                << "two equal choices";
        }
        for (const auto& [place, count] : places) {
            EXPECT_LE(count, rows.size() / fewest + 10) << "a constant answer pays at place " << place;
        }
    }
}

// A .safetensors header: 8 bytes of length, then JSON.
json safetensors_header(const fs::path& path) {
    const std::string bytes = read_bytes(path);
    std::uint64_t length = 0;
    EXPECT_GE(bytes.size(), sizeof length);
    std::memcpy(&length, bytes.data(), sizeof length);
    EXPECT_LE(length, bytes.size() - sizeof length);
    json header = json::parse(bytes.substr(sizeof length, length));
    header.erase("__metadata__");
    return header;
}

TEST(EmbeddedModels, HaveTheirTypesAndQuantizableWidths) {
    const std::map<std::string, std::string> dtypes = {{"tiny-gpt2", "F32"}, {"tiny-llama", "BF16"}};
    for (const auto& [model, dtype] : dtypes) {
        SCOPED_TRACE(model);
        const fs::path folder = kEmbedded / "models" / model;
        for (const char* file :
             {"config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"}) {
            EXPECT_TRUE(json::parse(read_bytes(folder / file)).is_object()) << file;
        }
        const json header = safetensors_header(folder / "model.safetensors");  // outlives items()
        for (const auto& [name, tensor] : header.items()) {
            EXPECT_EQ(tensor.at("dtype"), dtype) << name;
            for (const json& dim : tensor.at("shape")) {
                EXPECT_EQ(dim.get<int>() % 32, 0) << name;
            }
        }
    }
    EXPECT_TRUE(fs::exists(kEmbedded / "models" / "tiny-gpt2" / "vocab.json"));
    EXPECT_TRUE(fs::exists(kEmbedded / "models" / "tiny-gpt2" / "merges.txt"));
}

TEST(EmbeddedFiles, AreSixMegabytesAtMost) {
    std::uintmax_t total = 0;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(kEmbedded)) {
        if (entry.is_regular_file() && entry.path().string().find("__pycache__") == std::string::npos) {
            total += entry.file_size();
        }
    }
    EXPECT_LE(total, 6'000'000u);
}

TEST(EmbeddedHarnessResults, AreAboveChanceAndAgreeWithTheirRequests) {
    const std::map<std::string, double> chance = {
        {"arc_easy", 0.25},     {"boolq", 0.5},      {"openbookqa", 0.25}, {"piqa", 0.5},
        {"social_iqa", 1. / 3}, {"winogrande", 0.5}, {"hellaswag", 0.25}};
    const fs::path path = fs::path(TINYLLM_TEST_DIR) / "embedded" / "harness_results.json";
    if (!fs::exists(path)) {
        GTEST_SKIP() << "no " << path << ": make_harness_results.py writes it";
    }
    const json models = json::parse(read_bytes(path));
    ASSERT_EQ(models.size(), 2u);
    for (const auto& [model, result] : models.items()) {
        for (const auto& [task, guess] : chance) {
            SCOPED_TRACE(model + " " + task);
            const json& t = result.at("tasks").at(task);
            EXPECT_GE(t.at("questions").get<int>(), 60);
            const double acc = t.at("metrics").at("acc,none"), error = t.at("metrics").at("acc_stderr,none");
            EXPECT_GT(acc, guess + 2 * error);
            for (const json& sample : t.at("samples")) {
                double best = -1e300;
                int answer = -1, i = 0;
                for (const json& request : sample.at("requests")) {
                    if (request.at("loglikelihood").get<double>() > best) {
                        best = request.at("loglikelihood");
                        answer = i;
                    }
                    ++i;
                }
                EXPECT_EQ(sample.at("acc").get<double>(), answer == sample.at("gold").get<int>() ? 1.0 : 0.0);
            }
        }
    }
}

// The generator needs python3 alone; it is the check that no answer was trained on.
TEST(EmbeddedWorld, MakesTheseQuestionsAndNoAnswerStandsInTheTrainingText) {
    if (std::system("python3 -c '' > /dev/null 2>&1") != 0) {
        GTEST_SKIP() << "no python3";
    }
    const fs::path folder = fs::temp_directory_path() /
                            ("tinyllm_world_" + std::to_string(std::hash<std::string>()(TINYLLM_TEST_DIR)));
    const std::string world = "python3 -B '" + (kEmbedded / "world.py").string() + "' ";
    ASSERT_EQ(std::system((world + "questions '" + folder.string() + "'").c_str()), 0);
    for (const QuestionFile& file : kFiles) {
        EXPECT_EQ(read_bytes(folder / file.path), read_bytes(kQuestions / file.path)) << file.path;
        if (file.labels) {
            EXPECT_EQ(read_bytes(folder / file.labels), read_bytes(kQuestions / file.labels)) << file.labels;
        }
    }
    fs::remove_all(folder);
    EXPECT_EQ(std::system((world + "check").c_str()), 0);
}

}  // namespace
