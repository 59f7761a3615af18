// What `convert` and `quantize` say of the file they wrote.
#pragma once

#include <functional>
#include <string>

#include "tinyllm/convert.h"
#include "tools/output.h"

namespace tinyllm {

/// Everything, for --format json.
Json convert_report_json(const ConvertReport& report, const std::string& command, const std::string& input,
                         const std::string& output);

/// In the format asked for: a row per tensor and, but in csv and jsonl, the totals against f32 and f16.
void deliver_convert_report(const OutputOptions& options, const ConvertReport& report, const Json& document);

/// What was written otherwise than asked, to standard error.
void say_notes(const ConvertReport& report);

/// Redraws one line on a terminal's standard error for every tensor; says nothing elsewhere.
std::function<void(const TensorReport&)> convert_progress();

}  // namespace tinyllm
