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
#include "tools/model_path.h"
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

std::string model_name(const std::string& argument, const std::set<std::string>& taken) {
    fs::path path(argument);
    if (path.filename().empty()) path = path.parent_path();
    std::string base = path.extension() == ".gguf" ? path.stem().string() : path.filename().string();
    if (base.empty() || base == "." || base == "..") base = fs::weakly_canonical(path).filename().string();
    std::string name = base;
    for (int i = 2; taken.count(name); ++i) name = fmt::format("{}-{}", base, i);
    return name;
}

Plan::Data hashed(eval::DataFile file) {
    Plan::Data data;
    data.sha256 = eval::sha256_of_file(file.rows);
    if (file.labels) data.labels_sha256 = eval::sha256_of_file(*file.labels);
    data.file = std::move(file);
    return data;
}

void check_type(const std::string& type) {
    if (type == "stored" || dtype_from_name(type)) return;
    std::string names = "stored";
    for (DType known : all_dtypes()) eval::list_item(names, dtype_name(known));
    fail(ErrorKind::usage, "--types: no type \"{}\"; there are {}", type, names);
}

}  // namespace

std::string Cell::id() const {
    return fmt::format("{}/{}/{}/{}", model, type, eval::protocol_name(protocol), task);
}

const StudyModel& Plan::model(const std::string& name) const {
    return *std::find_if(models.begin(), models.end(), [&](const StudyModel& m) { return m.name == name; });
}

Plan make_plan(const StudyOptions& options) {
    Plan plan;
    std::vector<std::string> model_arguments = options.models, data_arguments = options.data;
    if (model_arguments.empty()) model_arguments = embedded_models();
    if (data_arguments.empty()) data_arguments = {embedded_questions()};
    std::set<std::string> names;
    for (const std::string& argument : model_arguments) {
        const std::string path = resolve_model(argument);
        StudyModel model{model_name(argument, names), path, eval::identify_model(path)};
        names.insert(model.name);
        plan.models.push_back(std::move(model));
    }
    plan.types =
        options.types.empty() ? std::vector<std::string>{"f32", "f16", "q8_0", "q4_0"} : options.types;
    for (const std::string& type : plan.types) check_type(type);
    for (const std::string& protocol : options.protocols)
        plan.protocols.push_back(eval::protocol_from_name(protocol));
    if (plan.protocols.empty()) plan.protocols = {eval::Protocol::lm_eval, eval::Protocol::study};

    const eval::DataIndex index(eval::parse_data_arguments(data_arguments));
    const bool all = options.tasks.empty() || options.tasks == std::vector<std::string>{"all"};
    if (all) {
        for (auto* task : all_tasks())
            if (index.try_find(task(), plan.protocols.front())) plan.tasks.push_back(&task());
        if (plan.tasks.empty()) fail(ErrorKind::not_found, "--data: no file of any task");
    } else {
        for (const std::string& name : options.tasks) plan.tasks.push_back(&eval::find_task(name));
    }
    for (eval::Protocol protocol : plan.protocols)
        for (const eval::Task* task : plan.tasks)
            plan.data[{protocol, std::string(task->name)}] = hashed(index.find(*task, protocol));
    plan.machine = study_machine();
    plan.board = options.board.empty() ? board_label(plan.machine) : options.board;

    for (const StudyModel& model : plan.models)
        for (const std::string& type : plan.types)
            for (eval::Protocol protocol : plan.protocols)
                for (const eval::Task* task : plan.tasks) {
                    Cell cell{model.name, type, std::string(task->name), protocol, true};
                    cell.chosen = (options.only.empty() || any_matches(options.only, cell)) &&
                                  !any_matches(options.skip, cell);
                    plan.cells.push_back(std::move(cell));
                }
    if (std::none_of(plan.cells.begin(), plan.cells.end(), [](const Cell& c) { return c.chosen; }))
        fail(ErrorKind::usage, "--only/--skip leave no cell of {}", plan.cells.size());
    return plan;
}

Json cell_settings(const Plan& plan, const Cell& cell, const StudyOptions& options) {
    const Plan::Data& data = plan.data.at({cell.protocol, cell.task});
    return {{"version", version()},
            {"commit", plan.machine.at("commit")},
            {"model_sha256", plan.model(cell.model).files.sha256},
            {"data_sha256", data.sha256},
            {"labels_sha256", data.labels_sha256},
            {"limit", options.limit},
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
    for (const Cell& cell : plan.cells)
        cells.push_back({{"model", cell.model},
                         {"type", cell.type},
                         {"protocol", std::string(eval::protocol_name(cell.protocol))},
                         {"task", cell.task},
                         {"data", plan.data.at({cell.protocol, cell.task}).file.rows.string()}});
    return {{"schema", "tinyllm.study/1"},
            {"date", eval::utc_now()},
            {"models", models},
            {"types", plan.types},
            {"protocols", protocols},
            {"tasks", tasks},
            {"limit", options.limit > 0 ? Json(options.limit) : Json()},
            {"exact", options.exact},
            {"machine", plan.machine},
            {"board", plan.board},
            {"cells", cells}};
}

}  // namespace tinyllm::study
