#include "tools/study/compare.h"

#include <algorithm>
#include <cmath>

#include "engine/fail.h"
#include "tools/study/units.h"

namespace tinyllm::study {
namespace {

std::size_t hits(const CellFigures& cell) {
    return static_cast<std::size_t>(
        std::count_if(cell.answers.begin(), cell.answers.end(),
                      [](const eval::Answer& a) { return a.prediction == a.gold; }));
}

std::string accuracy_of(const CellFigures& cell) {
    return share_with_interval(hits(cell), cell.answers.size());
}

Json compare_cells(const CellFigures& a, const CellFigures& b) {
    for (const char* key : {"data_sha256", "labels_sha256", "limit"})
        if (a.settings.at(key) != b.settings.at(key))
            fail(ErrorKind::check_failed,
                 "{} {}: the studies asked different questions ({} differs): {} and {}",
                 eval::protocol_name(a.protocol), a.task, key, dump_json(a.settings.at(key)),
                 dump_json(b.settings.at(key)));
    std::size_t only_a = 0, only_b = 0;
    std::vector<double> differences;
    for (std::size_t i = 0; i < std::min(a.answers.size(), b.answers.size()); ++i) {
        const bool right_a = a.answers[i].prediction == a.answers[i].gold;
        const bool right_b = b.answers[i].prediction == b.answers[i].gold;
        only_a += right_a && !right_b;
        only_b += right_b && !right_a;
        differences.push_back(static_cast<double>(right_b) - static_cast<double>(right_a));
    }
    const eval::Mean difference = eval::mean_of(differences);
    return {{"protocol", std::string(eval::protocol_name(a.protocol))},
            {"model", a.model == b.model ? a.model : a.model + " / " + b.model},
            {"type", a.type},
            {"board", a.board == b.board ? a.board : a.board + " / " + b.board},
            {"task", a.task},
            {"n", differences.size()},
            {"a", accuracy_of(a)},
            {"b", accuracy_of(b)},
            {"difference", 100 * difference.value},
            {"stderr", difference.stderr_ ? Json(100 * *difference.stderr_) : Json()},
            {"only_a", only_a},
            {"only_b", only_b},
            {"p", mcnemar(only_a, only_b)},
            {"p50_ratio",
             a.figures.latency.p50 > 0 ? Json(b.figures.latency.p50 / a.figures.latency.p50) : Json()}};
}

}  // namespace

double mcnemar(std::size_t only_a, std::size_t only_b) {
    const std::size_t n = only_a + only_b;
    if (n == 0) return 1;
    // Binomial tail with p = 1/2, in logarithms so that large n do not underflow.
    double tail = 0;
    for (std::size_t k = 0; k <= std::min(only_a, only_b); ++k)
        tail +=
            std::exp(std::lgamma(static_cast<double>(n) + 1) - std::lgamma(static_cast<double>(k) + 1) -
                     std::lgamma(static_cast<double>(n - k) + 1) - static_cast<double>(n) * std::log(2.0));
    return std::min(1.0, 2 * tail);
}

tinyllm::Table compare_studies(const Summary& a, const Summary& b) {
    tinyllm::Table table;
    table.columns = {{"protocol", "protocol"},
                     {"model", "model"},
                     {"type", "type"},
                     {"task", "task"},
                     {"n", "n"},
                     {"a", "A % (95 %)"},
                     {"b", "B % (95 %)"},
                     {"difference", "B - A points", 1},
                     {"stderr", "± stderr", 1},
                     {"only_a", "only A right"},
                     {"only_b", "only B right"},
                     {"p", "McNemar p", 4},
                     {"p50_ratio", "p50 B / A", 2}};
    // Beside a study of one board stand all of another's; of two studies of several, each board meets itself.
    const bool several = a.several_boards() || b.several_boards();
    const bool any_board = !a.several_boards() || !b.several_boards();
    if (several) table.columns.insert(table.columns.begin() + 3, {"board", "board"});
    const bool any_model = a.models.size() == 1 && b.models.size() == 1;
    for (const CellFigures& mine : a.cells)
        for (const CellFigures& theirs : b.cells)
            if (mine.ok() && theirs.ok() && mine.protocol == theirs.protocol && mine.task == theirs.task &&
                mine.type == theirs.type && (any_board || mine.board == theirs.board) &&
                (any_model || mine.model == theirs.model))
                table.rows.push_back(compare_cells(mine, theirs));
    if (table.rows.empty())
        fail(ErrorKind::usage,
             "the two studies have no cell of one protocol, model, type and task in common{}",
             any_board ? "" : ", and on one board");
    return table;
}

}  // namespace tinyllm::study
