// `bench --soak`: one model at work for a long time.
#pragma once

#include "tinyllm/model.h"
#include "tools/check/soak.h"
#include "tools/monitor/flags.h"
#include "tools/output.h"

namespace tinyllm {

/// Runs, reports (schema tinyllm.soak/1) and says with exit code 8 that memory leaks. A signal ends it early,
/// with the report of what there is and the signal's code.
int bench_soak(const std::shared_ptr<const Model>& model, const SessionOptions& session,
               const check::SoakOptions& options, const monitor::MonitorFlags& flags,
               const OutputOptions& output);

}  // namespace tinyllm
