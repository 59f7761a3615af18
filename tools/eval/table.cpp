#include "tools/eval/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/eval/text.h"

namespace tinyllm::eval {
namespace {

std::vector<std::size_t> widths(const Table& table) {
    std::vector<std::size_t> result;
    for (const std::string& cell : table.header) result.push_back(code_points(cell));
    for (const auto& row : table.rows)
        for (std::size_t i = 0; i < row.size(); ++i) result[i] = std::max(result[i], code_points(row[i]));
    return result;
}

std::string padded(const std::string& text, std::size_t width, bool right) {
    const std::string fill(width - code_points(text), ' ');
    return right ? fill + text : text + fill;
}

std::string quoted(const std::string& cell) {
    if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
    return fmt::format("\"{}\"", replace_all(cell, "\"", "\"\""));
}

std::string number(const Json& value, int digits) {
    return value.is_number() ? fmt::format("{:.{}f}", value.get<double>(), digits) : std::string("N/A");
}

}  // namespace

std::string plain_table(const Table& table) {
    const auto width = widths(table);
    std::string text;
    auto line = [&](const std::vector<std::string>& cells) {
        std::string out;
        for (std::size_t i = 0; i < cells.size(); ++i)
            out += (i ? "  " : "") + padded(cells[i], width[i], i > 0);
        while (!out.empty() && out.back() == ' ') out.pop_back();
        text += out + "\n";
    };
    line(table.header);
    std::size_t total = 0;
    for (std::size_t w : width) total += w + 2;
    text += std::string(total - 2, '-') + "\n";
    for (const auto& row : table.rows) line(row);
    return text;
}

std::string markdown_table(const Table& table) {
    std::string text = "|";
    for (const std::string& cell : table.header) text += fmt::format(" {} |", replace_all(cell, "|", "\\|"));
    text += "\n|";
    for (std::size_t i = 0; i < table.header.size(); ++i) text += i ? "---:|" : "---|";
    text += "\n";
    for (const auto& row : table.rows) {
        text += "|";
        for (const std::string& cell : row) text += fmt::format(" {} |", replace_all(cell, "|", "\\|"));
        text += "\n";
    }
    return text;
}

std::string csv_table(const Table& table) {
    std::string text;
    auto line = [&](const std::vector<std::string>& cells) {
        for (std::size_t i = 0; i < cells.size(); ++i) text += (i ? "," : "") + quoted(cells[i]);
        text += "\n";
    };
    line(table.header);
    for (const auto& row : table.rows) line(row);
    return text;
}

std::string format_results(const Json& results, const std::vector<TaskRun>& runs, const std::string& format) {
    if (format == "json") return dump(results, 2) + "\n";
    if (format == "jsonl") {
        std::string text;
        for (const TaskRun& run : runs) {
            const std::string name(run.task->name);
            Json line = {{"task", name},
                         {"protocol", std::string(protocol_name(run.protocol))},
                         {"n", run.answers.size()}};
            line.update(results["results"][name]);
            line.update(results["tinyllm"]["tasks"][name]);
            text += dump(line) + "\n";
        }
        return text;
    }
    Table table;
    const bool study = !runs.empty() && runs[0].protocol == Protocol::study;
    table.header = {"task",   "version", "n",        "metric", "value",
                    "stderr", "chance",  "constant", "p50 ms", "p95 ms"};
    if (study) table.header.push_back("letters predicted");
    for (const TaskRun& run : runs) {
        const std::string name(run.task->name);
        const Json& values = results["results"][name];
        const Json& more = results["tinyllm"]["tasks"][name];
        for (const char* metric : {"acc", "acc_norm"}) {
            const std::string key = std::string(metric) + ",none";
            if (!values.contains(key)) continue;
            const Json& latency = more["latency_ms"];
            std::vector<std::string> row = {name,
                                            fmt::format("{:.1f}", run.task->version),
                                            fmt::format("{}", run.answers.size()),
                                            metric,
                                            number(values[key], 4),
                                            number(values[std::string(metric) + "_stderr,none"], 4),
                                            number(more["chance"], 4),
                                            number(more["constant_answer"]["acc"], 4),
                                            latency.is_null() ? "-" : number(latency["p50"], 2),
                                            latency.is_null() ? "-" : number(latency["p95"], 2)};
            if (study) {
                std::string share;
                for (std::size_t i = 0; i < more["predicted_share"].size(); ++i)
                    share += fmt::format("{}{} {:.0f}%", i ? " " : "", static_cast<char>('A' + i),
                                         100 * more["predicted_share"][i].get<double>());
                row.push_back(share);
            }
            table.rows.push_back(row);
        }
    }
    if (format == "md") return markdown_table(table);
    if (format == "csv") return csv_table(table);
    return plain_table(table);
}

}  // namespace tinyllm::eval
