#include "tools/convert_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "tools/board.h"
#include "tools/log.h"

namespace tinyllm {

namespace {

std::vector<Json> rows_of(const ConvertReport& report) {
    std::vector<Json> rows;
    for (const TensorReport& tensor : report.tensors) {
        rows.push_back(
            {{"tensor", tensor.name},
             {"shape", fmt::format("{}", fmt::join(tensor.shape, "x"))},
             {"from", dtype_name(tensor.from)},
             {"type", dtype_name(tensor.to)},
             {"bits_per_weight", tensor.bits_per_weight},
             {"rms_error", tensor.rms_error},
             {"weighted_error", tensor.weighted_error > 0 ? Json(tensor.weighted_error) : Json(nullptr)},
             {"note", tensor.note.empty() ? Json(nullptr) : Json(tensor.note)}});
    }
    return rows;
}

double per(double a, std::int64_t b) {
    return b > 0 ? a / static_cast<double>(b) : 0;
}

}  // namespace

Json convert_report_json(const ConvertReport& report, const std::string& command, const std::string& input,
                         const std::string& output) {
    const auto bytes = static_cast<double>(report.bytes);
    return {{"schema", "tinyllm." + command + "/1"},
            {"input", input},
            {"output", output.empty() ? Json(nullptr) : Json(output)},
            {"parameters", report.parameters},
            {"bytes", report.bytes},
            {"bits_per_weight", per(8 * bytes, report.parameters)},
            {"ratio_to_f32", per(bytes, 4 * report.parameters)},
            {"ratio_to_f16", per(bytes, 2 * report.parameters)},
            {"notes", report.notes},
            {"tensors", rows_of(report)}};
}

void deliver_convert_report(const OutputOptions& options, const ConvertReport& report, const Json& document) {
    if (options.format == Format::json) return deliver(options, dump_json_pretty(document) + "\n");
    Table table{{{"tensor", "tensor"},
                 {"shape", "shape"},
                 {"from", "from"},
                 {"type", "type"},
                 {"bits_per_weight", "bits/weight", 3},
                 {"rms_error", "rms error", 6}},
                rows_of(report)};
    const auto weighed = [](const TensorReport& tensor) { return tensor.weighted_error > 0; };
    if (std::ranges::any_of(report.tensors, weighed)) {
        table.columns.push_back({"weighted_error", "weighted error", 6});
    }
    table.columns.push_back({"note", "note"});
    std::string text = render(table, options.format);
    if (options.format == Format::table || options.format == Format::md) {
        const auto bytes = static_cast<double>(report.bytes);
        text += fmt::format("\n{} parameters in {}: {:.3f} bits per weight, {:.3f} of f32, {:.3f} of f16\n",
                            report.parameters, show_bytes(report.bytes), per(8 * bytes, report.parameters),
                            per(bytes, 4 * report.parameters), per(bytes, 2 * report.parameters));
    }
    deliver(options, text);
}

void say_notes(const ConvertReport& report) {
    for (const std::string& line : report.notes) note("{}", line);
    for (const TensorReport& tensor : report.tensors) {
        if (!tensor.note.empty()) note("{}: {}", tensor.name, tensor.note);
    }
}

std::function<void(const TensorReport&)> convert_progress() {
    if (!show_progress()) return nullptr;
    const auto line = std::make_shared<std::size_t>(0);
    return [line](const TensorReport& tensor) {
        std::fprintf(stderr, "\r\033[K%zu %s", ++*line, tensor.name.c_str());
        std::fflush(stderr);
    };
}

}  // namespace tinyllm
