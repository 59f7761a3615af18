// tinyllm quantize: a model's matrices in a smaller type, with the error of each.
#include <memory>

#include "engine/fail.h"
#include "tinyllm/convert.h"
#include "tools/command.h"
#include "tools/convert_report.h"
#include "tools/log.h"
#include "tools/model_flags.h"
#include "tools/model_path.h"

namespace tinyllm {
namespace {

struct QuantizeOptions {
    std::string input;
    std::string destination;
    std::string type;
    std::vector<std::string> tensor_types;
    bool fallback = false;
    bool dry_run = false;
    OutputOptions output;
};

int run_quantize(const QuantizeOptions& options) {
    ConvertOptions convert;
    convert.type = parse_dtype("--type", options.type);
    for (const std::string& rule : options.tensor_types) {
        const std::size_t equals = rule.rfind('=');
        if (equals == std::string::npos || equals == 0) {
            fail(ErrorKind::usage, "--tensor-type: expected REGEX=TYPE, found '{}'", rule);
        }
        convert.tensor_types.emplace_back(rule.substr(0, equals),
                                          parse_dtype("--tensor-type", rule.substr(equals + 1)));
    }
    if (options.destination.empty() && !options.dry_run) {
        fail(ErrorKind::usage, "quantize: expected MODEL and OUT, found no OUT (or did you mean --dry-run?)");
    }
    convert.fallback = options.fallback;
    convert.dry_run = options.dry_run;
    convert.progress = convert_progress();
    const std::string input = resolve_model(options.input);
    const ConvertReport report = convert_to_gguf(input, options.destination, convert);
    if (convert.progress) log_line("");
    say_notes(report);
    const std::string written = options.dry_run ? "" : options.destination;
    deliver_convert_report(options.output, report, convert_report_json(report, "quantize", input, written));
    return 0;
}

std::function<int()> add_quantize(CLI::App& app) {
    auto options = std::make_shared<QuantizeOptions>();
    add_model_argument(app, options->input);
    app.add_option("OUT", options->destination, "The GGUF file to write");
    app.add_option("--type", options->type, "Type of the matrices: " + dtype_names())
        ->type_name("TYPE")
        ->required();
    app.add_option("--tensor-type", options->tensor_types,
                   "Another type for tensors whose GGUF name matches; may be repeated, the first match wins")
        ->type_name("REGEX=TYPE")
        ->allow_extra_args(false);
    app.add_flag(
        "--fallback", options->fallback,
        "Where rows are no multiple of 256, take llama.cpp's substitute for a K type instead of f16");
    app.add_flag("--dry-run", options->dry_run, "Report types, sizes and errors; write nothing");
    add_output_options(app, options->output);
    return [options] { return run_quantize(*options); };
}

}  // namespace

const Command& command_quantize() {
    static const Command command{"quantize", "Write a model with its matrices in a smaller type",
                                 add_quantize};
    return command;
}

}  // namespace tinyllm
