// tinyllm info: what this machine is, or what a model holds and needs; no weight is loaded for it.
#include <chrono>
#include <thread>

#include "engine/fail.h"
#include "tinyllm/gpu.h"
#include "tinyllm/inspect.h"
#include "tinyllm/system.h"
#include "tinyllm/tokenizer.h"
#include "tinyllm/version.h"
#include "tools/board.h"
#include "tools/command.h"
#include "tools/command_line.h"
#include "tools/info_table.h"
#include "tools/memory_check.h"
#include "tools/model_flags.h"
#include "tools/model_path.h"
#include "tools/monitor/sensor.h"
#include "tools/output.h"

namespace tinyllm {
namespace {

struct InfoOptions {
    std::string model;
    bool tensors = false;
    bool bandwidth = false;
    std::int64_t context = 0;
    std::string device = "auto";
    SessionOptions session;  // the types of its cache
    OutputOptions output;
};

template <typename T>
Json optional_json(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
}

Json text_json(const std::string& text) {
    return text.empty() ? Json(nullptr) : Json(text);
}

Json gpu_json() {
    const GpuProbe probe = probe_gpus();
    Json gpus = Json::array();
    for (const Gpu& gpu : probe.gpus) {
        gpus.push_back({{"name", gpu.name},
                        {"compute_capability",
                         std::to_string(gpu.compute_major) + "." + std::to_string(gpu.compute_minor)},
                        {"multiprocessors", gpu.multiprocessors},
                        {"memory_bytes", gpu.memory_bytes},
                        {"free_bytes", gpu.free_bytes > 0 ? Json(gpu.free_bytes) : Json(nullptr)},
                        {"l2_bytes", gpu.l2_bytes},
                        {"integrated", gpu.integrated}});
    }
    return {{"built_in", probe.built_in}, {"status", probe.status}, {"devices", gpus}};
}

Json kernels_json(const SystemInfo& system) {
    Json sets = Json::array(), available = Json::array(), unused = Json::array();
    bool faster = false;  // than the live ones: they stand behind them
    for (const IsaInfo& isa : system.isas) {
        sets.push_back(isa.name);
        if (isa.available) available.push_back(isa.name);
        if (faster) {
            const std::string why = isa.available ? "TINYLLM_CPU_ISA=" + system.live_isa
                                                  : "this CPU does not have all of " + isa.needs;
            unused.push_back({{"name", isa.name}, {"why", why}});
        }
        faster = faster || isa.name == system.live_isa;
    }
    return {{"live", system.live_isa},
            {"unused", unused},
            {"available", available},
            {"built", sets},
            {"threads", system.placement.threads}};
}

/// Where a model loaded now would run, and why there.
Json placement_json(const Placement& placement) {
    return {{"cores", show_cores(placement.cores)},
            {"threads", placement.threads},
            {"one_each", placement.one_each},
            {"why", placement.why}};
}

/// What can be measured here, as it stands now; what cannot, and why.
void add_sensors(Json& document) {
    monitor::Sensors sensors;
    std::vector<std::optional<double>> values;
    sensors.read(monitor::clock_seconds(), values);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // a load is told between two readings
    sensors.read(monitor::clock_seconds(), values);
    document["sensors"] = monitor::readings_json(sensors.channels(), values);
    document["sensors_refused"] = sensors.notes();
    document["power_mode"] = sensors.facts().value("power_mode", Json());
    document["governor"] = sensors.facts().value("governor", Json());
}

Json board_json(bool bandwidth) {
    const Board board = read_board();
    const SystemInfo system = system_info();
    Json clusters = Json::array();
    for (const CoreCluster& cluster : board.clusters) {
        clusters.push_back({{"cores", show_cores(cluster.cores)},
                            {"count", cluster.cores.size()},
                            {"capacity", optional_json(cluster.capacity)},
                            {"max_mhz", optional_json(cluster.max_mhz)}});
    }
    Json document = {{"schema", "tinyllm.info/1"},
                     {"version", version()},
                     {"board", text_json(board.name)},
                     {"os", text_json(board.os)},
                     {"kernel", text_json(board.kernel)},
                     {"machine", text_json(board.machine)},
                     {"cpu", text_json(board.cpu)},
                     {"cores", board.cores},
                     {"usable_cores", board.usable_cores},
                     {"clusters", clusters},
                     {"quota_cpus", system.quota > 0 ? Json(system.quota) : Json(nullptr)},
                     {"placement", placement_json(system.placement)},
                     {"memory_bytes", optional_json(board.memory_bytes)},
                     {"available_bytes", optional_json(board.available_bytes)},
                     {"cgroup_limit_bytes", optional_json(board.cgroup_limit_bytes)},
                     {"kernels", kernels_json(system)},
                     {"gpu", gpu_json()}};
    add_sensors(document);
    if (bandwidth) {
        Json readings = Json::array();
        for (const int threads : {1, system.placement.threads}) {
            if (!readings.empty() && threads == 1) continue;
            readings.push_back({{"threads", threads}, {"gb_per_s", measured_read_bandwidth(threads) / 1e9}});
        }
        document["read_bandwidth"] = readings;
    }
    return document;
}

Json tokenizer_json(const std::string& path, const std::string& kind) {
    if (kind.empty()) return nullptr;
    const auto tokenizer = Tokenizer::load(path);
    return {{"kind", kind},
            {"vocab_size", tokenizer->vocab_size()},
            {"bos", optional_json(tokenizer->bos())},
            {"eos", optional_json(tokenizer->eos())}};
}

Json tensor_json(const TensorInfo& tensor) {
    std::string shape;
    for (std::int64_t n : tensor.shape) shape += (shape.empty() ? "" : " x ") + std::to_string(n);
    return {{"name", tensor.name},
            {"shape", tensor.shape},
            {"dims", shape},
            {"type", dtype_name(tensor.type)},
            {"bytes", tensor.bytes}};
}

Json model_json(const InfoOptions& options, const ModelFacts& facts) {
    const ModelInfo& info = facts.info;
    const std::int64_t positions = options.context > 0 ? options.context : info.context;
    if (positions > info.context) {
        fail(ErrorKind::usage, "-c: the model was made for {} positions, asked for {}", info.context,
             positions);
    }
    ModelOptions load;
    load.device = options.device == "auto" ? meant_device("auto", probe_gpus()) : options.device;
    if (load.device != "cpu" && load.device != "cuda" && load.device != "ref")
        fail(ErrorKind::usage, "--device {}: expected auto, cpu, cuda or ref", options.device);
    const MemoryUse need = predict_memory(facts, load, options.session, positions);
    Json document = {{"schema", "tinyllm.info/1"},
                     {"model",
                      {{"path", info.path},
                       {"architecture", info.architecture},
                       {"parameters", info.parameters},
                       {"weights_bytes", info.weight_bytes},
                       {"bits_per_weight", facts.bits_per_weight},
                       {"main_type", dtype_name(info.main_type)},
                       {"tensors", facts.tensors.size()},
                       {"layers", info.n_layers},
                       {"dim", info.dim},
                       {"ff_dim", facts.ff_dim},
                       {"heads", info.n_heads},
                       {"kv_heads", info.n_kv_heads},
                       {"head_dim", info.head_dim},
                       {"vocab_size", info.vocab_size},
                       {"context", info.context},
                       {"eos", info.eos}}},
                     {"tokenizer", tokenizer_json(info.path, facts.tokenizer)},
                     {"memory",
                      {{"device", load.device},
                       {"context", positions},
                       {"weights_bytes", need.weights},
                       {"kv_bytes", need.kv},
                       {"scratch_bytes", need.scratch},
                       {"total_bytes", need.weights + need.kv + need.scratch},
                       {"peak_bytes", need.peak}}}};
    if (load.device == "cuda") {
        Json& memory = document["memory"];
        memory["device_bytes"] = need.device;
        memory["pinned_bytes"] = need.pinned;
        memory["allowed_for_cuda_bytes"] = need.context;
    }
    if (info.encoder_decoder) document["model"]["encoder_layers"] = info.encoder_layers;
    return document;
}

int model_info(const InfoOptions& options) {
    const ModelFacts facts = inspect_model(resolve_model(options.model));
    Json document = model_json(options, facts);
    if (!options.tensors) {
        deliver_document(options.output, document);
        return 0;
    }
    Table table{.columns = {{"name", "tensor"}, {"dims", "shape"}, {"type", "type"}, {"bytes", "bytes"}},
                .rows = {}};
    for (const TensorInfo& tensor : facts.tensors) table.rows.push_back(tensor_json(tensor));
    if (options.output.json()) {
        document["tensors"] = table.rows;
        deliver_document(options.output, document);
    } else {
        deliver(options.output, render(table, options.output.format));
    }
    return 0;
}

std::function<int()> add_info(CLI::App& app) {
    auto options = std::make_shared<InfoOptions>();
    CLI::Option* model = add_model_argument(app, options->model, false);
    app.add_flag("--tensors", options->tensors, "List the model's tensors")->needs(model);
    app.add_option("-c,--ctx-size", options->context,
                   "Positions that the memory need is told for; 0: the model's own")
        ->type_name("N")
        ->check(not_negative())
        ->needs(model);
    app.add_option("--device", options->device,
                   "Device that the memory need is told for: cpu, cuda, auto, ref")
        ->type_name("NAME")
        ->needs(model);
    add_cache_flags(app, options->session);
    app.add_flag("--bandwidth", options->bandwidth, "Measure the memory's read bandwidth")->excludes(model);
    add_output_options(app, options->output);
    return [options, model] {
        if (model->count() > 0) return model_info(*options);
        deliver_document(options->output, board_json(options->bandwidth));
        return 0;
    };
}

}  // namespace

const Command& command_info() {
    static const Command command{
        "info", "A model: parameters, tensors, memory need; without one, this machine", add_info};
    return command;
}

}  // namespace tinyllm
