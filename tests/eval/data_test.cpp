// Finding the files of a task, and reading every layout they come in.
#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "tinyllm/error.h"
#include "tools/eval/find_data.h"
#include "tools/eval/rows_file.h"
#include "tools/eval/sha256.h"

namespace tinyllm::eval {
namespace {

namespace fs = std::filesystem;

class Data : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = fs::temp_directory_path() / ("tinyllm_data_" + std::to_string(::getpid()) + "_" +
                                               testing::UnitTest::GetInstance()->current_test_info()->name());
        fs::create_directories(folder_);
    }
    void TearDown() override { fs::remove_all(folder_); }
    fs::path put(const std::string& name, const std::string& bytes) {
        const fs::path path = folder_ / name;
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << bytes;
        return path;
    }
    std::string found(const char* task, Protocol protocol) {
        DataPlaces places;
        places.folders = {folder_};
        return fs::relative(DataIndex(places).find(find_task(task), protocol).rows, folder_).string();
    }
    ErrorKind kind(const char* task) {
        try {
            found(task, Protocol::lm_eval);
        } catch (const Error& error) {
            message_ = error.what();
            return error.kind();
        }
        return ErrorKind::runtime;
    }
    fs::path folder_;
    std::string message_;
};

const char* kArc =
    R"({"id":"1","question":{"stem":"s","choices":[{"text":"a","label":"A"},{"text":"b","label":"B"}]},"answerKey":"A"})";
const char* kSocial = R"({"context":"c","question":"q","answerA":"1","answerB":"2","answerC":"3"})";
const char* kWino = R"({"sentence":"a _ b","option1":"x","option2":"y","answer":"1"})";
const char* kGoogle = R"({"question":"q","title":"t","answer":true,"passage":"p"})";
const char* kGlue = R"({"question":"q","passage":"t -- p","idx":0,"label":true})";
const char* kPiqa = R"({"goal":"g","sol1":"a","sol2":"b"})";

TEST_F(Data, TrainingFiles) {
    put("ARC-Easy/ARC-Easy-Train.jsonl", kArc);
    put("ARC-Easy/ARC-Easy-Test.jsonl", kArc);
    put("a/Data/Main/train.jsonl", kArc);
    put("b/train.jsonl", kSocial);
    put("b/train-labels.lst", "2\n");
    put("c/train_xl.jsonl", kWino);
    put("c/train_s.jsonl", kWino);
    put("d/train.jsonl", kGoogle);
    put("e/train.jsonl", kGlue);
    put("f/piqa-train.jsonl", kPiqa);
    DataPlaces places =
        parse_data_arguments({folder_.string(), "piqa:train=" + put("p,q.jsonl", kPiqa).string(),
                              "piqa=" + put("questions.jsonl", kPiqa).string()});
    EXPECT_EQ(places.named.size(), 1u);
    const DataIndex index(places), folder({{folder_}, {}, {}});
    auto training = [&](const DataIndex& of, const char* task) {
        return fs::relative(of.find_training(find_task(task)).value().rows, folder_).string();
    };
    EXPECT_EQ(training(index, "arc_easy"), "ARC-Easy/ARC-Easy-Train.jsonl");
    EXPECT_EQ(training(index, "openbookqa"), "a/Data/Main/train.jsonl");
    EXPECT_EQ(training(index, "social_iqa"), "b/train.jsonl");
    EXPECT_EQ(index.find_training(find_task("social_iqa"))->labels, folder_ / "b/train-labels.lst");
    EXPECT_EQ(training(index, "winogrande"), "c/train_xl.jsonl");
    EXPECT_EQ(training(index, "boolq"), "e/train.jsonl") << "SuperGLUE's layout is the harness's";
    EXPECT_EQ(training(index, "piqa"), "p,q.jsonl");
    EXPECT_EQ(training(folder, "piqa"), "f/piqa-train.jsonl");
    EXPECT_FALSE(folder.try_find(find_task("winogrande"), Protocol::lm_eval))
        << "training rows are no questions";
    EXPECT_FALSE(folder.find_training(find_task("arc_challenge")));
    put("g/train.jsonl", kSocial);
    EXPECT_THROW(DataIndex({{folder_}, {}, {}}).find_training(find_task("social_iqa")), Error) << "two fit";
}

TEST_F(Data, SameNamesAreToldApartByTheirRows) {
    put("a/Data/Main/dev.jsonl", kArc);
    put("a/Data/Main/test.jsonl", kArc);
    put("b/dev.jsonl", kSocial);
    put("b/dev-labels.lst", "2\n");
    put("c/dev.jsonl", kWino);
    put("c/train_xl.jsonl", kWino);
    put("d/dev.jsonl", kGoogle);
    put("e/dev.jsonl", kPiqa);
    put("ARC-Easy/ARC-Easy-Test.jsonl", kArc);
    put("ARC-Easy/ARC-Easy-Dev.jsonl", kArc);
    put("ARC-Challenge/ARC-Challenge-Test.jsonl", kArc);
    put("notes.json", "not json");
    EXPECT_EQ(found("openbookqa", Protocol::lm_eval), "a/Data/Main/test.jsonl");
    EXPECT_EQ(found("openbookqa", Protocol::study), "a/Data/Main/dev.jsonl");
    EXPECT_EQ(found("social_iqa", Protocol::lm_eval), "b/dev.jsonl");
    EXPECT_EQ(found("winogrande", Protocol::lm_eval), "c/dev.jsonl");
    EXPECT_EQ(found("boolq", Protocol::lm_eval), "d/dev.jsonl");
    EXPECT_EQ(found("piqa", Protocol::lm_eval), "e/dev.jsonl");
    EXPECT_EQ(found("arc_easy", Protocol::lm_eval), "ARC-Easy/ARC-Easy-Test.jsonl");
    EXPECT_EQ(found("arc_easy", Protocol::study), "ARC-Easy/ARC-Easy-Dev.jsonl");
    EXPECT_EQ(found("arc_challenge", Protocol::lm_eval), "ARC-Challenge/ARC-Challenge-Test.jsonl");
    EXPECT_EQ(kind("hellaswag"), ErrorKind::not_found);
    EXPECT_NE(message_.find("hellaswag_val.jsonl"), std::string::npos);
}

TEST_F(Data, EachProtocolTakesItsOwnBoolQ) {
    put("google/dev.jsonl", kGoogle);
    put("BoolQ/val.jsonl", kGlue);
    EXPECT_EQ(found("boolq", Protocol::lm_eval), "BoolQ/val.jsonl");
    EXPECT_EQ(found("boolq", Protocol::study), "google/dev.jsonl");
}

TEST_F(Data, TwoEqualFilesAreAnError) {
    put("a/dev.jsonl", kWino);
    put("b/dev.jsonl", kWino);
    EXPECT_EQ(kind("winogrande"), ErrorKind::usage);
    EXPECT_NE(message_.find("a/dev.jsonl"), std::string::npos);
    EXPECT_NE(message_.find("b/dev.jsonl"), std::string::npos);
}

TEST_F(Data, FoldersHoldLargerFilesThanMemory) {
    for (const char* name : {"zeros.json", "zeros.jsonl", "zeros.tsv"})
        fs::resize_file(put(name, "["), std::uintmax_t{1} << 40);  // of which the disk holds next to nothing
    const std::string long_text(200'000, 'g');
    put("valid.jsonl", R"({"goal":")" + long_text + R"(","sol1":"a","sol2":"b"})" + "\n");
    put("c/dev.json", "[" + std::string(100'000, ' ') + kWino + "]");
    EXPECT_EQ(found("piqa", Protocol::lm_eval), "valid.jsonl");
    EXPECT_EQ(found("winogrande", Protocol::lm_eval), "c/dev.json");
}

TEST_F(Data, ReadsEveryContainer) {
    EXPECT_EQ(read_rows(put("lines.jsonl", "{\"a\":1}\r\n\n  \n{\"a\":2}")).size(), 2u);
    const auto api = read_rows(put(
        "rows.json",
        R"({"features":[],"rows":[{"row_idx":0,"row":{"a":1},"truncated_cells":[]},{"row_idx":1,"row":{"a":2},"truncated_cells":[]}]})"));
    EXPECT_EQ(api.size(), 2u);
    EXPECT_EQ(api[1].json.at("a"), 2);
    EXPECT_EQ(read_rows(put("array.json", " [{\"a\":1}]")).size(), 1u);
    const auto tsv = read_rows(put("x.tsv", "ID\tQuestion Stem\n7\tWhy?\n"));
    EXPECT_EQ(tsv.at(0).json.at("Question Stem"), "Why?");
    // U+2028 and U+0085 inside a string end no line.
    EXPECT_EQ(read_rows(put("odd.jsonl", "{\"a\":\"x\u2028y\u0085z\"}\n")).size(), 1u);
}

// Of a large file only the beginning is looked at, if that is enough.
TEST_F(Data, FirstRowsOfLargeFiles) {
    const std::string much(700'000, 'x');
    const auto row = [&](const std::string& text) { return "{\"a\":\"" + text + "\"}"; };
    const std::string rows = row("one") + "\n" + row(much) + "\n" + row(much);
    for (const fs::path& path :
         {put("lines.jsonl", rows), put("mark.jsonl", "\xef\xbb\xbf\n \n" + rows),
          put("long.jsonl", row(much + much) + "\n" + row("two") + "\n"),
          put("array.jsonl", " [" + row("one") + ",\n" + row(much) + ",\n" + row(much) + "]"),
          put("value.json", "{\"rows\":[{\"row\":{\"a\":\n\"one\"}},{\"row\":" + row(much + much) + "}]}"),
          put("header.tsv", "a\tb\n" + much + much + "\t2\n3\t4\n"),
          put("rows.tsv", "a\tb\n1\t2\n" + much + much + "\t4\n")}) {
        ASSERT_GT(fs::file_size(path), 1u << 20);
        const auto first = first_row(path);
        ASSERT_TRUE(first) << path;
        EXPECT_TRUE(*first == read_rows(path).front().json) << path;
    }
    EXPECT_FALSE(first_row(put("text.jsonl", much + "\n" + much)));
}

// What `tinyllm pull data:TASK:train` fetches and find_training() looks for.
TEST(Tasks, NameTheirTrainingSplit) {
    for (const auto make : all_tasks()) {
        const Task& task = make();
        ASSERT_FALSE(task.training_files.empty()) << task.name;
        EXPECT_GT(task.training_rows, 1000u) << task.name;
        EXPECT_TRUE(task.training_files.front().ends_with(".jsonl")) << task.name;
        for (const DataName& file : task.files) EXPECT_NE(file.name, task.training_files.front());
    }
}

TEST_F(Data, BadFilesNameThePlace) {
    auto message = [&](const fs::path& path,
                       const std::optional<fs::path>& labels = std::nullopt) -> std::string {
        try {
            read_rows(path, labels);
        } catch (const Error& error) {
            return error.what();
        }
        return "";
    };
    EXPECT_NE(message(put("a.jsonl", "{}\n{\"a\":\n")).find("a.jsonl:2"), std::string::npos);
    EXPECT_NE(message(put("b.jsonl", "3\n")).find("b.jsonl:1: expected a JSON object"), std::string::npos);
    EXPECT_NE(message(put("c.jsonl", "\n")).find("found none"), std::string::npos);
    EXPECT_NE(message(put("d.tsv", "A\tB\n1\n")).find("d.tsv:2"), std::string::npos);
    EXPECT_NE(message(put("e.jsonl", "{\"a\":\"\xff\"}\n")).find("e.jsonl:1"), std::string::npos);
    EXPECT_NE(message(put("f.jsonl", "{}\n{}\n"), put("f.lst", "0\n")).find("expected 2 labels"),
              std::string::npos);
    EXPECT_NE(message(put("g.json", R"({"rows":[{"row_idx":0,"row":{"a":1},"truncated_cells":["a"]}]})"))
                  .find("truncated"),
              std::string::npos);
}

TEST_F(Data, Limits) {
    std::string rows;
    for (int i = 0; i < 7; ++i) rows += std::string(kWino) + "\n";
    const DataFile file{put("w.jsonl", rows), std::nullopt, true};
    auto count = [&](double limit) {
        return load_questions(find_task("winogrande"), Protocol::lm_eval, file, limit).examples.size();
    };
    EXPECT_EQ(count(0), 7u);
    EXPECT_EQ(count(3), 3u);
    EXPECT_EQ(count(1), 1u);
    EXPECT_EQ(count(100), 7u);
    EXPECT_EQ(count(0.5), 4u);
    for (double limit : {-1.0, 1.5, 1e300, HUGE_VAL, std::nan("")})
        EXPECT_THROW(count(limit), Error) << limit;
}

TEST_F(Data, Arguments) {
    const fs::path rows = put("a,b.jsonl", kPiqa);
    const fs::path labels = put("l.lst", "1\n");
    const auto places =
        parse_data_arguments({"piqa=" + rows.string() + "," + labels.string(), folder_.string()});
    EXPECT_EQ(places.named.at("piqa").rows, rows);
    EXPECT_EQ(*places.named.at("piqa").labels, labels);
    EXPECT_EQ(places.folders.size(), 1u);
    EXPECT_THROW(parse_data_arguments({"nothing=x"}), Error);
    EXPECT_THROW(parse_data_arguments({"piqa=" + (folder_ / "no").string()}), Error);
    EXPECT_THROW(parse_data_arguments({(folder_ / "no").string()}), Error);
}

TEST(Shared, TsvTwinEqualsJsonLines) {
    const fs::path folder = fs::path(TINYLLM_SOURCE_DIR) / ".." / "shared" / "data" / "OpenBookQA";
    if (!fs::exists(folder / "test.tsv")) GTEST_SKIP() << "no ../shared/data beside the project";
    const Task& task = find_task("openbookqa");
    const auto tsv = read_rows(folder / "test.tsv"), lines = read_rows(folder / "test.jsonl");
    ASSERT_EQ(tsv.size(), lines.size());
    for (std::size_t i = 0; i < tsv.size(); ++i) {
        const Example a = task.read(tsv[i]), b = task.read(lines[i]);
        EXPECT_EQ(a.doc, b.doc) << i;
        EXPECT_EQ(a.gold, b.gold) << i;
    }
}

TEST(Sha256, KnownSums) {
    EXPECT_EQ(sha256_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sha256_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    Sha256 sum;
    for (int i = 0; i < 1000; ++i) sum.update("aaaaaaaaa", 9);
    EXPECT_EQ(sum.hex(), sha256_of(std::string(9000, 'a')));
}

}  // namespace
}  // namespace tinyllm::eval
