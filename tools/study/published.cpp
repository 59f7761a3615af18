#include "tools/study/published.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tools/eval/text.h"
#include "tools/study/units.h"

namespace tinyllm::study {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kSignificant = 0.05;
constexpr double kGiB = 1 << 30;

struct Pair {
    const CellFigures* cell;
    const PublishedModel* model;
    const PublishedTask* task;
    std::size_t questions;  // the published study's

    std::size_t published_hits() const {
        return static_cast<std::size_t>(
            std::lround(task->accuracy_percent / 100 * static_cast<double>(questions)));
    }
    std::size_t hits() const {
        return static_cast<std::size_t>(
            std::lround(cell->figures.acc.value * static_cast<double>(cell->figures.n)));
    }
    bool has_accuracies() const { return cell->ok() && !std::isnan(task->accuracy_percent); }
    double p() const { return two_proportions(published_hits(), questions, hits(), cell->figures.n); }
};

std::vector<Pair> pairs_of(const Summary& summary) {
    std::vector<Pair> pairs;
    for (const CellFigures& cell : summary.cells) {
        const PublishedModel* model = find_published(cell.model);
        if (cell.protocol != eval::Protocol::study || !model) continue;
        for (std::size_t i = 0; i < published_tasks().size(); ++i) {
            if (published_tasks()[i].task == cell.task)
                pairs.push_back({&cell, model, &model->tasks[i], published_tasks()[i].questions});
        }
    }
    return pairs;
}

Json or_null(double value) {
    return std::isnan(value) ? Json() : Json(value);
}

Json row_of(const Pair& pair) {
    const CellFigures& cell = *pair.cell;
    const PublishedTask& published = *pair.task;
    Json row = {{"model", cell.model},
                {"hub_id", std::string(pair.model->hub_id)},
                {"type", cell.type},
                {"board", cell.board},
                {"task", cell.task},
                {"published_n", pair.questions},
                {"published", "no figure"},
                {"n", Json()},
                {"measured", cell.status},
                {"published_ms", or_null(published.ms)},
                {"published_peak_gib", or_null(published.peak_gib)},
                {"published_size_mib", or_null(pair.model->size_mib)}};
    if (!std::isnan(published.accuracy_percent)) {
        row["published"] = share_with_interval(pair.published_hits(), pair.questions);
        row["published_acc"] = published.accuracy_percent / 100;
    }
    if (!cell.ok()) return row;
    row["n"] = cell.figures.n;
    row["measured"] = share_with_interval(pair.hits(), cell.figures.n);
    row["acc"] = cell.figures.acc.value;
    row["ms"] = cell.figures.latency.mean;
    if (cell.peak_bytes) row["peak_gib"] = static_cast<double>(*cell.peak_bytes) / kGiB;
    if (cell.load.contains("weight_bytes"))
        row["size_mib"] = megabytes(cell.load.at("weight_bytes").get<std::int64_t>());
    if (!std::isnan(published.ms) && cell.figures.latency.mean > 0)
        row["speed"] = published.ms / cell.figures.latency.mean;
    if (pair.has_accuracies()) {
        row["difference"] = 100 * cell.figures.acc.value - published.accuracy_percent;
        row["p"] = pair.p();
    }
    return row;
}

/// Those whose accuracies differ, by Holm's step-down procedure.
std::vector<const Pair*> different(const std::vector<const Pair*>& pairs) {
    std::vector<const Pair*> order;
    for (const Pair* pair : pairs) {
        if (pair->has_accuracies()) order.push_back(pair);
    }
    std::ranges::sort(order, {}, [](const Pair* pair) { return pair->p(); });
    std::size_t n = 0;
    while (n < order.size() && order[n]->p() < kSignificant / static_cast<double>(order.size() - n)) ++n;
    order.resize(n);
    return order;
}

std::string sentence(const std::vector<const Pair*>& pairs) {
    std::size_t compared = 0, missing = 0;
    double ms = 0, published_ms = 0, peak = 0, published_peak = 0;
    for (const Pair* pair : pairs) {
        if (!pair->cell->ok()) continue;
        if (pair->has_accuracies()) ++compared;
        if (std::isnan(pair->task->accuracy_percent)) ++missing;
        if (!std::isnan(pair->task->ms)) {
            ms += pair->cell->figures.latency.mean;
            published_ms += pair->task->ms;
        }
        if (pair->cell->peak_bytes && !std::isnan(pair->task->peak_gib)) {
            peak = std::max(peak, static_cast<double>(*pair->cell->peak_bytes) / kGiB);
            published_peak = std::max(published_peak, pair->task->peak_gib);
        }
    }
    const CellFigures& first = *pairs.front()->cell;
    std::string text =
        fmt::format("{} {} beside {} as published: ", first.model, first.type, pairs.front()->model->hub_id);
    if (compared == 0) {
        text += "no accuracy to compare";
    } else {
        std::string names;
        const std::vector<const Pair*> differ = different(pairs);
        for (const Pair* pair : differ) {
            const double points = 100 * pair->cell->figures.acc.value - pair->task->accuracy_percent;
            eval::list_item(names, fmt::format("{} ({:+.1f} points)", pair->cell->title, points));
        }
        text += differ.empty() ? fmt::format("no accuracy of {} differs beyond chance", compared)
                               : fmt::format("{} of {} accuracies differ beyond chance, {}", differ.size(),
                                             compared, names);
    }
    if (ms > 0)
        text += fmt::format("; {:.2f} times its speed over the tasks with a time of both", published_ms / ms);
    if (published_peak > 0)
        text += fmt::format("; {:.0f} % of its peak memory ({:.2f} of {:.2f} GiB)",
                            100 * peak / published_peak, peak, published_peak);
    if (missing > 0) {
        text += fmt::format("; a figure on {} task{} where the published board had none", missing,
                            missing == 1 ? "" : "s");
    }
    return text + ".";
}

}  // namespace

const std::array<PublishedData, 6>& published_tasks() {
    static constexpr std::array<PublishedData, 6> kTasks{{{"arc_easy", 570},
                                                          {"boolq", 1000},
                                                          {"openbookqa", 500},
                                                          {"piqa", 1000},
                                                          {"social_iqa", 1000},
                                                          {"winogrande", 1267}}};
    return kTasks;
}

const std::vector<PublishedModel>& published_models() {
    static const std::vector<PublishedModel> models{
#include "tools/study/published_figures.inc"
    };
    return models;
}

const PublishedModel* find_published(std::string_view name) {
    name = name.substr(0, name.find('@'));
    const auto same = [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
    };
    for (const PublishedModel& model : published_models()) {
        const std::string_view id = model.hub_id;
        if (std::ranges::equal(name, id.substr(id.find('/') + 1), same) || std::ranges::equal(name, id, same))
            return &model;
    }
    return nullptr;
}

double two_proportions(std::size_t hits_a, std::size_t n_a, std::size_t hits_b, std::size_t n_b) {
    if (n_a == 0 || n_b == 0) return 1;
    const auto a = static_cast<double>(n_a), b = static_cast<double>(n_b);
    const double pooled = static_cast<double>(hits_a + hits_b) / (a + b);
    const double variance = pooled * (1 - pooled) * (1 / a + 1 / b);
    if (variance <= 0) return 1;
    const double z =
        (static_cast<double>(hits_a) / a - static_cast<double>(hits_b) / b) / std::sqrt(variance);
    return std::erfc(std::abs(z) / std::sqrt(2.0));
}

tinyllm::Table published_table(const Summary& summary) {
    tinyllm::Table table;
    table.columns = {{"model", "model"},
                     {"type", "type"},
                     {"task", "task"},
                     {"published", "published % (95 %)"},
                     {"measured", "measured % (95 %)"},
                     {"difference", "points", 1},
                     {"p", "p", 4},
                     {"published_ms", "published ms", 1},
                     {"ms", "mean ms", 1},
                     {"speed", "times as fast", 2},
                     {"published_peak_gib", "published peak GiB", 2},
                     {"peak_gib", "peak GiB", 2},
                     {"published_size_mib", "published MiB", 0},
                     {"size_mib", "model MiB", 0}};
    if (summary.several_boards()) table.columns.insert(table.columns.begin() + 2, {"board", "board"});
    for (const Pair& pair : pairs_of(summary)) table.rows.push_back(row_of(pair));
    return table;
}

std::vector<std::string> words_about_published(const Summary& summary) {
    if (summary.several_boards()) return board_by_board(summary, words_about_published);
    const std::vector<Pair> pairs = pairs_of(summary);
    std::vector<std::string> words;
    for (auto at = pairs.begin(); at != pairs.end();) {
        std::vector<const Pair*> group;
        const CellFigures& first = *at->cell;
        for (; at != pairs.end() && at->cell->model == first.model && at->cell->type == first.type; ++at)
            group.push_back(&*at);
        if (std::ranges::any_of(group, [](const Pair* pair) { return pair->cell->ok(); }))
            words.push_back(sentence(group));
    }
    return words;
}

}  // namespace tinyllm::study
