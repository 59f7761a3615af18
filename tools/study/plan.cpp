#include "tools/study/plan.h"

#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "engine/fail.h"
#include "tinyllm/dtype.h"
#include "tinyllm/version.h"
#include "tools/eval/machine.h"
#include "tools/eval/sha256.h"
#include "tools/eval/text.h"
#include "tools/hub/cache.h"
#include "tools/hub/data_cache.h"
#include "tools/hub/repository.h"
#include "tools/model_path.h"
#include "tools/output.h"
#include "tools/study/boards.h"
#include "tools/study/embedded.h"

namespace tinyllm::study {
namespace {

namespace fs = std::filesystem;

// A pattern names a part of the cell ("q8_0", "piqa", "lm-eval"), or is a shell pattern on the whole of its
// id.
bool matches(const std::string& pattern, const Cell& cell) {
    for (const std::string& part :
         {cell.model, cell.type, std::string(eval::protocol_name(cell.protocol)), cell.task, cell.id()})
        if (pattern == part) return true;
    return fnmatch(pattern.c_str(), cell.id().c_str(), 0) == 0;
}

bool any_matches(const std::vector<std::string>& patterns, const Cell& cell) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& p) { return matches(p, cell); });
}

// Reports are lines of UTF-8; what a file may be called need be neither.
std::string shown_name(const std::string& name) {
    return printable(Json::parse(dump_json(name)).get<std::string>());
}

std::string model_name(const std::string& argument, const std::set<std::string>& taken) {
    fs::path path(argument);
    if (path.filename().empty()) path = path.parent_path();
    std::string base = path.extension() == ".gguf" ? path.stem().string() : path.filename().string();
    if (base.empty() || base == "." || base == "..") base = fs::weakly_canonical(path).filename().string();
    base = shown_name(base);
    std::string name = base;
    for (int i = 2; taken.count(name); ++i) name = fmt::format("{}-{}", base, i);
    return name;
}

// As it is called everywhere else: F32 and f32 are one type.
std::string own_name_of(const std::string& type) {
    if (type == "stored") return type;
    if (const auto known = dtype_from_name(type)) return std::string(dtype_name(*known));
    std::string names = "stored";
    for (DType known : all_dtypes()) eval::list_item(names, dtype_name(known));
    fail(ErrorKind::usage, "--types: no type \"{}\"; there are {}", type, names);
}

void check_once(const std::vector<std::string>& names, const char* flag) {
    for (auto name = names.begin(); name != names.end(); ++name)
        if (std::find(names.begin(), name, *name) != name)
            fail(ErrorKind::usage, "{}: \"{}\" stands twice", flag, *name);
}

// What is no name of the hub must be there; of those that are, a study goes on with the models it has.
StudyModel find_model(const std::string& argument) {
    StudyModel model;
    model.argument = argument;
    std::error_code error;
    if (fs::exists(argument, error) || !hub::parse_repository(argument)) {
        model.path = resolve_model(argument);
        return model;
    }
    try {
        const std::string path = resolve_model(argument);
        const std::vector<std::string> lacks =
            fs::is_directory(path, error) ? hub::missing_files(path) : std::vector<std::string>{};
        if (lacks.empty()) {
            model.path = path;
        } else {
            std::string names;
            for (const std::string& name : lacks) eval::list_item(names, name);
            model.missing = fmt::format("{}: {} lacks {}{}", argument, path, names, hub::pull_hint(argument));
        }
    } catch (const Error& problem) {
        model.missing = problem.what();
    }
    return model;
}

void resolve_models(Plan& plan, const StudyOptions& options) {
    std::vector<std::string> arguments = options.models;
    if (arguments.empty()) arguments = embedded_models();
    check_once(arguments, "--models");
    std::set<std::string> names;
    for (const std::string& argument : arguments) {
        StudyModel model = find_model(argument);
        model.name = model_name(argument, names);
        names.insert(model.name);
        plan.models.push_back(std::move(model));
    }
}

void find_questions(Plan& plan, const StudyOptions& options) {
    std::vector<std::string> arguments = options.data;
    plan.pulled_data = arguments.empty() && !options.study.empty() && !options.models.empty();
    if (plan.pulled_data) {
        const fs::path cache = hub::data_cache();
        std::error_code error;
        if (fs::is_directory(cache, error)) arguments = {cache.string()};
    } else if (arguments.empty()) {
        arguments = {embedded_questions()};
    }
    const eval::DataIndex index(eval::parse_data_arguments(arguments));
    check_once(options.tasks, "--tasks");
    const auto add = [&](const eval::Task& task) {
        if (std::find(plan.tasks.begin(), plan.tasks.end(), &task) == plan.tasks.end())
            plan.tasks.push_back(&task);
    };
    for (const std::string& name : options.tasks.empty() ? std::vector<std::string>{"all"} : options.tasks) {
        if (name != "all") {
            add(eval::find_task(name));
            continue;
        }
        for (auto* task : all_tasks())
            if (plan.pulled_data || index.try_find(task(), plan.protocols.front())) add(task());
        if (plan.tasks.empty()) fail(ErrorKind::not_found, "--data: no file of any task");
    }
    for (eval::Protocol protocol : plan.protocols)
        for (const eval::Task* task : plan.tasks) {
            auto file = plan.pulled_data ? index.try_find(*task, protocol)
                                         : std::optional(index.find(*task, protocol));
            if (file) plan.data[{protocol, std::string(task->name)}].file = std::move(*file);
        }
}

void make_cells(Plan& plan, const StudyOptions& options) {
    for (const StudyModel& model : plan.models)
        for (const std::string& type : plan.types)
            for (eval::Protocol protocol : plan.protocols)
                for (const eval::Task* task : plan.tasks) {
                    Cell cell{model.name, type, std::string(task->name), protocol, true, model.missing};
                    cell.chosen = (options.only.empty() || any_matches(options.only, cell)) &&
                                  !any_matches(options.skip, cell);
                    if (cell.missing.empty() && plan.data.count({protocol, cell.task}) == 0)
                        cell.missing =
                            fmt::format("no questions of {} in {}{}", cell.task, hub::data_cache().string(),
                                        hub::pull_hint("data:" + cell.task));
                    plan.cells.push_back(std::move(cell));
                }
    if (std::none_of(plan.cells.begin(), plan.cells.end(), [](const Cell& c) { return c.chosen; }))
        fail(ErrorKind::usage, "--only/--skip leave no cell of {}", plan.cells.size());
}

// A share of the time: questions are computed with as many operations whatever the type, and wait for the
// weights' bytes.
double cost_of_weight(const std::string& type) {
    constexpr double kTypical = 1.5;
    if (type == "stored") return kTypical;
    const DType dtype = *dtype_from_name(type);
    return 1 + static_cast<double>(row_bytes(dtype, dtype_block(dtype))) /
                   static_cast<double>(dtype_block(dtype)) / 4;
}

// All cells of a model and type stay together, so that each shard loads a model as rarely as can be. Nothing
// that differs from machine to machine may decide.
void keep_shard(Plan& plan, const StudyOptions& options) {
    if (options.shard.whole()) return;
    double known = 0, sum = 0;
    for (const auto& [name, stated] : options.stated)
        if (stated.parameters) ++known, sum += static_cast<double>(*stated.parameters);
    const double usual = known > 0 ? sum / known : 1;
    std::map<std::pair<std::string, std::string>, std::size_t> places;
    std::vector<double> costs;
    for (const Cell& cell : plan.cells) {
        if (!cell.chosen) continue;
        const auto [place, fresh] = places.try_emplace({cell.model, cell.type}, costs.size());
        if (fresh) costs.push_back(0);
        const auto stated = options.stated.find(plan.model(cell.model).argument);
        const double parameters = stated != options.stated.end() && stated->second.parameters
                                      ? static_cast<double>(*stated->second.parameters)
                                      : usual;
        costs[place->second] += parameters * cost_of_weight(cell.type);
    }
    const std::vector<int> owners = deal(costs, options.shard.count);
    for (Cell& cell : plan.cells) {
        if (!cell.chosen) continue;
        cell.chosen = owners[places.at({cell.model, cell.type})] == options.shard.index;
    }
}

}  // namespace

double limit_of(const StudyOptions& options, std::string_view task) {
    const auto own = options.limits.find(std::string(task));
    return own == options.limits.end() ? options.limit : own->second;
}

void set_limit(StudyOptions& options, const std::string& text, const std::string& flag) {
    const std::size_t equals = text.find('=');
    const std::string number = equals == std::string::npos ? text : text.substr(equals + 1);
    std::size_t used = 0;
    double value = -1;
    try {
        value = std::stod(number, &used);
    } catch (const std::exception&) {
    }
    if (number.empty() || used != number.size() || !eval::is_limit(value))
        fail(ErrorKind::usage,
             "{}: expected a whole number of questions, a share below 1, or task=NUMBER, found \"{}\"", flag,
             text);
    if (equals == std::string::npos) {
        options.limit = value;
    } else {
        options.limits[std::string(eval::find_task(text.substr(0, equals)).name)] = value;
    }
}

std::string Cell::id() const {
    return fmt::format("{}/{}/{}/{}", model, type, eval::protocol_name(protocol), task);
}

const StudyModel& Plan::model(const std::string& name) const {
    return *std::find_if(models.begin(), models.end(), [&](const StudyModel& m) { return m.name == name; });
}

Plan make_plan(const StudyOptions& options) {
    Plan plan;
    resolve_models(plan, options);
    plan.types =
        options.types.empty() ? std::vector<std::string>{"f32", "f16", "q8_0", "q4_0"} : options.types;
    for (std::string& type : plan.types) type = own_name_of(type);
    check_once(plan.types, "--types");
    check_once(options.protocols, "--protocol");
    for (const std::string& protocol : options.protocols)
        plan.protocols.push_back(eval::protocol_from_name(protocol));
    if (plan.protocols.empty()) plan.protocols = {eval::Protocol::lm_eval, eval::Protocol::study};
    find_questions(plan, options);
    plan.machine = study_machine();
    plan.board = options.label.empty() ? board_label(plan.machine) : shown_name(options.label);
    make_cells(plan, options);
    keep_shard(plan, options);
    if (options.plan) return plan;
    for (StudyModel& model : plan.models) {
        const bool needed = std::any_of(plan.cells.begin(), plan.cells.end(), [&](const Cell& cell) {
            return cell.runs() && cell.model == model.name;
        });
        if (needed) model.files = eval::identify_model(model.path);
    }
    for (auto& [key, data] : plan.data) {
        data.sha256 = eval::sha256_of_file(data.file.rows);
        if (data.file.labels) data.labels_sha256 = eval::sha256_of_file(*data.file.labels);
    }
    return plan;
}

Json cell_settings(const Plan& plan, const Cell& cell, const StudyOptions& options) {
    const Plan::Data& data = plan.data.at({cell.protocol, cell.task});
    return {{"version", version()},
            {"commit", plan.machine.at("commit")},
            {"model_sha256", plan.model(cell.model).files.sha256},
            {"data_sha256", data.sha256},
            {"labels_sha256", data.labels_sha256},
            {"limit", limit_of(options, cell.task)},
            {"exact", options.exact},
            {"device", options.device},
            {"threads", options.threads},
            {"cores", options.cores},
            {"board", plan.board}};
}

Json plan_json(const Plan& plan, const StudyOptions& options) {
    Json models = Json::array(), protocols = Json::array(), tasks = Json::array(), cells = Json::array();
    for (const StudyModel& model : plan.models)
        models.push_back({{"name", model.name},
                          {"path", model.path},
                          {"sha256", model.files.sha256},
                          {"file_bytes", model.files.weight_bytes}});
    for (eval::Protocol protocol : plan.protocols)
        protocols.push_back(std::string(eval::protocol_name(protocol)));
    for (const eval::Task* task : plan.tasks)
        tasks.push_back({{"name", std::string(task->name)}, {"title", std::string(task->title)}});
    for (const Cell& cell : plan.cells) {
        const auto data = plan.data.find({cell.protocol, cell.task});
        Json planned = {{"model", cell.model},
                        {"type", cell.type},
                        {"protocol", std::string(eval::protocol_name(cell.protocol))},
                        {"task", cell.task},
                        {"data", data == plan.data.end() ? "" : data->second.file.rows.string()}};
        if (data != plan.data.end() && data->second.file.labels)
            planned["labels"] = data->second.file.labels->string();
        if (!cell.missing.empty()) planned["reason"] = cell.missing;
        cells.push_back(std::move(planned));
    }
    Json limit = options.limit > 0 ? Json(options.limit) : Json();
    if (!options.limits.empty()) {
        limit = Json::object();
        for (const eval::Task* task : plan.tasks)
            limit[std::string(task->name)] = limit_of(options, task->name);
    }
    const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
    return {{"schema", "tinyllm.study/1"},
            {"name", or_null(options.study)},
            {"title", or_null(options.title)},
            {"date", eval::utc_now()},
            {"models", models},
            {"types", plan.types},
            {"protocols", protocols},
            {"tasks", tasks},
            {"limit", limit},
            {"exact", options.exact},
            {"machine", plan.machine},
            {"board", plan.board},
            {"cells", cells}};
}

}  // namespace tinyllm::study
