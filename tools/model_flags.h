// The flags that say which model runs and how; the same in every command that runs one.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "tinyllm/model.h"
#include "tinyllm/session.h"

namespace tinyllm {

struct ModelFlags {
    std::string model;
    ModelOptions load;
    SessionOptions session;
    bool no_memory_check = false;
};

/// Adds MODEL, -t/--threads, --cores, --device, --exact and the loading flags.
void add_model_flags(CLI::App& app, ModelFlags& flags);

/// Adds --cores alone.
void add_cores_flag(CLI::App& app, std::string& cores);

/// Adds --packed-cache and --no-memory-check.
void add_loading_flags(CLI::App& app, std::string& packed_cache, bool& no_memory_check);
void add_packed_cache_flag(CLI::App& app, std::string& packed_cache);

/// Adds -c/--ctx-size, -ctk/--cache-type-k and -ctv/--cache-type-v.
void add_session_flags(CLI::App& app, ModelFlags& flags);

/// Adds -ctk/--cache-type-k and -ctv/--cache-type-v alone.
void add_cache_flags(CLI::App& app, SessionOptions& session);

/// Throws Error(usage) where --exact meets a type that is not f32.
void check_cache_flags(const SessionOptions& session, bool exact);

/// The spellings, widest type first: "f32, f16, …".
std::string dtype_names();

/// The type spelled `name`. Throws Error(usage) naming `flag` and the types there are.
DType parse_dtype(const std::string& flag, const std::string& name);

/// Resolves and loads the model; what the loader has to say goes to standard error. Throws
/// Error(would_not_fit) before loading if it cannot fit (memory_check.h).
std::shared_ptr<const Model> load_model(const ModelFlags& flags);

/// Says what was wrong with a packed cache.
void say_warnings(const Model& model);

}  // namespace tinyllm
