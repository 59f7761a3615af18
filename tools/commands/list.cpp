// tinyllm list: the models and questions in the cache.
#include <memory>

#include "tools/command.h"
#include "tools/hub/cache.h"
#include "tools/hub/data_cache.h"
#include "tools/output.h"

namespace tinyllm {
namespace {

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

Json row(const std::string& name, std::int64_t bytes, const std::vector<std::string>& missing,
         std::int64_t resumable) {
    std::string state = missing.empty() ? "complete" : "lacks " + joined(missing);
    if (resumable > 0) state += "; a download can go on";
    return {{"name", name},
            {"size_mb", static_cast<double>(bytes) / 1e6},
            {"bytes", bytes},
            {"state", state},
            {"complete", missing.empty()},
            {"missing", missing},
            {"resumable_bytes", resumable}};
}

int list(const OutputOptions& output) {
    Table table;
    table.columns = {{"name", "name"},
                     {"revision", "revision"},
                     {"short_commit", "commit"},
                     {"size_mb", "size MB", 1},
                     {"state", "state"}};
    for (const hub::CachedModel& model : hub::cached_models()) {
        for (const hub::Snapshot& snapshot : model.snapshots) {
            Json one = row(model.id, snapshot.bytes, snapshot.missing, model.resumable_bytes);
            one["revision"] = snapshot.refs.empty() ? Json() : Json(joined(snapshot.refs));
            one["short_commit"] = snapshot.commit.substr(0, 12);
            one["commit"] = snapshot.commit;
            one["files"] = snapshot.files;
            one["path"] = hub::folder_or_its_gguf(snapshot.path).string();
            table.rows.push_back(std::move(one));
        }
        if (model.snapshots.empty()) {
            Json one = row(model.id, 0, {"everything"}, model.resumable_bytes);
            one["path"] = model.path.string();
            table.rows.push_back(std::move(one));
        }
    }
    for (const hub::CachedData& data : hub::cached_data()) {
        Json one = row(data.name.text(), data.bytes, data.missing, data.resumable_bytes);
        one["files"] = data.files;
        one["path"] = data.path.string();
        table.rows.push_back(std::move(one));
    }
    if (output.json())
        for (Json& one : table.rows)
            for (const char* key : {"size_mb", "short_commit", "state"}) one.erase(key);
    deliver(output, render(table, output.format));
    return 0;
}

std::function<int()> add_list(CLI::App& app) {
    auto output = std::make_shared<OutputOptions>();
    add_output_options(app, *output);
    return [output] { return list(*output); };
}

}  // namespace

const Command& command_list() {
    static const Command command{"list", "List the models and questions in the cache", add_list};
    return command;
}

}  // namespace tinyllm
