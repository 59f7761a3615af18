// Running a model for a long time: does memory grow, does speed fall off.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tinyllm/model.h"
#include "tinyllm/session.h"

namespace tinyllm::check {

/// One round of work.
struct SoakRound {
    double seconds = 0;  ///< since the start, at the round's end
    std::int64_t resident =
        0;                ///< bytes of the process behind it, its sessions gone; 0: the system does not say
    double token_ms = 0;  ///< of a generated token
};

struct SoakOptions {
    double seconds = 600;
    std::int64_t n_prompt = 512, n_gen = 128;
};

/// Rounds until the time is over, at least one: a new session, a prompt, generated tokens, a fork that goes
/// on by itself, and two scored continuations. `on_round` returning false ends it.
std::vector<SoakRound> soak(const std::shared_ptr<const Model>& model, const SessionOptions& session,
                            const SoakOptions& options,
                            const std::function<bool(const SoakRound&)>& on_round);

struct SoakVerdict {
    std::int64_t first_resident = 0, last_resident = 0;  ///< least of the first and last eighth that counts
    double bytes_per_minute = 0;                         ///< between them
    bool leaks = false;
    double first_token_ms = 0, last_token_ms = 0;  ///< medians of the first and last quarter that counts
    double drift = 0;                              ///< last speed / first speed - 1
};

/// Of at least 16 rounds: the first quarter of the time warms up; the rest is cut into eighths of which each
/// counts its least resident size. Memory leaks if that grows from the first to the last by more than a MiB,
/// and in at least five of the seven steps. Fewer rounds are never called a leak.
SoakVerdict judge(const std::vector<SoakRound>& rounds);

}  // namespace tinyllm::check
