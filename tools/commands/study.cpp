// tinyllm study: models x types x tasks, journalled, and its report. Without arguments: the embedded models
// and questions.
#include <algorithm>
#include <filesystem>
#include <memory>

#include "engine/fail.h"
#include "tinyllm/system.h"
#include "tools/command.h"
#include "tools/command_line.h"
#include "tools/log.h"
#include "tools/model_flags.h"
#include "tools/monitor/cooldown.h"
#include "tools/output.h"
#include "tools/signals.h"
#include "tools/study/compare.h"
#include "tools/study/fetch.h"
#include "tools/study/forecast.h"
#include "tools/study/merge.h"
#include "tools/study/published.h"
#include "tools/study/report.h"
#include "tools/study/runner.h"
#include "tools/study/study_file.h"

namespace tinyllm {
namespace {

/// `use()` of what a folder holds, which may come from others.
template <typename F>
auto reading(const std::string& folder, F use) {
    try {
        return use();
    } catch (const Json::exception& problem) {
        fail(ErrorKind::corrupt, "{}: expected the results of a study, found {}", folder,
             json_reason(problem));
    }
}

int report(const std::string& folder, bool with_texts = true) {
    const study::Summary summary = study::read_summary(folder);
    study::write_report(summary, folder, with_texts);
    print(study::terminal_report(summary));
    const auto page =
        std::filesystem::absolute(std::filesystem::path(folder) / "report.html").lexically_normal();
    note("report: {}", page.string());
    std::size_t ok = 0, failed = 0;
    for (const study::CellFigures& cell : summary.cells) {
        ok += cell.ok();
        failed += cell.status == "failed";
    }
    return failed > 0 || ok == 0 ? static_cast<int>(ErrorKind::runtime) : 0;
}

/// What `study report --table` prints in place of the report.
struct Exported {
    std::string table;
    Format format = Format::table;
    bool no_texts = false;
};

int compare_published(const std::string& folder, const OutputOptions& output) {
    const study::Summary summary = study::read_summary(folder);
    const Table table = study::published_table(summary);
    if (table.rows.empty()) {
        fail(
            ErrorKind::usage,
            "{}: no cell of protocol study with a model and task of the published study; models are known by "
            "their names, such as SmolLM-135M",
            folder);
    }
    std::string text = study::render_names(table, output.format);
    if (output.format == Format::table || output.format == Format::md) {
        text += '\n';
        for (const std::string& line : study::words_about_published(summary))
            text += "- " + printable(line, output.format == Format::md) + "\n";
    }
    deliver(output, text);
    return 0;
}

int print_studies(Format format) {
    Table table;
    table.columns = {{"name", "name"}, {"title", "title"}, {"about", "about"}};
    for (const study::EmbeddedStudy& one : study::embedded_studies()) {
        const study::StudyFile file = study::find_study(std::string(one.name));
        table.rows.push_back({{"name", file.name}, {"title", file.title}, {"about", file.about}});
    }
    print(render(table, format));
    return 0;
}

// Why not one of the chosen cells can be run.
void check_something_runs(const study::Plan& plan) {
    const study::Cell* missing = nullptr;
    for (const study::Cell& cell : plan.cells) {
        if (cell.runs()) return;
        if (cell.chosen && missing == nullptr) missing = &cell;
    }
    if (missing != nullptr)
        fail(ErrorKind::not_found,
             "study: no cell can be run; the first: {} (--pull fetches all that is missing)",
             missing->missing);
}

void check_output(const study::StudyOptions& options) {
    if (study::is_merge_of_boards(options.output))
        fail(ErrorKind::usage,
             "{}: holds the results of several boards, merged; go on in the folders they came from",
             options.output);
}

int run_study(study::StudyOptions options, Format format) {
    place_threads(options.cores, options.threads);  // told now, not by every cell
    if (!options.shard.whole())
        options.output = (std::filesystem::path(options.output) /
                          fmt::format("shard-{}-of-{}", options.shard.index, options.shard.count))
                             .string();
    if (options.plan) {
        print(study::show_forecast(study::forecast(study::make_plan(options), options), format));
        return 0;
    }
    monitor::check_temperature_guards(options.monitor);
    check_output(options);
    if (options.pull) {
        study::StudyOptions look = options;
        look.plan = true;
        if (!study::fetch_missing(study::make_plan(look))) {
            note("stopped; the same command goes on where it was");
            return stop_exit_code(static_cast<int>(ErrorKind::runtime));
        }
    }
    const study::Plan plan = study::make_plan(options);
    check_something_runs(plan);
    const study::ResultsLock lock(options.output);
    write_file((std::filesystem::path(options.output) / "study.json").string(),
               dump_json_pretty(study::plan_json(plan, options)) + "\n");
    if (!study::run_plan(plan, options, study::engine_loader(options))) {
        note("stopped; the same command goes on where it was");
        return stop_exit_code(static_cast<int>(ErrorKind::runtime));
    }
    const bool empty = std::none_of(plan.cells.begin(), plan.cells.end(),
                                    [](const study::Cell& cell) { return cell.chosen; });
    if (empty) {
        note("tinyllm: shard {}/{} has nothing to do", options.shard.index, options.shard.count);
        return 0;
    }
    return report(options.output);
}

struct StudyArguments {
    study::StudyOptions options;
    std::string study, shard;
    std::vector<std::string> limits;
    bool list = false;
    Format format = Format::table;
};

// The file's settings below what flags, variables and --config said.
study::StudyOptions options_of(const StudyArguments& arguments, const CLI::App& app) {
    study::StudyOptions options = arguments.options;
    if (!arguments.study.empty())
        study::apply_study(
            study::find_study(arguments.study),
            [&](const std::string& name) {
                const CLI::Option* option = app.get_option_no_throw("--" + name);
                return option != nullptr && option->count() > 0;
            },
            options);
    for (const std::string& limit : arguments.limits) study::set_limit(options, limit, "--limit");
    if (!arguments.shard.empty()) options.shard = study::parse_shard(arguments.shard);
    return options;
}

std::function<int()> add_study(CLI::App& app) {
    auto arguments = std::make_shared<StudyArguments>();
    study::StudyOptions* options = &arguments->options;
    app.add_option("study", arguments->study,
                   "name of a study (--list), or a file of one (docs/study.md); default: the embedded models")
        ->type_name("");
    app.add_flag("--list", arguments->list, "name the studies that come with the command");
    app.add_option("--models", options->models, "models, comma-separated; default: the embedded ones")
        ->delimiter(',')
        ->allow_extra_args(false);
    app.add_option("--types", options->types,
                   "weight types, comma-separated, or `stored`; default f32,f16,q8_0,q4_0")
        ->delimiter(',')
        ->allow_extra_args(false);
    app.add_option("--tasks", options->tasks, "tasks, comma-separated; default: all that have data")
        ->delimiter(',')
        ->allow_extra_args(false);
    app.add_option("--protocol", options->protocols, "lm-eval, study or both (comma-separated; default both)")
        ->delimiter(',')
        ->allow_extra_args(false);
    app.add_option("--data", options->data,
                   "folder searched for the official files, or task=FILE[,LABELS]; repeatable")
        ->allow_extra_args(false);
    app.add_option("-L,--limit", arguments->limits,
                   "first N questions of a task, or a share below 1; task=N for one task")
        ->delimiter(',')
        ->allow_extra_args(false);
    app.add_option("--only", options->only,
                   "cells to run: a model, type, protocol or task, or a pattern on model/type/protocol/task; "
                   "repeatable")
        ->allow_extra_args(false);
    app.add_option("--skip", options->skip, "cells to leave out, likewise")->allow_extra_args(false);
    app.add_option("--timeout", options->timeout, "seconds per cell; longer ones are given up")
        ->check(not_negative());
    app.add_flag("--plan", options->plan,
                 "say what would be run, what is missing, and the memory and time estimated for it");
    app.add_flag("--pull", options->pull, "fetch the models and questions that are missing first");
    app.add_option(
           "--shard", arguments->shard,
           "do the i-th of n shares, in a folder shard-i-of-n below the results; `study merge` joins them")
        ->type_name("I/N");
    add_format_options(app, arguments->format);
    auto* fresh =
        app.add_flag("--fresh", options->fresh, "forget what the journals of the chosen cells hold");
    app.add_flag_callback(
           "--resume", [] {}, "go on where a study was stopped (the default)")
        ->excludes(fresh);
    app.add_flag("--exact", options->exact, "fp32 arithmetic and cache");
    app.add_option("--threads", options->threads, "0: one per core of --cores")
        ->check(CLI::Range(0, kMostThreads))
        ->capture_default_str();
    add_cores_flag(app, options->cores);
    app.add_option("--device", options->device, "cpu, cuda, auto, or ref (the scalar specification)")
        ->capture_default_str();
    app.add_option(
           "--label", options->label,
           "what this machine is called in reports and merges; default: what it is, cores, memory and "
           "power mode")
        ->type_name("NAME");
    app.add_option("--board", options->board,
                   "with --plan: the board to estimate for, as in `tinyllm predict`; default: this machine")
        ->type_name("NAME");
    add_packed_cache_flag(app, options->packed_cache);
    monitor::add_monitor_flags(app, options->monitor);
    monitor::add_cooldown_flags(app, options->monitor);
    monitor::add_max_temp_flag(app, options->monitor);
    app.add_option("-o,--output", options->output, "results folder")->capture_default_str();
    auto folder = std::make_shared<std::string>();
    CLI::App* again = app.add_subcommand("report", "Write the report again from the journals");
    again->fallthrough();
    again->add_option("folder", *folder, "results folder; default: --output");
    auto exported = std::make_shared<Exported>();
    again->add_option("--table", exported->table,
                      "print this table instead: cells, accuracy, cost, bits, energy, boards or published");
    add_format_options(*again, exported->format);
    again->add_flag("--no-texts", exported->no_texts, "leave the questions' texts out of report.html");
    auto sides = std::make_shared<std::pair<std::string, std::string>>();
    auto output = std::make_shared<OutputOptions>();
    CLI::App* both = app.add_subcommand(
        "compare", "Two studies question by question, or one beside the published figures");
    both->add_option("a", sides->first, "results folder")->required();
    both->add_option("b", sides->second, "results folder, or `published`")->required();
    add_output_options(*both, *output);
    auto folders = std::make_shared<std::vector<std::string>>();
    auto out = std::make_shared<std::string>();
    CLI::App* merge = app.add_subcommand("merge", "Join the results of shards, or of several boards");
    merge->add_option("out", *out, "folder to write")->required();
    merge->add_option("folders", *folders, "results folders")->required();
    return [&app, arguments, again, folder, exported, both, sides, output, merge, out, folders] {
        if (merge->parsed()) {
            study::merge_studies(*out, *folders);
            return reading(*out, [&] { return report(*out); });
        }
        if (both->parsed()) {
            const std::string &first = sides->first, &second = sides->second;
            if (first == "published" || second == "published") {
                const std::string& own = first == "published" ? second : first;
                return reading(own, [&] { return compare_published(own, *output); });
            }
            return reading(first + " and " + second, [&] {
                const study::Summary a = study::read_summary(first), b = study::read_summary(second);
                deliver(*output, study::render_names(study::compare_studies(a, b), output->format));
                return 0;
            });
        }
        if (again->parsed()) {
            const std::string& from = folder->empty() ? arguments->options.output : *folder;
            return reading(from, [&] {
                if (exported->table.empty()) return report(from, !exported->no_texts);
                print(study::exported_table(study::read_summary(from), exported->table, exported->format));
                return 0;
            });
        }
        if (arguments->list) return print_studies(arguments->format);
        return run_study(options_of(*arguments, app), arguments->format);
    };
}

}  // namespace

const Command& command_study() {
    static const Command command{
        "study", "Run models, types and tasks; report accuracy, latency, memory and size", add_study};
    return command;
}

}  // namespace tinyllm
