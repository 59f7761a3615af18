// tinyllm quantize: a model's matrices in a smaller type, in one of llama.cpp's mixtures, or in the mix that
// reaches a size or keeps an accuracy; with the error of each.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "engine/fail.h"
#include "tinyllm/convert.h"
#include "tinyllm/inspect.h"
#include "tools/command.h"
#include "tools/command_line.h"
#include "tools/convert_report.h"
#include "tools/log.h"
#include "tools/mix_search.h"
#include "tools/model_flags.h"
#include "tools/model_path.h"
#include "tools/study/embedded.h"

namespace tinyllm {
namespace {

struct QuantizeOptions {
    std::string input, destination;
    std::string type, embedding_type, output_type;
    std::vector<std::string> tensor_types;
    std::string imatrix;
    bool fallback = false;
    bool dry_run = false;
    std::string target_size, text_file;
    double min_accuracy = 0, limit = 0;
    std::vector<std::string> tasks, data;
    OutputOptions output;
};

std::string all_mixture_names() {
    std::string names;
    for (const std::string_view name : mixture_names()) names.append(names.empty() ? "" : ", ").append(name);
    return names;
}

/// A mixture's name in capitals, as llama.cpp spells it, is that mixture; any other name that is a type's is
/// that type.
void set_type(const std::string& name, ConvertOptions& convert) {
    const std::vector<std::string_view> mixtures = mixture_names();
    std::string capitals = name;
    for (char& c : capitals) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    const bool mixture = std::ranges::count(mixtures, capitals) > 0;
    if (mixture && (name == capitals || !dtype_from_name(name))) {
        convert.mixture = capitals;
    } else if (const auto type = dtype_from_name(name)) {
        convert.type = type;
    } else {
        fail(ErrorKind::usage, "--type: no type '{}'; there are {}, and llama.cpp's mixtures {}", name,
             dtype_names(), all_mixture_names());
    }
}

ConvertOptions convert_options(const QuantizeOptions& options) {
    ConvertOptions convert;
    if (!options.type.empty()) set_type(options.type, convert);
    const auto type_of = [](const char* flag, const std::string& name) {
        return name.empty() ? std::nullopt : std::optional(parse_dtype(flag, name));
    };
    convert.token_embedding_type = type_of("--token-embedding-type", options.embedding_type);
    convert.output_type = type_of("--output-tensor-type", options.output_type);
    for (const std::string& rule : options.tensor_types) {
        const std::size_t equals = rule.rfind('=');
        if (equals == std::string::npos || equals == 0) {
            fail(ErrorKind::usage, "--tensor-type: expected REGEX=TYPE, found '{}'", rule);
        }
        convert.tensor_types.emplace_back(rule.substr(0, equals),
                                          parse_dtype("--tensor-type", rule.substr(equals + 1)));
    }
    convert.imatrix = options.imatrix;
    convert.fallback = options.fallback;
    return convert;
}

bool searches(const QuantizeOptions& options) {
    return !options.target_size.empty() || options.min_accuracy > 0;
}

void check_options(const QuantizeOptions& options) {
    if (options.destination.empty() && !options.dry_run) {
        fail(ErrorKind::usage, "quantize: expected MODEL and OUT, found no OUT (or did you mean --dry-run?)");
    }
    if (options.type.empty() == !searches(options)) {
        fail(ErrorKind::usage, "quantize: expected either --type or a goal: --target-size, --min-accuracy");
    }
    if ((options.min_accuracy > 0) != !options.tasks.empty()) {
        fail(ErrorKind::usage,
             "--min-accuracy and --on belong together: the share to keep, and the tasks it is measured on");
    }
}

FoundMix search(const QuantizeOptions& options, const std::string& input, const ConvertOptions& convert) {
    MixGoal goal;
    if (!options.target_size.empty()) {
        goal.bytes = parse_target_size(options.target_size, inspect_model(input).info.parameters);
    }
    std::optional<eval::AccuracyMeter> meter;
    if (options.min_accuracy > 0) {
        std::vector<std::string> data = options.data;
        if (data.empty()) data.push_back(study::embedded_questions());
        goal.accuracy = options.min_accuracy;
        goal.meter = &meter.emplace(options.tasks, data, options.limit);
    }
    if (!options.text_file.empty()) goal.text = read_file(options.text_file);
    const std::string beside = options.destination.empty()
                                   ? (std::filesystem::temp_directory_path() / "tinyllm-mix").string()
                                   : options.destination;
    goal.scratch = fmt::format("{}.{}.trial", beside, ::getpid());
    return find_mix(input, convert, goal);
}

int run_quantize(const QuantizeOptions& options) {
    check_options(options);
    ConvertOptions convert = convert_options(options);
    const std::string input = resolve_model(options.input);
    Json found;
    if (searches(options)) {
        FoundMix mix = search(options, input, convert);
        convert = std::move(mix.options);
        found = std::move(mix.report);
    }
    convert.dry_run = options.dry_run;
    convert.progress = convert_progress();
    const ConvertReport report = convert_to_gguf(input, options.destination, convert);
    if (convert.progress) log_line("");
    say_notes(report);
    const std::string written = options.dry_run ? "" : options.destination;
    Json document = convert_report_json(report, "quantize", input, written);
    if (!found.is_null()) document["search"] = std::move(found);
    deliver_convert_report(options.output, report, document);
    return 0;
}

void add_search_options(CLI::App& app, QuantizeOptions& options) {
    app.add_option("--target-size", options.target_size,
                   "Instead of --type: the best mix of at most so many bytes (60M, 57MiB), or a share of "
                   "f32's (0.25)")
        ->type_name("SIZE");
    app.add_option(
           "--min-accuracy", options.min_accuracy,
           "Instead of --type: the smallest mix that keeps this share of the accuracy of each task of --on")
        ->type_name("SHARE")
        ->check(CLI::Range(0.0, 1.0));
    app.add_option("--on", options.tasks, "Tasks for --min-accuracy, as eval --tasks has them")
        ->type_name("TASKS")
        ->delimiter(',')
        ->allow_extra_args(false);
    app.add_option("--data", options.data, "Their questions, as eval --data; default: the embedded ones")
        ->allow_extra_args(false);
    app.add_option("-L,--limit", options.limit, "First N questions of a task, or a share below 1")
        ->check(not_negative());
    app.add_option("--text-file", options.text_file,
                   "Text on which predictions are compared; default: what the model writes by itself")
        ->type_name("FILE");
}

std::function<int()> add_quantize(CLI::App& app) {
    auto options = std::make_shared<QuantizeOptions>();
    add_model_argument(app, options->input);
    app.add_option("OUT", options->destination, "The GGUF file to write");
    app.add_option("--type", options->type,
                   "Type of the matrices: " + dtype_names() +
                       "; or llama.cpp's mixture of that name, in capitals: " + all_mixture_names())
        ->type_name("TYPE");
    app.add_option("--tensor-type", options->tensor_types,
                   "Another type for tensors whose GGUF name matches; may be repeated, the first match wins")
        ->type_name("REGEX=TYPE")
        ->allow_extra_args(false);
    app.add_option("--token-embedding-type", options->embedding_type, "Type of the token embedding")
        ->type_name("TYPE");
    app.add_option("--output-tensor-type", options->output_type,
                   "Type of the head, and of an embedding that is the head too")
        ->type_name("TYPE");
    app.add_option("--imatrix", options->imatrix, "Importance matrix, of `tinyllm imatrix` or llama.cpp")
        ->type_name("FILE");
    app.add_flag("--fallback", options->fallback,
                 "Where rows are no multiple of 256, take llama.cpp's substitute for a K type");
    app.add_flag("--dry-run", options->dry_run, "Report types, sizes and errors; write nothing");
    add_search_options(app, *options);
    add_output_options(app, options->output);
    return [options] { return run_quantize(*options); };
}

}  // namespace

const Command& command_quantize() {
    static const Command command{"quantize", "Write a model with its matrices in smaller types",
                                 add_quantize};
    return command;
}

}  // namespace tinyllm
