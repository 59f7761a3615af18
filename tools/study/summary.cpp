#include "tools/study/summary.h"

#include <algorithm>
#include <cmath>

#include "engine/fail.h"
#include "tools/eval/results.h"
#include "tools/eval/row.h"
#include "tools/eval/rows_file.h"
#include "tools/monitor/usage.h"
#include "tools/study/boards.h"

namespace tinyllm::study {
namespace {

namespace fs = std::filesystem;

CellFigures read_cell(const fs::path& folder, const Json& planned, const std::vector<std::string>& boards) {
    CellFigures cell;
    cell.model = planned.at("model").get<std::string>();
    cell.type = planned.at("type").get<std::string>();
    cell.task = planned.at("task").get<std::string>();
    cell.data = planned.at("data").get<std::string>();
    cell.labels = planned.value("labels", "");
    const std::string protocol = planned.at("protocol").get<std::string>();
    cell.protocol = eval::protocol_from_name(protocol);
    const eval::Task& task = eval::find_task(cell.task);
    cell.title = std::string(task.title);
    cell.normalised = task.normalised && cell.protocol == eval::Protocol::lm_eval;
    cell.board = planned.value("board", boards.front());
    if (std::find(boards.begin(), boards.end(), cell.board) == boards.end())
        fail(ErrorKind::corrupt, "{}: expected one of the study's boards, found \"{}\"", folder.string(),
             cell.board);
    const auto state = read_journal(journal_path(journal_root(folder, cell.board, boards.size()), cell.model,
                                                 cell.type, protocol, cell.task));
    if (!state || !state->ended()) {
        cell.status = "skipped";
        cell.reason = !state || state->answered == 0
                          ? planned.value("reason", "not run")
                          : fmt::format("not finished, {} questions answered", state->answered);
        return cell;
    }
    cell.status = state->status();
    cell.reason = state->end.value("reason", "");
    cell.load = state->load;
    cell.settings = state->header.at("settings");
    // A folder that was carried to another machine holds journals of both.
    if (boards.size() == 1) cell.board = cell.settings.value("board", cell.board);
    if (!cell.ok()) return cell;
    for (const auto& answer : state->answers) {
        if (!answer)
            fail(ErrorKind::corrupt, "{}: the journal of {} ended with questions missing", folder.string(),
                 cell.task);
        cell.answers.push_back(*answer);
    }
    cell.figures = eval::figures_of(cell.answers);
    if (state->end.contains("peak_rss_bytes") && state->end.at("peak_rss_bytes").is_number())
        cell.peak_bytes = state->end.at("peak_rss_bytes").get<std::int64_t>();
    cell.usage = state->end.value("usage", Json());
    cell.series = state->end.value("series", Json());
    for (const Json& text : state->end.value("notes", Json::array()))
        cell.notes.push_back(text.get<std::string>());
    return cell;
}

void add_average(Entry& entry) {
    double sum = 0, norm = 0, squares = 0;
    for (const CellFigures* cell : entry.cells) {
        if (!cell->ok()) return;
        sum += cell->figures.acc.value;
        norm += cell->normalised ? cell->figures.acc_norm.value : cell->figures.acc.value;
        squares += std::pow(cell->figures.acc.stderr_.value_or(0), 2);
    }
    const auto n = static_cast<double>(entry.cells.size());
    entry.average = eval::Mean{sum / n, std::sqrt(squares) / n};
    entry.average_norm = norm / n;
}

/// The sum of a figure of the cells' usage; none if a cell lacks it.
std::optional<double> summed(const Entry& entry, const char* key) {
    std::optional<double> sum;
    for (const CellFigures* cell : entry.cells) {
        if (!cell->ok()) continue;
        const auto value = monitor::measured(cell->usage, key);
        if (!value) return {};
        sum = sum.value_or(0) + *value;
    }
    return sum;
}

void add_usage_figures(Entry& entry) {
    const auto over = [](const std::optional<double>& sum, const std::optional<double>& n) {
        return sum && n && *n > 0 ? std::optional(*sum / *n) : std::nullopt;
    };
    const auto joules = summed(entry, "energy_J"), questions = summed(entry, "questions");
    entry.joules_per_question = over(joules, questions);
    entry.joules_per_question_net = over(summed(entry, "energy_net_J"), questions);
    entry.joules_per_correct = over(joules, summed(entry, "correct"));
    entry.power_W = over(joules, summed(entry, "seconds"));
    for (const CellFigures* cell : entry.cells) {
        if (!cell->ok() || !cell->usage.is_object()) continue;
        if (const auto celsius = monitor::measured(cell->usage, "temp_C"))
            entry.temp_C = std::max(entry.temp_C.value_or(*celsius), *celsius);
        const Json throttled = cell->usage.value("throttled", Json());
        if (throttled.is_boolean())
            entry.throttled = entry.throttled.value_or(false) || throttled.get<bool>();
    }
}

Entry make_entry(const Summary& summary, eval::Protocol protocol, const std::string& model,
                 const std::string& type, const std::string& board) {
    Entry entry;
    entry.model = model;
    entry.type = type;
    entry.board = board;
    entry.one_of_boards = summary.several_boards();
    entry.protocol = protocol;
    for (const CellFigures& cell : summary.cells) {
        if (cell.protocol != protocol || cell.model != model || cell.type != type || cell.board != board)
            continue;
        entry.cells.push_back(&cell);
        if (!cell.load.is_null()) {
            entry.weight_bytes = cell.load.at("weight_bytes").get<std::int64_t>();
            entry.parameters = cell.load.at("parameters").get<std::int64_t>();
            entry.backend = cell.load.at("backend").get<std::string>();
            const double load_ms = cell.load.at("load_ms").get<double>();
            entry.load_ms = std::min(entry.load_ms.value_or(load_ms), load_ms);
        }
        if (!cell.ok()) continue;
        for (const eval::Answer& answer : cell.answers) entry.ms.push_back(answer.ms);
        if (cell.peak_bytes) entry.peak_bytes = std::max(entry.peak_bytes.value_or(0), *cell.peak_bytes);
    }
    add_average(entry);
    add_usage_figures(entry);
    if (!entry.ms.empty()) {
        entry.latency = eval::latency_of(entry.ms);
        if (entry.latency->mean > 0) entry.questions_per_s = 1000.0 / entry.latency->mean;
    }
    return entry;
}

void make_entries(Summary& summary) {
    for (eval::Protocol protocol : summary.protocols)
        for (const std::string& model : summary.models)
            for (const std::string& type : summary.types)
                for (const std::string& board : summary.boards) {
                    Entry entry = make_entry(summary, protocol, model, type, board);
                    if (!entry.cells.empty()) summary.entries.push_back(std::move(entry));
                }
}

std::vector<std::string> boards_of(const Json& study) {
    std::vector<std::string> boards;
    for (const Json& board : study.value("boards", Json::array()))
        boards.push_back(board.at("board").get<std::string>());
    if (boards.empty()) boards.push_back(study.value("board", board_label(study.at("machine"))));
    return boards;
}

template <typename T>
Json or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json();
}

Json cell_json(const CellFigures& cell) {
    Json json = {{"model", cell.model},
                 {"type", cell.type},
                 {"protocol", std::string(eval::protocol_name(cell.protocol))},
                 {"task", cell.task},
                 {"board", cell.board},
                 {"status", cell.status}};
    if (!cell.ok()) {
        json["reason"] = cell.reason;
        json["results"] = nullptr;
        return json;
    }
    const eval::TaskFigures& f = cell.figures;
    json["n"] = f.n;
    json["results"] = eval::task_results(eval::find_task(cell.task), cell.protocol, f);
    json["chance"] = f.chance;
    json["constant_answer"] = {{"choice", f.constant_choice}, {"acc", f.constant}};
    json["predicted_share"] = f.predicted;
    json["latency_ms"] = eval::latency_json(f.latency);
    json["questions_per_s"] = f.total_ms > 0 ? Json(1000.0 * static_cast<double>(f.n) / f.total_ms) : Json();
    json["tokens"] = f.tokens;
    json["truncated"] = f.cut;
    json["peak_rss_bytes"] = or_null(cell.peak_bytes);
    json["usage"] = cell.usage;
    json["series"] = cell.series;
    json["load"] = cell.load;
    json["data"] = cell.data;
    json["notes"] = cell.notes;
    return json;
}

}  // namespace

std::optional<double> Entry::ratio_fp32() const {
    if (!weight_bytes || !parameters || *parameters == 0) return std::nullopt;
    return static_cast<double>(*weight_bytes) / (4.0 * static_cast<double>(*parameters));
}

eval::Mean paired_difference(const Entry& base, const Entry& other) {
    std::vector<double> differences;
    for (std::size_t t = 0; t < std::min(base.cells.size(), other.cells.size()); ++t) {
        const auto& a = base.cells[t]->answers;
        const auto& b = other.cells[t]->answers;
        for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
            differences.push_back(static_cast<double>(b[i].prediction == b[i].gold) -
                                  static_cast<double>(a[i].prediction == a[i].gold));
    }
    return eval::mean_of(differences);
}

std::vector<const Entry*> front(const std::vector<const Entry*>& entries,
                                const std::function<std::optional<double>(const Entry&)>& cost) {
    std::vector<const Entry*> sorted;
    for (const Entry* entry : entries)
        if (entry->average && cost(*entry)) sorted.push_back(entry);
    std::stable_sort(sorted.begin(), sorted.end(), [&](const Entry* a, const Entry* b) {
        return std::pair(*cost(*a), -a->average->value) < std::pair(*cost(*b), -b->average->value);
    });
    std::vector<const Entry*> best;
    for (const Entry* entry : sorted)
        if (best.empty() || entry->average->value > best.back()->average->value) best.push_back(entry);
    return best;
}

std::vector<const Entry*> Summary::of(eval::Protocol protocol) const {
    std::vector<const Entry*> result;
    for (const Entry& entry : entries)
        if (entry.protocol == protocol) result.push_back(&entry);
    return result;
}

const Entry* Summary::find(eval::Protocol protocol, const std::string& model, const std::string& type,
                           const std::string& board) const {
    for (const Entry& entry : entries)
        if (entry.protocol == protocol && entry.model == model && entry.type == type &&
            (board.empty() || entry.board == board))
            return &entry;
    return nullptr;
}

const CellFigures* Summary::any(eval::Protocol protocol, const std::string& task) const {
    for (const CellFigures& cell : cells)
        if (cell.protocol == protocol && cell.task == task && cell.ok()) return &cell;
    return nullptr;
}

Json Summary::json() const {
    Json json = {{"schema", "tinyllm.study-results/1"},
                 {"study", study},
                 {"boards", boards},
                 {"cells", Json::array()},
                 {"entries", Json::array()}};
    for (const CellFigures& cell : cells) json["cells"].push_back(cell_json(cell));
    for (const Entry& e : entries)
        json["entries"].push_back({{"protocol", std::string(eval::protocol_name(e.protocol))},
                                   {"model", e.model},
                                   {"type", e.type},
                                   {"board", e.board},
                                   {"average_acc", e.average ? Json(e.average->value) : Json()},
                                   {"average_acc_stderr", e.average ? or_null(e.average->stderr_) : Json()},
                                   {"average_acc_norm", or_null(e.average_norm)},
                                   {"latency_ms", e.latency ? eval::latency_json(*e.latency) : Json()},
                                   {"questions_per_s", or_null(e.questions_per_s)},
                                   {"peak_rss_bytes", or_null(e.peak_bytes)},
                                   {"weight_bytes", or_null(e.weight_bytes)},
                                   {"parameters", or_null(e.parameters)},
                                   {"ratio_fp32", or_null(e.ratio_fp32())},
                                   {"load_ms", or_null(e.load_ms)},
                                   {"joules_per_question", or_null(e.joules_per_question)},
                                   {"joules_per_question_net", or_null(e.joules_per_question_net)},
                                   {"joules_per_correct", or_null(e.joules_per_correct)},
                                   {"power_W", or_null(e.power_W)},
                                   {"temp_C", or_null(e.temp_C)},
                                   {"throttled", or_null(e.throttled)},
                                   {"backend", e.backend}});
    return json;
}

Summary read_summary(const std::string& folder) {
    const fs::path path = fs::path(folder) / "study.json";
    Summary summary;
    try {
        summary.study = json_from(eval::read_bytes(path), path.string());
        if (const Json& schema = summary.study.at("schema"); schema != "tinyllm.study/1")
            fail(ErrorKind::corrupt, "{}: schema: expected tinyllm.study/1, found {}", path.string(),
                 eval::describe(schema));
        for (const Json& model : summary.study.at("models"))
            summary.models.push_back(model.at("name").get<std::string>());
        summary.types = summary.study.at("types").get<std::vector<std::string>>();
        for (const Json& task : summary.study.at("tasks")) {
            summary.tasks.push_back(task.at("name").get<std::string>());
            summary.titles.push_back(task.at("title").get<std::string>());
        }
        for (const Json& protocol : summary.study.at("protocols"))
            summary.protocols.push_back(eval::protocol_from_name(protocol.get<std::string>()));
        const std::vector<std::string> boards = boards_of(summary.study);
        summary.boards = boards;
        for (const Json& cell : summary.study.at("cells"))
            summary.cells.push_back(read_cell(folder, cell, boards));
        for (const CellFigures& cell : summary.cells)
            if (std::find(summary.boards.begin(), summary.boards.end(), cell.board) == summary.boards.end())
                summary.boards.push_back(cell.board);
    } catch (const Json::exception& error) {
        fail(ErrorKind::corrupt, "{}: expected a study, found {}", path.string(), json_reason(error));
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::usage) throw;  // a task or protocol that nobody typed
        fail(ErrorKind::corrupt, "{}: {}", path.string(), error.what());
    }
    make_entries(summary);
    return summary;
}

Summary of_board(const Summary& summary, const std::string& board) {
    Summary own;
    own.study = summary.study;
    own.study["machine"] = machine_of(summary.study, board);
    own.boards = {board};
    own.tasks = summary.tasks;
    own.titles = summary.titles;
    own.protocols = summary.protocols;
    for (const CellFigures& cell : summary.cells)
        if (cell.board == board) own.cells.push_back(cell);
    const auto has = [&](std::string CellFigures::*part, const std::string& name) {
        return std::any_of(own.cells.begin(), own.cells.end(),
                           [&](const CellFigures& cell) { return cell.*part == name; });
    };
    for (const std::string& model : summary.models)
        if (has(&CellFigures::model, model)) own.models.push_back(model);
    for (const std::string& type : summary.types)
        if (has(&CellFigures::type, type)) own.types.push_back(type);
    make_entries(own);
    return own;
}

std::vector<std::string> board_by_board(
    const Summary& summary, const std::function<std::vector<std::string>(const Summary&)>& words) {
    std::vector<std::string> all;
    for (const std::string& board : summary.boards)
        for (const std::string& sentence : words(of_board(summary, board)))
            all.push_back(board + ": " + sentence);
    return all;
}

}  // namespace tinyllm::study
