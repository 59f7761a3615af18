// bench --profile: what each stage of a test took, beside what the machine could do.
#pragma once

#include <string>
#include <vector>

#include "tools/bench_run.h"
#include "tools/output.h"

namespace tinyllm {

/// Measured, of a number of threads together.
struct Limits {
    double bandwidth = 0;  ///< bytes read from memory per second
    double f32 = 0;        ///< operations per second, a multiply-add being two: system.h
    double int8 = 0;
    double bf16 = 0;             ///< 0: the kernels have no such products
    double meeting_seconds = 0;  ///< of the threads, for an op

    double gflop_per_s(Products products) const {
        return (products == Products::f32 ? f32 : products == Products::int8 ? int8 : bf16) / 1e9;
    }
};
Limits measure_limits(int threads, const std::string& cores, double bandwidth);

/// {"per": "run" or "token", "total_ms", limits, "stages": [...]}; a stage's figures are of one run, or of
/// one token where the test generates. The last stage, "rest", is the time in no op.
Json profile_json(const BenchTest& test, const BenchSamples& samples, const Limits& limits);

/// The stages of bench's rows, as a table with a line per stage and one for all of a test together.
std::string render_profiles(const std::vector<Json>& rows, Format format);

}  // namespace tinyllm
