// tinyllm rm: models, revisions and questions out of the cache.
#include <memory>

#include "engine/fail.h"
#include "tools/command.h"
#include "tools/hub/data_cache.h"
#include "tools/hub/remove.h"
#include "tools/output.h"

namespace tinyllm {
namespace {

hub::Removed remove_named(const std::string& name) {
    if (const auto data = hub::parse_data_name(name)) return hub::remove_data(*data);
    const auto repository = hub::parse_repository(name);
    if (!repository)
        fail(ErrorKind::usage, "rm: expected org/name[@revision] or data:TASK, found \"{}\"", name);
    return hub::remove_model(*repository, name.find('@') != std::string::npos);
}

std::string sentence(const hub::Removed& removed) {
    const std::string freed =
        fmt::format("{} file{}, {:.1f} MB freed", removed.files, removed.files == 1 ? "" : "s",
                    static_cast<double>(removed.bytes) / 1e6);
    return fmt::format("removed {}: {}\n", removed.name, freed);
}

std::function<int()> add_rm(CLI::App& app) {
    auto names = std::make_shared<std::vector<std::string>>();
    auto output = std::make_shared<OutputOptions>();
    app.add_option("name", *names,
                   "org/name, org/name@revision, data:TASK, or data:TASK:train for its training file alone")
        ->required()
        ->type_name("");
    add_output_options(app, *output);
    return [names, output] {
        Table table;
        table.columns = {{"name", "name"}, {"files", "files"}, {"bytes", "bytes"}};
        std::string text;
        for (const std::string& name : *names) {
            const hub::Removed removed = remove_named(name);
            table.rows.push_back({{"name", removed.name},
                                  {"revisions", removed.revisions},
                                  {"files", removed.files},
                                  {"bytes", removed.bytes}});
            text += sentence(removed);
            if (output->format != Format::table || !output->path.empty()) continue;
            print(text);  // at once: what went is told even if the next name cannot go
            text.clear();
        }
        if (output->format != Format::table) text = render(table, output->format);
        if (!text.empty()) deliver(*output, text);
        return 0;
    };
}

}  // namespace

const Command& command_rm() {
    static const Command command{"rm", "Remove models and questions from the cache", add_rm};
    return command;
}

}  // namespace tinyllm
