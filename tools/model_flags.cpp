#include "tools/model_flags.h"

#include "engine/fail.h"
#include "tinyllm/inspect.h"
#include "tinyllm/system.h"
#include "tools/board.h"
#include "tools/command_line.h"
#include "tools/log.h"
#include "tools/memory_check.h"
#include "tools/model_path.h"

namespace tinyllm {

std::string dtype_names() {
    std::string names;
    for (DType type : all_dtypes()) names += (names.empty() ? "" : ", ") + std::string(dtype_name(type));
    return names;
}

DType parse_dtype(const std::string& flag, const std::string& name) {
    if (const std::optional<DType> type = dtype_from_name(name)) return *type;
    fail(ErrorKind::usage, "{}: expected one of {}, found '{}'", flag, dtype_names(), name);
}

void add_model_flags(CLI::App& app, ModelFlags& flags) {
    add_model_argument(app, flags.model);
    app.add_option("-t,--threads", flags.load.threads, "Threads; 0: one per core of --cores")
        ->type_name("N")
        ->check(CLI::Range(0, kMostThreads));
    add_cores_flag(app, flags.load.cores);
    app.add_option("--device", flags.load.device, "cpu, cuda, auto, or ref (the scalar specification)")
        ->type_name("NAME");
    app.add_flag("--exact", flags.load.exact,
                 "Weights as stored, fp32 arithmetic, activations and cache: parity with a reference");
    add_loading_flags(app, flags.load.packed_cache, flags.no_memory_check);
}

void add_cores_flag(CLI::App& app, std::string& cores) {
    app.add_option("--cores", cores,
                   "Cores to run on: big (the fastest cluster; default), all, or a list such as 0-3,6")
        ->type_name("LIST");
}

void add_session_flags(CLI::App& app, ModelFlags& flags) {
    app.add_option("-c,--ctx-size", flags.session.context, "Most positions; 0: the model's own")
        ->type_name("N")
        ->check(not_negative());
    add_cache_flags(app, flags.session);
}

void add_cache_flags(CLI::App& app, SessionOptions& session) {
    const auto cache_type = [&](const char* names, const char* flag, std::optional<DType>& type,
                                const char* help) {
        app.add_option_function<std::string>(
               names, [flag, &type](const std::string& name) { type = parse_dtype(flag, name); }, help)
            ->type_name("TYPE");
    };
    cache_type("--cache-type-k", "-ctk", session.k_type,
               "Type of the cached keys: f32, f16, q8_0, q4_0 (short: -ctk)");
    cache_type("--cache-type-v", "-ctv", session.v_type, "Type of the cached values, likewise (short: -ctv)");
}

void add_packed_cache_flag(CLI::App& app, std::string& packed_cache) {
    app.add_option("--packed-cache", packed_cache,
                   "Folder that keeps packed weights, so that the next start maps them")
        ->type_name("DIR");
}

void add_loading_flags(CLI::App& app, std::string& packed_cache, bool& no_memory_check) {
    add_packed_cache_flag(app, packed_cache);
    app.add_flag("--no-memory-check", no_memory_check, "Load even what is not expected to fit in memory");
}

void check_cache_flags(const SessionOptions& session, bool exact) {
    for (const auto& type : {session.k_type, session.v_type}) {
        if (exact && type && *type != DType::f32)
            fail(ErrorKind::usage, "--exact keeps the cache in f32; leave out -ctk and -ctv");
    }
}

void say_warnings(const Model& model) {
    for (const std::string& warning : model.info().warnings) note("{}", warning);
}

std::shared_ptr<const Model> load_model(const ModelFlags& flags) {
    check_cache_flags(flags.session, flags.load.exact);
    const std::string path = resolve_model(flags.model);
    if (!flags.no_memory_check) check_memory(inspect_model(path), flags.load, flags.session);
    auto model = Model::load(path, flags.load);
    say_warnings(*model);
    const ModelInfo& info = model->info();
    detail("{}: {}, {} parameters, {}{}, loaded in {:.0f} ms{}", path, info.architecture, info.parameters,
           info.backend, info.cores.empty() ? "" : ", cores " + show_cores(info.cores), info.load_ms,
           info.packed_file.empty() ? "" : " from " + info.packed_file);
    return model;
}

}  // namespace tinyllm
