// The report's page and exports: room for a large study, texts that want to break out, several boards, LaTeX.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tinyllm/error.h"
#include "tools/study/chart_parts.h"
#include "tools/study/charts.h"
#include "tools/study/page_parts.h"
#include "tools/study/report.h"

namespace tinyllm::study {
namespace {

struct Size {
    std::size_t models = 2, types = 3, tasks = 2, questions = 20, study_questions = 20;
    std::vector<std::string> boards = {"board one"};
    bool sensors = true;
};

const std::vector<std::string> kTypes = {"f32", "f16", "q8_0", "q5_0", "q4_0", "q3_k", "q2_k"};
const std::vector<std::string> kTasks = {"arc_easy", "boolq",      "hellaswag", "openbookqa",
                                         "piqa",     "social_iqa", "winogrande"};

// Answers by arithmetic, so that models and types differ in some.
eval::Answer made_answer(std::size_t model, std::size_t type, std::size_t question) {
    eval::Answer answer;
    const std::size_t mixed = (question * 7919 + model * 31 + (question % 5 == 0 ? type * 17 : 0)) % 101;
    for (std::size_t c = 0; c < 4; ++c)
        answer.scores.push_back(-0.1 * static_cast<double>((mixed * (c + 3)) % 29));
    answer.prediction = eval::argmax(answer.scores);
    answer.prediction_norm = answer.prediction;
    answer.gold = static_cast<int>(question % 4);
    answer.ms = 0.5 + 0.37 * static_cast<double>(mixed + 10 * model);
    answer.tokens = 30;
    return answer;
}

Summary made_study(const Size& size) {
    Summary all;
    for (std::size_t m = 0; m < size.models; ++m) all.models.push_back("model " + std::to_string(m) + "/B");
    all.types.assign(kTypes.begin(), kTypes.begin() + static_cast<std::ptrdiff_t>(size.types));
    all.tasks.assign(kTasks.begin(), kTasks.begin() + static_cast<std::ptrdiff_t>(size.tasks));
    for (const std::string& task : all.tasks) all.titles.push_back("<" + task + "> & Co");
    all.protocols = {eval::Protocol::lm_eval, eval::Protocol::study};
    all.boards = size.boards;
    Json models = Json::array(), boards = Json::array();
    for (const std::string& model : all.models)
        models.push_back(
            {{"name", model}, {"path", "x"}, {"sha256", std::string(64, 'a')}, {"file_bytes", 4000}});
    const Json machine = {{"cpu", "CPU \"of\" <ours>"}, {"board", nullptr}, {"cores", 4}};
    for (const std::string& board : all.boards) boards.push_back({{"board", board}, {"machine", machine}});
    all.study = {{"date", "2026-01-01T00:00:00Z"},
                 {"limit", nullptr},
                 {"exact", false},
                 {"machine", machine},
                 {"models", models},
                 {"boards", boards}};
    for (std::size_t b = 0; b < all.boards.size(); ++b)
        for (std::size_t m = 0; m < size.models; ++m)
            for (std::size_t t = 0; t < size.types; ++t)
                for (eval::Protocol protocol : all.protocols)
                    for (std::size_t k = 0; k < size.tasks; ++k) {
                        CellFigures cell;
                        cell.model = all.models[m];
                        cell.type = all.types[t];
                        cell.task = all.tasks[k];
                        cell.title = all.titles[k];
                        cell.board = all.boards[b];
                        cell.protocol = protocol;
                        cell.status = "ok";
                        const std::size_t asked =
                            protocol == eval::Protocol::study ? size.study_questions : size.questions;
                        for (std::size_t i = 0; i < asked; ++i) {
                            cell.answers.push_back(made_answer(m, t, i + k));
                            cell.answers.back().ms *= static_cast<double>(b + 1);
                        }
                        cell.figures = eval::figures_of(cell.answers);
                        cell.peak_bytes = 1 << 24;
                        cell.load = {{"architecture", "llama"}, {"parameters", 1000000},
                                     {"context", 512},          {"weight_bytes", 4000000 >> t},
                                     {"backend", "cpu"},        {"threads", 1},
                                     {"load_ms", 1.0}};
                        cell.settings = {{"limit", 0.0}, {"data_sha256", ""}, {"labels_sha256", ""}};
                        if (size.sensors) {
                            cell.usage = {{"energy_J", 3.0},       {"questions", size.questions},
                                          {"correct", 5},          {"seconds", 1.0},
                                          {"energy_of", "VDD_IN"}, {"power_W", 3.0},
                                          {"idle_W", 2.0},         {"temp_C", 50.0}};
                            Json series = {{"t", Json::array()},         {"power_W", Json::array()},
                                           {"temp_C", Json::array()},    {"cpu_MHz", nullptr},
                                           {"throttled", Json::array()}, {"started", "2026-01-01"}};
                            for (int i = 0; i < 64; ++i) {
                                series["t"].push_back(static_cast<double>(k) * 10 + 0.1 * i);
                                series["power_W"].push_back(3.123 + 0.01 * i);
                                series["temp_C"].push_back(i == 7 ? Json() : Json(40.1 + 0.1 * i));
                                series["throttled"].push_back(i == 9 ? 1.0 : 0.0);
                            }
                            cell.series = std::move(series);
                        }
                        all.cells.push_back(std::move(cell));
                    }
    if (all.boards.size() > 1) {
        // Entries of several boards by way of a summary per board.
        for (const std::string& board : all.boards)
            for (Entry e : of_board(all, board).entries) {
                e.cells.clear();
                e.one_of_boards = true;
                for (const CellFigures& cell : all.cells)
                    if (cell.board == board && cell.protocol == e.protocol && cell.model == e.model &&
                        cell.type == e.type)
                        e.cells.push_back(&cell);
                all.entries.push_back(std::move(e));
            }
        return all;
    }
    return of_board(all, all.boards.front());
}

const std::string kEvil =
    "</script><script>alert(1)</script><!-- \"quotes\" 'too' & <b> \xe2\x80\xa8\xe2\x80\xa9 \x01\x1f\x7f "
    "\xff\xc3 \\u003c";

QuestionTexts long_texts(std::size_t questions) {
    return [questions](eval::Protocol, const std::string&) {
        return std::vector<QuestionText>(
            questions, {kEvil + std::string(400, 'x'), {kEvil, "b", "c", std::string(100, 'd')}});
    };
}

std::size_t occurrences(const std::string& text, const std::string& part) {
    std::size_t n = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
    return n;
}

Json page_data(const std::string& page) {
    const std::string open = "<script type=\"application/json\" id=\"data\">";
    const std::size_t begin = page.find(open) + open.size();
    return Json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

TEST(Report, ALargeStudyHasRoom) {
    const Summary summary =
        made_study({.models = 20, .types = 4, .tasks = 7, .questions = 1000, .study_questions = 100});
    ASSERT_EQ(summary.cells.size(), 20u * 4 * 7 * 2);
    const std::string page = html_report(summary, long_texts(1000));
    EXPECT_LE(page.size(), kMostPageBytes);
    const Json data = page_data(page);
    ASSERT_EQ(data.at("sets").size(), 14u);
    for (const Json& set : data.at("sets")) {
        EXPECT_EQ(set.at("n"), set.at("protocol") == "study" ? 100 : 1000);
        EXPECT_GE(set.at("questions").size(), 10u) << "every task has its share";
    }
    EXPECT_NE(page.find("of the study&#39;s 7700 questions"), std::string::npos);
}

TEST(Report, TextsCannotBreakOut) {
    const Summary summary = made_study({});
    const std::string page = html_report(summary, long_texts(20));
    EXPECT_EQ(page.find("alert(1)</"), std::string::npos);
    EXPECT_EQ(page.find("<b>"), std::string::npos);
    EXPECT_EQ(page.find("\xe2\x80\xa8"), std::string::npos);
    EXPECT_EQ(page.find('\x01'), std::string::npos);
    EXPECT_EQ(occurrences(page, "<script"), 2u) << "the data and the page's own";
    EXPECT_EQ(occurrences(page, "</script>"), 2u);
    EXPECT_NE(page.find("CPU &quot;of&quot; &lt;ours&gt;"), std::string::npos);
    EXPECT_EQ(page.find("<arc_easy>"), std::string::npos);
    for (const char* outside : {"http://", "https://", "src=", "@import", "url("})
        EXPECT_EQ(page.find(outside), std::string::npos) << outside;
    // What was put in comes out, bytes that are no UTF-8 aside.
    const std::string text = page_data(page).at("sets")[0].at("questions")[0].at("q");
    EXPECT_EQ(text.substr(0, 60), kEvil.substr(0, 60));
}

TEST(Report, AnswersAreWhatTheyWere) {
    const Summary summary = made_study({});
    const Json data = page_data(html_report(summary, long_texts(20)));
    const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::size_t seen = 0;
    for (const Json& set : data.at("sets")) {
        EXPECT_EQ(set.at("questions").size(), 20u);
        for (const Json& question : set.at("questions")) {
            const std::string a = question.at("a");
            const auto number = [&](std::size_t at) {
                return static_cast<double>(digits.find(a[at]) * 64 + digits.find(a[at + 1])) / 4095;
            };
            std::size_t at = 0;
            for (const Json& index : set.at("entries")) {
                const Json& entry = data.at("entries").at(index.get<std::size_t>());
                const Entry* e =
                    summary.find(eval::protocol_from_name(set.at("protocol")), entry[0], entry[1], entry[3]);
                ASSERT_NE(e, nullptr);
                const auto cell = std::find_if(e->cells.begin(), e->cells.end(), [&](const CellFigures* c) {
                    return c->task == set.at("task");
                });
                const eval::Answer& answer = (*cell)->answers.at(question.at("i").get<std::size_t>());
                EXPECT_EQ(a[at] - '0', answer.prediction);
                const std::vector<double> shares = shares_of(answer.scores);
                for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(number(at + 1 + 2 * c), shares[c], 2e-4);
                EXPECT_NEAR(std::pow(10, number(at + 7) * 9 - 3) / answer.ms, 1, 3e-3);
                EXPECT_EQ(question.at("g"), answer.gold);
                at += 9;
                ++seen;
            }
            EXPECT_EQ(at, a.size());
        }
    }
    EXPECT_EQ(seen, 2u * 2 * 20 * 6);
}

// The first question shown is one on which types disagree; one answered alike and rightly by all comes last.
TEST(Report, TellingQuestionsComeFirst) {
    const Summary summary = made_study({});
    const QuestionData data = question_data(summary, long_texts(20), 3000);
    EXPECT_LT(data.shown, data.asked);
    EXPECT_GT(data.shown, 0u);
    const Json json = Json::parse(data.json);
    const std::size_t first = json.at("sets")[0].at("questions")[0].at("i");
    std::size_t different = 0;
    for (const CellFigures& cell : summary.cells)
        different += cell.answers[first].prediction != summary.cells.front().answers[first].prediction;
    EXPECT_GT(different, 0u);
    EXPECT_EQ(question_data(summary, long_texts(20), 0).shown, 0u);
}

TEST(Report, HeatAndPowerAreDrawnOrSaidToBeAbsent) {
    const Summary with = made_study({}), without = made_study({.sensors = false});
    const std::string chart = model_power_chart(with, with.models.front());
    EXPECT_GE(occurrences(chart, "class=\"trace t0\""), 3u) << "power; temperature, with a gap";
    EXPECT_NE(chart.find("power, W"), std::string::npos);
    EXPECT_EQ(chart.find("clock, MHz"), std::string::npos) << "none was read";
    EXPECT_NE(chart.find("class=\"held\""), std::string::npos);
    EXPECT_FALSE(power_chart(with).empty());
    EXPECT_FALSE(front_chart(with, eval::Protocol::lm_eval, Cost::energy).empty());
    EXPECT_TRUE(power_chart(without).empty());
    EXPECT_TRUE(front_chart(without, eval::Protocol::lm_eval, Cost::energy).empty());
    const std::string page = html_report(without, long_texts(0));
    EXPECT_NE(page.find("Not measured: this board has no sensor"), std::string::npos);
    EXPECT_NE(page.find("Energy was not measured"), std::string::npos);
    EXPECT_NE(page.find("Texts are missing"), std::string::npos);
}

TEST(Report, BoardsStandBesideEachOther) {
    const Summary summary = made_study({.boards = {"Orin & Co", "Pi <5>"}});
    const tinyllm::Table table = boards_table(summary, eval::Protocol::lm_eval);
    ASSERT_EQ(table.rows.size(), 6u);
    EXPECT_NEAR(table.rows[0].at("spread").get<double>(), 2, 1e-9);
    EXPECT_NEAR(table.rows[0].at("joules_1").get<double>(), 3.0 / 20, 1e-12);
    const std::string page = html_report(summary, long_texts(20));
    EXPECT_NE(page.find("id=\"boards\""), std::string::npos);
    EXPECT_NE(page.find("p50 ms, Pi &lt;5&gt;"), std::string::npos);
    EXPECT_FALSE(board_chart(summary, eval::Protocol::study, Cost::latency).empty());
    EXPECT_EQ(html_report(made_study({}), long_texts(20)).find("id=\"boards\""), std::string::npos);
    EXPECT_THROW(exported_table(made_study({}), "boards", Format::csv), Error);
}

TEST(Report, TablesAreExported) {
    const Summary summary = made_study({});
    EXPECT_EQ(occurrences(exported_table(summary, "cells", Format::csv), "\n"), 1u + 24);
    const std::string bits = exported_table(summary, "bits", Format::csv);
    EXPECT_EQ(bits.substr(0, bits.find('\n')),
              "protocol,model,type,bits,of_widest,average,kept,difference,stderr,speed");
    EXPECT_EQ(occurrences(bits, "\n"), 1u + 12);
    EXPECT_EQ(Json::parse(exported_table(summary, "accuracy", Format::json)).size(), 2u * (6 + 2));
    EXPECT_NE(exported_table(summary, "accuracy", Format::md).find("protocol study\n"), std::string::npos);
    const std::string latex = exported_table(summary, "accuracy", Format::latex);
    EXPECT_EQ(occurrences(latex, "\\begin{tabular}{llrrr}"), 0u) << "accuracies are texts with their errors";
    EXPECT_EQ(occurrences(latex, "\\begin{tabular}{lllll}"), 2u);
    EXPECT_NE(latex.find("$\\pm$"), std::string::npos);
    EXPECT_NE(latex.find("\\textless{}arc\\_easy\\textgreater{} \\& Co"), std::string::npos);
    try {
        exported_table(summary, "all", Format::csv);
        FAIL() << "no error";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::usage);
        EXPECT_NE(std::string(error.what()).find("published"), std::string::npos);
    }
    EXPECT_EQ(occurrences(latex_report(summary), "\\end{table}"), 8u);
}

TEST(Latex, EscapesWhatWouldBeACommand) {
    EXPECT_EQ(escape_latex("a_b % 5&6 #1 {x} $y$"), "a\\_b \\% 5\\&6 \\#1 \\{x\\} \\$y\\$");
    EXPECT_EQ(escape_latex("\\input{/etc/passwd}"), "\\textbackslash{}input\\{/etc/passwd\\}");
    EXPECT_EQ(escape_latex("~^<>|"),
              "\\textasciitilde{}\\textasciicircum{}\\textless{}\\textgreater{}\\textbar{}");
    EXPECT_EQ(escape_latex("[1] * 2"), "{[}1] * 2");
    EXPECT_EQ(escape_latex("1 ±2 °C – …"), "1 $\\pm$2 $^\\circ$C -- \\ldots{}");
    EXPECT_EQ(escape_latex("a\nb"), "a\\textbackslash{}x0ab");
    const tinyllm::Table table{{{"a_b", "a_b"}, {"n", "n", 1}},
                               {{{"a_b", "x%"}, {"n", 1.25}}, {{"a_b", "y"}}}};
    EXPECT_EQ(render(table, Format::latex),
              "\\begin{tabular}{lr}\n\\hline\na\\_b & n \\\\\n\\hline\nx\\% & 1.2 \\\\\ny & - "
              "\\\\\n\\hline\n\\end{tabular}\n");
}

TEST(Page, SlugsAndHashes) {
    EXPECT_EQ(slug("SmolLM-135M.Q4_0"), "SmolLM-135M.Q4_0");
    EXPECT_NE(slug("a b"), slug("a/b"));
    EXPECT_EQ(slug("a\"><b>").find_first_of("\"<> "), std::string::npos);
    // As `printf abc | openssl dgst -sha256 -binary | base64` says.
    EXPECT_EQ(base64_sha256("abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    EXPECT_EQ(escape_html("a\x01<'\">&\n"), "a\xef\xbf\xbd&lt;&#39;&quot;&gt;&amp;\n");
}

TEST(Page, LabelsAtLinesEndsKeepApart) {
    const std::vector<double> at = spread({10, 10, 200, 11}, 13, 5, 210);
    EXPECT_GE(at[1] - at[0], 13);
    EXPECT_GE(at[3] - at[1], 13);
    EXPECT_EQ(at[2], 200);
    EXPECT_LE(spread({209, 210, 211}, 13, 5, 210)[2], 210);
}

}  // namespace
}  // namespace tinyllm::study
