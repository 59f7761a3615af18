#include "tools/study/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "tools/eval/table.h"
#include "tools/monitor/usage.h"
#include "tools/study/published.h"
#include "tools/study/units.h"
#include "tools/study/words.h"

namespace tinyllm::study {
namespace {

namespace fs = std::filesystem;

// What results.csv has of a cell's usage.
constexpr const char* kUsageColumns[] = {
    "energy_J", "energy_net_J", "energy_of", "joules_per_question", "joules_per_correct",
    "power_W",  "idle_W",       "temp_C",    "throttled",           "power_mode"};

std::string shown_accuracy(const eval::Mean& mean) {
    return fmt::format("{:.1f} ±{:.1f}", 100 * mean.value, 100 * mean.stderr_.value_or(0));
}

std::string shown_accuracy(const CellFigures& cell) {
    return cell.ok() ? shown_accuracy(cell.figures.acc) : cell.status;
}

template <typename T>
Json cell_or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json();
}

// Columns for what at least one row measured; the others say that they did not. (What no row measured, a
// sentence says: words_about_run().)
void add_measured_columns(tinyllm::Table& table, const std::vector<tinyllm::Column>& columns) {
    for (const tinyllm::Column& column : columns) {
        if (std::all_of(table.rows.begin(), table.rows.end(),
                        [&](const Json& row) { return row.at(column.key).is_null(); }))
            continue;
        table.columns.push_back(column);
        for (Json& row : table.rows)
            if (row[column.key].is_null()) row[column.key] = "not measured";
    }
}

// Reasons for missing cells, each once.
std::vector<std::string> reasons(const Summary& summary) {
    std::vector<std::string> lines;
    for (const CellFigures& cell : summary.cells) {
        if (cell.ok()) continue;
        lines.push_back(fmt::format("{}/{}/{}/{}: {}: {}", cell.model, cell.type,
                                    eval::protocol_name(cell.protocol), cell.task, cell.status, cell.reason));
    }
    constexpr std::size_t kMost = 20;
    if (lines.size() > kMost) {
        const std::size_t more = lines.size() - kMost;
        lines.resize(kMost);
        lines.push_back(fmt::format("and {} more; results.csv has all", more));
    }
    return lines;
}

}  // namespace

std::string protocol_words(eval::Protocol protocol) {
    if (protocol == eval::Protocol::lm_eval)
        return "lm-eval: as lm-evaluation-harness asks. Every choice is scored as a continuation of the "
               "question; the likeliest "
               "is the answer. Time is that of all choices of a question.";
    return "study: as the published study asked. The question lists lettered options; the letter with the "
           "highest logit is the "
           "answer. Time is that of the one forward pass.";
}

tinyllm::Table accuracy_table(const Summary& summary, eval::Protocol protocol) {
    tinyllm::Table table;
    table.columns = {{"model", "model"}, {"type", "type"}};
    if (summary.several_boards()) table.columns.push_back({"board", "board"});
    for (std::size_t i = 0; i < summary.tasks.size(); ++i)
        table.columns.push_back({summary.tasks[i], summary.titles[i]});
    table.columns.push_back({"average", "average"});
    for (const Entry* e : summary.of(protocol)) {
        Json row = {{"model", e->model}, {"type", e->type}, {"board", e->board}};
        for (const CellFigures* cell : e->cells) row[cell->task] = shown_accuracy(*cell);
        row["average"] = e->average ? Json(shown_accuracy(*e->average)) : Json();
        table.rows.push_back(std::move(row));
    }
    for (const bool constant : {false, true}) {
        Json row = {{"model", constant ? "best constant answer" : "chance"}, {"type", ""}, {"board", ""}};
        double sum = 0;
        std::size_t n = 0;
        for (const std::string& task : summary.tasks) {
            const CellFigures* any = summary.any(protocol, task);
            if (!any) continue;
            const double value = constant ? any->figures.constant : any->figures.chance;
            row[task] = fmt::format("{:.1f}", 100 * value);
            sum += value;
            ++n;
        }
        if (n == summary.tasks.size() && n)
            row["average"] = fmt::format("{:.1f}", 100 * sum / static_cast<double>(n));
        table.rows.push_back(std::move(row));
    }
    return table;
}

tinyllm::Table cost_table(const Summary& summary, eval::Protocol protocol) {
    tinyllm::Table table;
    table.columns = {{"model", "model"},
                     {"type", "type"},
                     {"mean_ms", "mean ms", 2},
                     {"p50_ms", "p50 ms", 2},
                     {"p95_ms", "p95 ms", 2},
                     {"questions_per_s", "questions/s", 1},
                     {"load_ms", "load ms", 1},
                     {"peak_mib", "peak MiB", 1},
                     {"model_mib", "model MiB", 2},
                     {"ratio_fp32", "of fp32", 3}};
    if (summary.several_boards()) table.columns.insert(table.columns.begin() + 2, {"board", "board"});
    for (const Entry* e : summary.of(protocol)) {
        Json row = {{"model", e->model}, {"type", e->type}, {"board", e->board}};
        row["mean_ms"] = e->latency ? Json(e->latency->mean) : Json();
        row["p50_ms"] = e->latency ? Json(e->latency->p50) : Json();
        row["p95_ms"] = e->latency ? Json(e->latency->p95) : Json();
        row["questions_per_s"] = cell_or_null(e->questions_per_s);
        row["load_ms"] = cell_or_null(e->load_ms);
        row["peak_mib"] = e->peak_bytes ? Json(megabytes(*e->peak_bytes)) : Json();
        row["model_mib"] = e->weight_bytes ? Json(megabytes(*e->weight_bytes)) : Json();
        row["ratio_fp32"] = cell_or_null(e->ratio_fp32());
        row["joules"] = cell_or_null(e->joules_per_question);
        row["joules_net"] = cell_or_null(e->joules_per_question_net);
        row["joules_correct"] = cell_or_null(e->joules_per_correct);
        row["power_W"] = cell_or_null(e->power_W);
        row["temp_C"] = cell_or_null(e->temp_C);
        row["throttled"] = e->throttled ? Json(*e->throttled ? "yes" : "no") : Json();
        table.rows.push_back(std::move(row));
    }
    add_measured_columns(table, {{"joules", "J/question", 3},
                                 {"joules_net", "above idle", 3},
                                 {"joules_correct", "J/correct", 3},
                                 {"power_W", "W", 1},
                                 {"temp_C", "max °C", 1},
                                 {"throttled", "throttled"}});
    return table;
}

tinyllm::Table cells_table(const Summary& summary) {
    tinyllm::Table table;
    constexpr const char* kColumns[] = {
        "protocol",        "model",      "type",      "task",           "status",
        "reason",          "n",          "acc",       "acc_stderr",     "acc_norm",
        "acc_norm_stderr", "chance",     "constant",  "predicted",      "mean_ms",
        "p50_ms",          "p90_ms",     "p95_ms",    "p99_ms",         "max_ms",
        "questions_per_s", "tokens",     "truncated", "peak_rss_bytes", "weight_bytes",
        "parameters",      "ratio_fp32", "load_ms",   "threads",        "backend"};
    for (const char* key : kColumns) table.columns.push_back({key, key, 6});
    for (const char* key : kUsageColumns) table.columns.push_back({key, key, 6});
    table.columns.push_back({"board", "board"});
    for (const CellFigures& cell : summary.cells) {
        Json row = {{"protocol", std::string(eval::protocol_name(cell.protocol))},
                    {"model", cell.model},
                    {"type", cell.type},
                    {"task", cell.task},
                    {"status", cell.status},
                    {"reason", cell.reason},
                    {"board", cell.board}};
        if (!cell.load.is_null())
            for (const char* key : {"weight_bytes", "parameters", "load_ms", "threads", "backend"})
                row[key] = cell.load.at(key);
        if (cell.ok()) {
            const eval::TaskFigures& f = cell.figures;
            row["n"] = f.n;
            row["acc"] = f.acc.value;
            row["acc_stderr"] = cell_or_null(f.acc.stderr_);
            if (cell.normalised) {
                row["acc_norm"] = f.acc_norm.value;
                row["acc_norm_stderr"] = cell_or_null(f.acc_norm.stderr_);
            }
            row["chance"] = f.chance;
            row["constant"] = f.constant;
            row["predicted"] = eval::letter_shares(Json(f.predicted));
            row["mean_ms"] = f.latency.mean;
            row["p50_ms"] = f.latency.p50;
            row["p90_ms"] = f.latency.p90;
            row["p95_ms"] = f.latency.p95;
            row["p99_ms"] = f.latency.p99;
            row["max_ms"] = f.latency.max;
            if (f.total_ms > 0) row["questions_per_s"] = 1000.0 * static_cast<double>(f.n) / f.total_ms;
            row["tokens"] = f.tokens;
            row["truncated"] = f.cut;
            row["peak_rss_bytes"] = cell_or_null(cell.peak_bytes);
            if (cell.usage.is_object())
                for (const char* key : kUsageColumns) row[key] = cell.usage.value(key, Json());
            if (const Entry* e = summary.find(cell.protocol, cell.model, cell.type, cell.board))
                row["ratio_fp32"] = cell_or_null(e->ratio_fp32());
        }
        table.rows.push_back(std::move(row));
    }
    return table;
}

std::string render_names(tinyllm::Table table, Format format) {
    if (format != Format::csv) return render(table, format);
    const auto is_formula = [](const std::string& text) {
        if (text.size() < 2) return false;
        const bool number =
            (text[0] == '+' || text[0] == '-') && (std::isdigit(static_cast<unsigned char>(text[1])) != 0);
        return !number && std::string_view("=+-@").find(text[0]) != std::string_view::npos;
    };
    for (Json& row : table.rows)
        for (Json& cell : row)
            if (cell.is_string() && is_formula(cell.get_ref<const std::string&>()))
                cell = "'" + cell.get<std::string>();
    return render(table, format);
}

std::string terminal_report(const Summary& summary) {
    std::string text;
    for (const std::string& line : words_about_run(summary)) text += printable(line) + "\n";
    for (eval::Protocol protocol : summary.protocols) {
        text += "\n" + protocol_words(protocol) + "\n\n";
        text += render(accuracy_table(summary, protocol), Format::table) + "\n";
        text += render(cost_table(summary, protocol), Format::table) + "\n";
        for (const std::string& line : words_about_figures(summary, protocol))
            text += "- " + printable(line) + "\n";
    }
    for (const std::string& line : words_about_published(summary)) text += "- " + printable(line) + "\n";
    for (const std::string& line : reasons(summary)) text += printable(line) + "\n";
    return text;
}

std::string markdown_report(const Summary& summary) {
    std::string text = "# Study report\n\n";
    for (const std::string& line : words_about_run(summary)) text += printable(line, true) + "\n";
    for (eval::Protocol protocol : summary.protocols) {
        text += fmt::format("\n## Protocol {}\n\n{}\n\n", eval::protocol_name(protocol),
                            protocol_words(protocol));
        text +=
            "Accuracy in % ± one standard error:\n\n" + render(accuracy_table(summary, protocol), Format::md);
        text += "\nLatency per question, memory and size:\n\n" +
                render(cost_table(summary, protocol), Format::md) + "\n";
        for (const std::string& line : words_about_figures(summary, protocol))
            text += "- " + printable(line, true) + "\n";
    }
    if (const tinyllm::Table published = published_table(summary); !published.rows.empty()) {
        text += "\n## Beside the published figures\n\n" + render(published, Format::md) + "\n";
        for (const std::string& line : words_about_published(summary))
            text += "- " + printable(line, true) + "\n";
    }
    const std::vector<std::string> missing = reasons(summary);
    if (!missing.empty()) text += "\n## Missing\n\n";
    for (const std::string& line : missing) text += "- " + printable(line, true) + "\n";
    text += "\n## Board and build\n\n| | |\n|---|---|\n";
    for (const auto& [key, value] : summary.study.at("machine").items())
        text += fmt::format("| {} | {} |\n", printable(key, true),
                            printable(value.is_string() ? value.get<std::string>() : dump_json(value), true));
    text += fmt::format("| date | {} |\n", summary.study.at("date").get<std::string>());
    return text;
}

void write_report(const Summary& summary, const std::string& folder, bool with_texts) {
    const fs::path path(folder);
    const QuestionTexts no_texts = [](eval::Protocol, const std::string&) {
        return std::vector<QuestionText>();
    };
    write_file((path / "results.json").string(), dump_json_pretty(summary.json()) + "\n");
    write_file((path / "results.csv").string(), render_names(cells_table(summary), Format::csv));
    write_file((path / "results.md").string(), markdown_report(summary));
    write_file((path / "results.tex").string(), latex_report(summary));
    write_file((path / "report.html").string(),
               html_report(summary, with_texts ? texts_of_data(summary) : no_texts));
}

}  // namespace tinyllm::study
