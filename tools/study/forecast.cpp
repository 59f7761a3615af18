#include "tools/study/forecast.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "engine/fail.h"
#include "tools/board.h"
#include "tools/eval/text.h"
#include "tools/hub/data_cache.h"
#include "tools/study/estimate.h"

namespace tinyllm::study {
namespace {

/// How many questions a task asks under a protocol: those of the files, or, where they are not here, of the
/// official split.
std::size_t count_questions(const eval::Task& task, eval::Protocol protocol, const Plan::Data* data,
                            double limit) {
    if (data != nullptr) return eval::load_questions(task, protocol, data->file, limit).examples.size();
    std::size_t n = 0;
    const eval::Split split = protocol == eval::Protocol::study ? eval::Split::dev : task.scored;
    for (const hub::DataSplit& one : hub::data_splits(task, hub::DataPart::questions))
        if (one.split == split) n = one.rows;
    if (protocol == eval::Protocol::study && task.study_rows) n = std::min(n, task.study_rows);
    if (limit >= 1) return std::min(n, static_cast<std::size_t>(limit));
    if (limit > 0) return static_cast<std::size_t>(std::ceil(static_cast<double>(n) * limit));
    return n;
}

template <typename T>
Json forecast_or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json();
}

std::string shown_time(double seconds) {
    if (seconds < 90) return fmt::format("{:.0f} s", seconds);
    if (seconds < 90 * 60) return fmt::format("{:.0f} min", seconds / 60);
    return fmt::format("{:.1f} h", seconds / 3600);
}

/// Sums what is known; false once something was not.
struct Total {
    double sum = 0;
    bool all = true;
    template <typename T>
    void add(const std::optional<T>& value) {
        if (value) sum += static_cast<double>(*value);
        all = all && value.has_value();
    }
};

struct Totals {
    std::size_t cells = 0, lacking = 0, misfits = 0;
    std::int64_t peak = 0;
    Total download, seconds;
};

Totals totals_of(const Forecast& forecast) {
    Totals totals;
    std::set<std::string> models;
    for (const ForecastRow& row : forecast.rows) {
        totals.cells += row.cells;
        totals.lacking += row.missing.empty() ? row.lacking : row.cells;
        totals.misfits += row.fits && !*row.fits;
        totals.peak = std::max(totals.peak, row.peak_bytes.value_or(0));
        totals.seconds.add(row.seconds);
        if (models.insert(row.model).second) totals.download.add(row.download_bytes);
    }
    return totals;
}

Json row_json(const ForecastRow& row) {
    return {{"model", row.model},
            {"type", row.type},
            {"cells", row.cells},
            {"cells_without_questions", row.lacking},
            {"missing", row.missing.empty() ? Json() : Json(row.missing)},
            {"download_bytes", forecast_or_null(row.download_bytes)},
            {"download", row.download_bytes == 0 ? "here"
                         : row.download_stated   ? "stated"
                                                 : "estimated"},
            {"estimated_peak_bytes", forecast_or_null(row.peak_bytes)},
            {"estimated_fits", forecast_or_null(row.fits)},
            {"estimated_seconds", forecast_or_null(row.seconds)}};
}

Json totals_json(const Totals& totals) {
    return {{"cells", totals.cells},
            {"cells_lacking_something", totals.lacking},
            {"rows_that_do_not_fit", totals.misfits},
            {"download_bytes",
             totals.download.all ? Json(static_cast<std::int64_t>(totals.download.sum)) : Json()},
            {"estimated_seconds", totals.seconds.all ? Json(totals.seconds.sum) : Json()},
            {"estimated_peak_bytes", totals.peak > 0 ? Json(totals.peak) : Json()}};
}

}  // namespace

Forecast forecast(const Plan& plan, const StudyOptions& options) {
    Forecast result;
    Estimator estimator(options);
    result.available_bytes = estimator.available_bytes();
    std::map<std::pair<eval::Protocol, std::string>, std::size_t> asked;
    Json tasks = Json::array();
    for (eval::Protocol protocol : plan.protocols)
        for (const eval::Task* task : plan.tasks) {
            const std::string name(task->name);
            const auto found = plan.data.find({protocol, name});
            const Plan::Data* data = found == plan.data.end() ? nullptr : &found->second;
            const std::size_t questions = count_questions(*task, protocol, data, limit_of(options, name));
            asked[{protocol, name}] = questions;
            tasks.push_back({{"protocol", std::string(eval::protocol_name(protocol))},
                             {"task", name},
                             {"questions", questions},
                             {"data", data != nullptr ? Json(data->file.rows.string()) : Json()}});
        }
    Json cells = Json::array();
    std::set<std::string> missing;
    for (const Cell& cell : plan.cells) {
        Json line = {{"model", cell.model},
                     {"type", cell.type},
                     {"protocol", std::string(eval::protocol_name(cell.protocol))},
                     {"task", cell.task},
                     {"run", cell.runs()},
                     {"missing", cell.missing.empty() ? Json() : Json(cell.missing)},
                     {"estimated_seconds", nullptr}};
        if (cell.chosen) {
            const StudyModel& model = plan.model(cell.model);
            const bool same = !result.rows.empty() && result.rows.back().model == cell.model &&
                              result.rows.back().type == cell.type;
            if (!same) {
                ForecastRow row;
                row.model = cell.model;
                row.type = cell.type;
                row.missing = model.missing;
                const auto stated = options.stated.find(model.argument);
                row.download_stated =
                    stated != options.stated.end() && stated->second.download_bytes.has_value();
                row.download_bytes = !model.path.empty()   ? std::optional<std::int64_t>(0)
                                     : row.download_stated ? stated->second.download_bytes
                                                           : estimator.stored_bytes(model);
                row.seconds = 0;
                result.rows.push_back(std::move(row));
            }
            ForecastRow& row = result.rows.back();
            const Estimated estimated = estimator.of(model, cell.type, cell.protocol, cell.task);
            if (!same && estimated.load_ms) *row.seconds += *estimated.load_ms / 1000;
            ++row.cells;
            row.lacking += !cell.missing.empty();
            if (estimated.peak_bytes)
                row.peak_bytes = std::max(row.peak_bytes.value_or(0), *estimated.peak_bytes);
            if (row.peak_bytes && result.available_bytes)
                row.fits = *row.peak_bytes <= *result.available_bytes;
            if (estimated.question_ms) {
                const double seconds =
                    *estimated.question_ms * static_cast<double>(asked.at({cell.protocol, cell.task})) / 1000;
                line["estimated_seconds"] = seconds;
                if (row.seconds) *row.seconds += seconds;
            } else {
                row.seconds.reset();
            }
            if (!cell.missing.empty() && missing.insert(cell.missing).second)
                result.missing.push_back(cell.missing);
        }
        cells.push_back(std::move(line));
    }
    Json rows = Json::array();
    for (const ForecastRow& row : result.rows) rows.push_back(row_json(row));
    const auto text = [](const std::string& value) { return value.empty() ? Json() : Json(value); };
    result.json = {{"schema", "tinyllm.study-plan/1"},
                   {"name", text(options.study)},
                   {"title", text(options.title)},
                   {"board", options.board == "this" ? plan.board : estimator.board()},
                   {"available_bytes", forecast_or_null(result.available_bytes)},
                   {"shard", options.shard.whole()
                                 ? Json()
                                 : Json(fmt::format("{}/{}", options.shard.index, options.shard.count))},
                   {"output", options.output},
                   {"tasks", std::move(tasks)},
                   {"rows", std::move(rows)},
                   {"totals", totals_json(totals_of(result))},
                   {"missing", result.missing},
                   {"cells", std::move(cells)}};
    return result;
}

std::string show_forecast(const Forecast& forecast, Format format) {
    if (format == Format::json) return dump_json_pretty(forecast.json) + "\n";
    Table table;
    if (format == Format::csv || format == Format::jsonl) {
        for (const char* key :
             {"model", "type", "cells", "cells_without_questions", "download_bytes", "download",
              "estimated_peak_bytes", "estimated_fits", "estimated_seconds", "missing"})
            table.columns.push_back({key, key, 1});
        for (const Json& row : forecast.json.at("rows")) table.rows.push_back(row);
        return render(table, format);
    }
    table.columns = {{"model", "model"},        {"type", "type"},           {"cells", "cells"},
                     {"download", "download"},  {"peak", "estimated peak"}, {"fits", "fits"},
                     {"time", "estimated time"}};
    const auto bytes = [](const std::optional<std::int64_t>& value) {
        return value ? show_bytes(*value) : std::string("unknown");
    };
    const std::string* last = nullptr;
    for (const ForecastRow& row : forecast.rows) {
        std::string download = row.download_bytes == 0 ? "here" : bytes(row.download_bytes);
        if (row.download_bytes.value_or(0) > 0 && !row.download_stated) download += " estimated";
        if (last != nullptr && *last == row.model) download = "";
        last = &row.model;
        table.rows.push_back({{"model", row.model},
                              {"type", row.type},
                              {"cells", row.cells},
                              {"download", download},
                              {"peak", bytes(row.peak_bytes)},
                              {"fits", row.fits ? *row.fits ? "yes" : "no" : "unknown"},
                              {"time", row.seconds ? shown_time(*row.seconds) : "unknown"}});
    }
    const Totals totals = totals_of(forecast);
    std::string tasks;
    for (const Json& task : forecast.json.at("tasks"))
        eval::list_item(
            tasks, fmt::format("{} {} ({})", task.at("protocol").get<std::string>(),
                               task.at("task").get<std::string>(), task.at("questions").get<std::size_t>()));
    std::string text;
    if (forecast.json.at("title").is_string()) text += forecast.json.at("title").get<std::string>() + "\n";
    text += fmt::format("On {}; available memory {}.\nTasks and their questions: {}.\n\n",
                        forecast.json.at("board").get<std::string>(), bytes(forecast.available_bytes), tasks);
    text += render(table, format) + "\n";
    text +=
        fmt::format("{} cells in {} loads; {} of them lack something; {} loads are estimated not to fit.\n",
                    totals.cells, forecast.rows.size(), totals.lacking, totals.misfits);
    text += fmt::format(
        "To download: {}{}. Estimated: time {}{}, peak memory {}.\n", totals.download.all ? "" : "at least ",
        show_bytes(static_cast<std::int64_t>(totals.download.sum)), totals.seconds.all ? "" : "at least ",
        totals.seconds.sum > 0 ? shown_time(totals.seconds.sum) : "unknown",
        totals.peak > 0 ? show_bytes(totals.peak) : "unknown");
    for (const std::string& line : forecast.missing) text += "missing: " + line + "\n";
    return text;
}

}  // namespace tinyllm::study
