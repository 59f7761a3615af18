// tinyllm convert: a Hugging Face folder (or a GGUF file) written as GGUF.
#include "tinyllm/convert.h"

#include <algorithm>
#include <memory>

#include "engine/fail.h"
#include "tools/command.h"
#include "tools/convert_report.h"
#include "tools/log.h"
#include "tools/model_flags.h"
#include "tools/model_path.h"
#include "tools/verify.h"

namespace tinyllm {
namespace {

struct ConvertFlags {
    std::string input;
    std::string destination;
    std::string dtype;
    bool verify = false;
    OutputOptions output;
};

/// How far logits may move, relative to their spread. A wrong tensor or row order moves them by more than 1.
double tolerance_of(DType type) {
    if (type == DType::f32) return 1e-4;
    if (type == DType::f16) return 0.02;
    if (type == DType::bf16) return 0.1;
    constexpr int kRow = 256;  // a multiple of every block
    const double bits = 8.0 * static_cast<double>(row_bytes(type, kRow)) / kRow;
    return bits > 6 ? 0.2 : bits > 5 ? 0.4 : 0.8;
}

double tolerance_of(const ConvertReport& report) {
    double tolerance = tolerance_of(DType::f32);
    for (const TensorReport& tensor : report.tensors) {
        if (tensor.rms_error > 0) tolerance = std::max(tolerance, tolerance_of(tensor.to));
    }
    return tolerance;
}

Json verify(const std::string& input, const std::string& output, const ConvertReport& report) {
    const LogitsDifference difference = compare_logits(input, output);
    const double tolerance = tolerance_of(report);
    // Not "> tolerance": a NaN must fail.
    if (!(difference.relative <= tolerance)) {
        fail(ErrorKind::check_failed,
             "{}: logits differ from {} by {:.3g} of their spread (largest {:.3g}), expected at most {:.3g}",
             output, input, difference.relative, difference.largest, tolerance);
    }
    note(
        "verified: logits of {} tokens differ by {:.3g} of their spread (largest {:.3g}), at most {:.3g} "
        "expected",
        difference.n_tokens, difference.relative, difference.largest, tolerance);
    return {{"tokens", difference.n_tokens},
            {"relative_rms", difference.relative},
            {"largest", difference.largest},
            {"tolerance", tolerance}};
}

int run_convert(const ConvertFlags& options) {
    ConvertOptions convert;
    if (!options.dtype.empty()) convert.type = parse_dtype("--dtype", options.dtype);
    convert.progress = convert_progress();
    const std::string input = resolve_model(options.input);
    const ConvertReport report = convert_to_gguf(input, options.destination, convert);
    if (convert.progress) log_line("");
    say_notes(report);
    Json document = convert_report_json(report, "convert", input, options.destination);
    if (options.verify) document["verify"] = verify(input, options.destination, report);
    deliver_convert_report(options.output, report, document);
    return 0;
}

std::function<int()> add_convert(CLI::App& app) {
    auto options = std::make_shared<ConvertFlags>();
    add_model_argument(app, options->input);
    app.add_option("OUT", options->destination, "The GGUF file to write")->required();
    app.add_option("--dtype", options->dtype,
                   "Type of the matrices: " + dtype_names() + "; default: as stored")
        ->type_name("TYPE");
    app.add_flag(
        "--verify", options->verify,
        "Load both and compare their logits; exit with 8 if they differ by more than the type explains");
    add_output_options(app, options->output);
    return [options] { return run_convert(*options); };
}

}  // namespace

const Command& command_convert() {
    static const Command command{"convert", "Write a Hugging Face folder as a GGUF file", add_convert};
    return command;
}

}  // namespace tinyllm
