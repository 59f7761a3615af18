// The report's tables beyond accuracy and cost, and their export.
#include <fmt/format.h>

#include <algorithm>

#include "engine/fail.h"
#include "tools/study/charts.h"
#include "tools/study/published.h"
#include "tools/study/report.h"
#include "tools/study/units.h"

namespace tinyllm::study {
namespace {

template <typename T>
Json json_or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json();
}

tinyllm::Table entries_table(const Summary& summary) {
    tinyllm::Table table;
    table.columns = {{"model", "model"}, {"type", "type"}};
    if (summary.several_boards()) table.columns.push_back({"board", "board"});
    return table;
}

Json entry_row(const Entry& e) {
    return {{"model", e.model}, {"type", e.type}, {"board", e.board}};
}

// Leaves out a column that no row has a value for.
void add_column_if_any(tinyllm::Table& table, tinyllm::Column column) {
    if (std::any_of(table.rows.begin(), table.rows.end(), [&](const Json& row) {
            return row.contains(column.key) && !row.at(column.key).is_null();
        }))
        table.columns.push_back(std::move(column));
}

std::string mean_and_error(const eval::Mean& mean) {
    return fmt::format("{:.1f} ±{:.1f}", 100 * mean.value, 100 * mean.stderr_.value_or(0));
}

// The model's widest type on the same board.
const Entry* widest_of(const Summary& summary, const Entry& entry) {
    const Entry* widest = nullptr;
    for (const Entry* e : summary.of(entry.protocol))
        if (e->model == entry.model && e->board == entry.board && e->average && e->weight_bytes &&
            (!widest || *e->weight_bytes > *widest->weight_bytes))
            widest = e;
    return widest;
}

struct NamedTable {
    const char* name;
    const char* caption;
    tinyllm::Table (*make)(const Summary&, eval::Protocol);
};

const NamedTable kProtocolTables[] = {{"accuracy", "Accuracy in % ± one standard error", accuracy_table},
                                      {"cost", "Latency per question, memory and size", cost_table},
                                      {"bits", "What fewer bits per weight cost", bits_table},
                                      {"energy", "Energy, power and heat", energy_table},
                                      {"boards", "The same model and type on every board", boards_table}};

}  // namespace

tinyllm::Table glance_table(const Summary& summary, eval::Protocol protocol) {
    tinyllm::Table table = entries_table(summary);
    for (const Entry* e : summary.of(protocol)) {
        Json row = entry_row(*e);
        row["average"] = e->average ? Json(mean_and_error(*e->average)) : Json();
        row["p50_ms"] = e->latency ? Json(e->latency->p50) : Json();
        row["model_mib"] = e->weight_bytes ? Json(megabytes(*e->weight_bytes)) : Json();
        row["bits"] = e->ratio_fp32() ? Json(32 * *e->ratio_fp32()) : Json();
        row["peak_mib"] = e->peak_bytes ? Json(megabytes(*e->peak_bytes)) : Json();
        row["joules"] = json_or_null(e->joules_per_question);
        table.rows.push_back(std::move(row));
    }
    for (const tinyllm::Column& column : {tinyllm::Column{"average", "average accuracy, %"},
                                          {"p50_ms", "p50 ms", 2},
                                          {"model_mib", "model MiB", 2},
                                          {"bits", "bits/weight", 2},
                                          {"peak_mib", "peak MiB", 1}})
        table.columns.push_back(column);
    add_column_if_any(table, {"joules", "J/question", 3});
    return table;
}

tinyllm::Table bits_table(const Summary& summary, eval::Protocol protocol) {
    tinyllm::Table table = entries_table(summary);
    for (const Entry* e : summary.of(protocol)) {
        if (!e->average || !e->ratio_fp32() || !e->latency) continue;
        const Entry* widest = widest_of(summary, *e);
        if (!widest || !widest->latency) continue;
        const eval::Mean difference = paired_difference(*widest, *e);
        Json row = entry_row(*e);
        row["bits"] = 32 * *e->ratio_fp32();
        row["of_widest"] = static_cast<double>(*e->weight_bytes) / static_cast<double>(*widest->weight_bytes);
        row["average"] = mean_and_error(*e->average);
        row["kept"] =
            widest->average->value > 0 ? Json(100 * e->average->value / widest->average->value) : Json();
        row["difference"] = e == widest ? Json() : Json(100 * difference.value);
        row["stderr"] = e == widest || !difference.stderr_ ? Json() : Json(100 * *difference.stderr_);
        row["speed"] = e->latency->p50 > 0 ? Json(widest->latency->p50 / e->latency->p50) : Json();
        table.rows.push_back(std::move(row));
    }
    for (const tinyllm::Column& column : {tinyllm::Column{"bits", "bits/weight", 2},
                                          {"of_widest", "size of widest", 3},
                                          {"average", "accuracy, %"},
                                          {"kept", "kept, %", 1},
                                          {"difference", "points", 1},
                                          {"stderr", "± stderr", 1},
                                          {"speed", "times as fast", 2}})
        table.columns.push_back(column);
    return table;
}

tinyllm::Table energy_table(const Summary& summary, eval::Protocol protocol) {
    tinyllm::Table table = entries_table(summary);
    for (const Entry* e : summary.of(protocol)) {
        if (!e->joules_per_question && !e->temp_C && !e->throttled) continue;
        Json row = entry_row(*e);
        row["joules"] = json_or_null(e->joules_per_question);
        row["joules_net"] = json_or_null(e->joules_per_question_net);
        row["joules_correct"] = json_or_null(e->joules_per_correct);
        row["power_W"] = json_or_null(e->power_W);
        row["temp_C"] = json_or_null(e->temp_C);
        row["throttled"] = e->throttled ? Json(*e->throttled ? "yes" : "no") : Json();
        table.rows.push_back(std::move(row));
    }
    for (const tinyllm::Column& column : {tinyllm::Column{"joules", "J/question", 3},
                                          {"joules_net", "above idle", 3},
                                          {"joules_correct", "J/correct", 3},
                                          {"power_W", "W", 1},
                                          {"temp_C", "max °C", 1},
                                          {"throttled", "throttled"}}) {
        table.columns.push_back(column);
        for (Json& row : table.rows)
            if (row[column.key].is_null()) row[column.key] = "not measured";
    }
    return table;
}

tinyllm::Table boards_table(const Summary& summary, eval::Protocol protocol) {
    tinyllm::Table table;
    if (!summary.several_boards()) return table;
    table.columns = {{"model", "model"}, {"type", "type"}};
    for (std::size_t b = 0; b < summary.boards.size(); ++b)
        table.columns.push_back({fmt::format("p50_ms_{}", b + 1), "p50 ms, " + summary.boards[b], 2});
    for (const std::string& model : summary.models)
        for (const std::string& type : summary.types) {
            Json row = {{"model", model}, {"type", type}};
            double fastest = 0, slowest = 0;
            std::size_t n = 0;
            for (std::size_t b = 0; b < summary.boards.size(); ++b) {
                const Entry* e = summary.find(protocol, model, type, summary.boards[b]);
                if (!e || !e->latency) continue;
                row[fmt::format("p50_ms_{}", b + 1)] = e->latency->p50;
                row[fmt::format("joules_{}", b + 1)] = json_or_null(e->joules_per_question);
                row[fmt::format("average_{}", b + 1)] = e->average ? Json(100 * e->average->value) : Json();
                fastest = n ? std::min(fastest, e->latency->p50) : e->latency->p50;
                slowest = std::max(slowest, e->latency->p50);
                ++n;
            }
            if (n == 0) continue;
            if (n > 1 && fastest > 0) row["spread"] = slowest / fastest;
            table.rows.push_back(std::move(row));
        }
    add_column_if_any(table, {"spread", "slowest / fastest", 2});
    for (std::size_t b = 0; b < summary.boards.size(); ++b)
        add_column_if_any(table, {fmt::format("joules_{}", b + 1), "J/question, " + summary.boards[b], 3});
    for (std::size_t b = 0; b < summary.boards.size(); ++b)
        add_column_if_any(table, {fmt::format("average_{}", b + 1), "accuracy %, " + summary.boards[b], 1});
    return table;
}

std::string latex_report(const Summary& summary) {
    std::string text = "% Tables of a tinyllm study; \\input{} one document's worth, no package is needed.\n";
    const auto put = [&](const tinyllm::Table& table, const std::string& caption) {
        if (table.rows.empty()) return;
        text += "\n\\begin{table}\n\\centering\n\\small\n" + render(table, Format::latex) + "\\caption{" +
                escape_latex(caption) + "}\n\\end{table}\n";
    };
    for (eval::Protocol protocol : summary.protocols)
        for (const NamedTable& named : kProtocolTables)
            put(named.make(summary, protocol),
                fmt::format("{}; protocol {}.", named.caption, eval::protocol_name(protocol)));
    put(published_table(summary), "Beside the published figures; protocol study.");
    return text;
}

std::string exported_table(const Summary& summary, const std::string& name, Format format) {
    const OutputOptions how{format, ""};
    const auto nothing = [&] {
        fail(ErrorKind::not_found, "--table {}: this study has no figures for it", name);
    };
    if (name == "cells" || name == "published") {
        const tinyllm::Table table = name == "cells" ? cells_table(summary) : published_table(summary);
        if (table.rows.empty()) nothing();
        return render_names(table, format);
    }
    for (const NamedTable& named : kProtocolTables) {
        if (name != named.name) continue;
        std::string text;
        tinyllm::Table all;
        for (eval::Protocol protocol : summary.protocols) {
            tinyllm::Table table = named.make(summary, protocol);
            if (table.rows.empty()) continue;
            if (how.for_reading()) {
                const std::string words = fmt::format("protocol {}", eval::protocol_name(protocol));
                text += (text.empty() ? "" : "\n") +
                        (format == Format::latex ? "% " + words
                         : format == Format::md  ? words + "\n"
                                                 : words) +
                        "\n" + render(table, format);
                continue;
            }
            if (all.columns.empty()) all.columns = {{"protocol", "protocol"}};
            for (const tinyllm::Column& column : table.columns)
                if (std::none_of(all.columns.begin(), all.columns.end(),
                                 [&](const tinyllm::Column& known) { return known.key == column.key; }))
                    all.columns.push_back(column);
            for (const Json& row : table.rows) {
                Json line = {{"protocol", std::string(eval::protocol_name(protocol))}};
                line.update(row);
                all.rows.push_back(std::move(line));
            }
        }
        if (!how.for_reading() && !all.rows.empty()) text = render_names(all, format);
        if (text.empty()) nothing();
        return text;
    }
    fail(ErrorKind::usage,
         "--table: no table \"{}\"; there are cells, accuracy, cost, bits, energy, boards and published",
         name);
}

}  // namespace tinyllm::study
