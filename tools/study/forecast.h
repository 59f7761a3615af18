// `study --plan`: what a study would ask of this board before it is begun. Nothing is loaded; memory and time
// are estimated, and called so.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/output.h"
#include "tools/study/plan.h"

namespace tinyllm::study {

/// One model at one type, with its chosen cells.
struct ForecastRow {
    std::string model, type;
    std::string missing;                         ///< why it cannot be run as things are; empty: it can
    std::size_t cells = 0;                       ///< that are chosen
    std::size_t lacking = 0;                     ///< of them: without their questions
    std::optional<std::int64_t> download_bytes;  ///< still to be fetched; 0: it is here
    bool download_stated = false;                ///< by the study file, else estimated
    std::optional<std::int64_t> peak_bytes;      ///< estimated
    std::optional<bool> fits;                    ///< in what this board has left now
    std::optional<double> seconds;               ///< estimated, of all its cells and the load
};

struct Forecast {
    std::vector<ForecastRow> rows;     ///< in the plan's order; those without a chosen cell are left out
    std::vector<std::string> missing;  ///< each thing that is not here, once
    std::optional<std::int64_t> available_bytes;
    Json json;  ///< "tinyllm.study-plan/1"
};

Forecast forecast(const Plan& plan, const StudyOptions& options);

/// Rows and totals; csv and jsonl have the rows alone.
std::string show_forecast(const Forecast& forecast, Format format);

}  // namespace tinyllm::study
