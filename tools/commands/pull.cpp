// tinyllm pull: models and questions from the Hugging Face hub.
#include <algorithm>
#include <functional>
#include <memory>

#include "engine/fail.h"
#include "tools/command.h"
#include "tools/hub/data_cache.h"
#include "tools/hub/download/pull_data.h"
#include "tools/hub/download/pull_model.h"
#include "tools/hub/download/source.h"
#include "tools/log.h"
#include "tools/output.h"
#include "tools/signals.h"

namespace tinyllm {
namespace {

struct PullOptions : hub::Source {
    std::vector<std::string> names, files;
    bool offline = false, json = false;
};

void note_left_out(const std::string& name, const std::vector<hub::RemoteFile>& files) {
    if (files.empty()) return;
    std::int64_t bytes = 0;
    std::string names;
    bool all_known = true;
    for (const hub::RemoteFile& file : files) {
        bytes += file.size;
        all_known = all_known && file.size >= 0;
    }
    const std::string size = all_known ? fmt::format(", {:.1f} MB", 1e-6 * static_cast<double>(bytes)) : "";
    for (std::size_t i = 0; i < std::min<std::size_t>(files.size(), 8); ++i)
        names += (i == 0 ? "" : ", ") + files[i].name;
    if (files.size() > 8) names += ", ...";
    note(
        "tinyllm: {}: left out {} file{} that a model is not run from{}: {} (--file GLOB takes "
        "them)",
        name, files.size(), files.size() == 1 ? "" : "s", size, names);
}

Json pull_one_model(const PullOptions& options, hub::Client* client, const hub::RepositoryName& name) {
    const hub::PulledModel pulled = client == nullptr ? hub::find_pulled(name, options.files)
                                                      : hub::pull_model(*client, name, options.files);
    if (options.files.empty()) note_left_out(name.id(), pulled.left_out);
    Json files = Json::array(), left_out = Json::array();
    std::int64_t downloaded = 0;
    for (const hub::PulledFile& file : pulled.files) {
        files.push_back({{"name", file.file.name},
                         {"bytes", file.file.size},
                         {"blob", file.file.id},
                         {"downloaded", file.downloaded}});
        downloaded += file.downloaded;
    }
    for (const hub::RemoteFile& file : pulled.left_out)
        left_out.push_back({{"name", file.name}, {"bytes", file.size < 0 ? Json() : Json(file.size)}});
    return {{"name", name.id()},
            {"revision", name.revision},
            {"commit", pulled.commit.empty() ? Json() : Json(pulled.commit)},
            {"path", pulled.path.string()},
            {"downloaded", downloaded},
            {"files", files},
            {"left_out", left_out}};
}

struct TaskData {
    const eval::Task* task;
    hub::DataPart part;
};

// The tasks of data:TASK[:train]. For data:all:train, those that have a training split.
std::vector<TaskData> tasks_of(const hub::DataKey& name) {
    if (name.task == "all") {
        std::vector<TaskData> tasks;
        for (const auto make : all_tasks())
            if (!hub::data_splits(make(), name.part).empty()) tasks.push_back({&make(), name.part});
        return tasks;
    }
    const eval::Task& task = eval::find_task(name.task);
    if (hub::data_splits(task, name.part).empty())
        fail(ErrorKind::usage, "pull: {} has no training split", task.name);
    return {{&task, name.part}};
}

Json pull_one_task(hub::Client* client, const TaskData& data) {
    const eval::Task& task = *data.task;
    const hub::PulledData pulled =
        client == nullptr ? hub::find_data(task, data.part) : hub::pull_data(*client, task, data.part);
    Json files = Json::array();
    for (const hub::PulledSplit& split : pulled.splits)
        files.push_back({{"name", split.file}, {"rows", split.rows}, {"downloaded", split.downloaded}});
    return {{"name", hub::DataKey{std::string(task.name), data.part}.text()},
            {"path", pulled.path.string()},
            {"files", files}};
}

// What cannot be written on this side (no space for a lock, a branch) is a download that failed, like
// whatever the server does.
Json fetched(const std::function<Json()>& fetch) {
    try {
        return fetch();
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::runtime) fail(ErrorKind::not_found, "{}", error.what());
        throw;
    }
}

int pull(const PullOptions& options) {
    // All names are looked at before anything is fetched.
    std::vector<hub::RepositoryName> models;
    std::vector<TaskData> tasks;
    for (const std::string& name : options.names) {
        if (const auto data = hub::parse_data_name(name)) {
            for (const TaskData& one : tasks_of(*data)) tasks.push_back(one);
        } else if (const auto repository = hub::parse_repository(name)) {
            models.push_back(*repository);
        } else {
            fail(ErrorKind::usage, "pull: expected org/name[@revision] or data:TASK[:train], found \"{}\"",
                 name);
        }
    }
    const CooperativeStop stop;
    const bool offline = options.offline || hub::is_offline();
    Json results = Json::array();
    try {
        std::unique_ptr<hub::Client> models_from, rows_from;
        if (!offline && !models.empty())
            models_from = std::make_unique<hub::Client>(
                hub::ClientOptions{options.endpoint, "--endpoint", hub::token_of(options), options.retries,
                                   options.retry_delay});
        if (!offline && !tasks.empty())  // the sets are public: no token
            rows_from = std::make_unique<hub::Client>(hub::ClientOptions{
                hub::rows_endpoint_of(options), "--rows-endpoint", "", options.retries, options.retry_delay});
        const auto add = [&](Json result) {
            if (!options.json) print(result.at("path").get<std::string>() + "\n");
            results.push_back(std::move(result));
        };
        for (const hub::RepositoryName& name : models)
            add(fetched([&] { return pull_one_model(options, models_from.get(), name); }));
        for (const TaskData& data : tasks) add(fetched([&] { return pull_one_task(rows_from.get(), data); }));
    } catch (const hub::Interrupted&) {
        note("tinyllm: stopped; the same command goes on where it was");
        return stop_exit_code(static_cast<int>(ErrorKind::runtime));
    }
    if (options.json) print(dump_json_pretty({{"schema", "tinyllm.pull/1"}, {"pulled", results}}) + "\n");
    return 0;
}

std::function<int()> add_pull(CLI::App& app) {
    auto options = std::make_shared<PullOptions>();
    if (const char* endpoint = hub::environment("HF_ENDPOINT")) options->endpoint = endpoint;
    app.add_option("name", options->names,
                   "org/name[@revision], data:TASK for a task's questions, or data:TASK:train for what "
                   "`eval -f` draws examples from; TASK may be `all`")
        ->required()
        ->type_name("");
    app.add_option("--file", options->files,
                   "only files of this name or pattern, whatever they are; repeatable")
        ->type_name("GLOB")
        ->allow_extra_args(false);
    app.add_option("--token", options->token,
                   "for private and gated models; better HF_TOKEN, which no list of processes shows")
        ->type_name("TOKEN");
    app.add_option("--endpoint", options->endpoint, "the hub, or a mirror of it; also HF_ENDPOINT")
        ->type_name("URL")
        ->capture_default_str();
    app.add_option("--rows-endpoint", options->rows_endpoint,
                   "where data:TASK comes from (default: datasets-server. before the endpoint's host)")
        ->type_name("URL");
    app.add_option("--retries", options->retries, "after failures in a row")
        ->check(CLI::Range(0, 1000))
        ->capture_default_str();
    app.add_option("--retry-delay", options->retry_delay,
                   "seconds before the first, doubled for each further one")
        ->check(CLI::Range(0.0, 3600.0))
        ->capture_default_str();
    app.add_flag("--offline", options->offline, "take what is there, ask nobody; also HF_HUB_OFFLINE=1");
    app.add_flag("--json", options->json, "what was fetched, as JSON");
    return [options] { return pull(*options); };
}

}  // namespace

const Command& command_pull() {
    static const Command command{"pull", "Fetch models and questions from the Hugging Face hub", add_pull};
    return command;
}

}  // namespace tinyllm
