// tinyllm info: what this machine is.
#include "tinyllm/gpu.h"
#include "tinyllm/version.h"
#include "tools/board.h"
#include "tools/command.h"
#include "tools/info_table.h"
#include "tools/output.h"

namespace tinyllm {
namespace {

struct Options {
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
                        {"free_bytes", gpu.free_bytes},
                        {"l2_bytes", gpu.l2_bytes},
                        {"integrated", gpu.integrated}});
    }
    return {{"built_in", probe.built_in}, {"status", probe.status}, {"devices", gpus}};
}

Json board_json() {
    const Board board = read_board();
    Json clusters = Json::array();
    for (const CoreCluster& cluster : board.clusters) {
        clusters.push_back({{"cores", show_cores(cluster.cores)},
                            {"count", cluster.cores.size()},
                            {"capacity", optional_json(cluster.capacity)},
                            {"max_mhz", optional_json(cluster.max_mhz)}});
    }
    return {{"schema", "tinyllm.info/1"},
            {"version", version()},
            {"board", text_json(board.name)},
            {"os", text_json(board.os)},
            {"kernel", text_json(board.kernel)},
            {"machine", text_json(board.machine)},
            {"cpu", text_json(board.cpu)},
            {"cores", board.cores},
            {"usable_cores", board.usable_cores},
            {"clusters", clusters},
            {"memory_bytes", optional_json(board.memory_bytes)},
            {"available_bytes", optional_json(board.available_bytes)},
            {"cgroup_limit_bytes", optional_json(board.cgroup_limit_bytes)},
            {"gpu", gpu_json()}};
}

std::function<int()> add(CLI::App& app) {
    auto options = std::make_shared<Options>();
    add_output_options(app, options->output);
    return [options] {
        deliver_document(options->output, board_json());
        return 0;
    };
}

}  // namespace

const Command& command_info() {
    static const Command command{"info", "This machine: board, cores, memory, GPU", add};
    return command;
}

}  // namespace tinyllm
