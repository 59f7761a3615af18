#include "tools/eval/machine.h"

#include <chrono>
#include <ctime>
#include <fstream>

#include "tinyllm/version.h"
#include "tools/board.h"

namespace tinyllm::eval {
namespace {

Json known(const std::string& text) {
    return text.empty() ? Json() : Json(text);
}

}  // namespace

Json machine_facts() {
    const Board board = read_board();
    Json facts;
    facts["board"] = known(board.name);
    facts["cpu"] = known(board.cpu);
    facts["cores"] = board.cores;
    facts["usable_cores"] = board.usable_cores;
    facts["memory_bytes"] = board.memory_bytes ? Json(*board.memory_bytes) : Json();
    facts["os"] = known(board.os);
    facts["kernel"] = known(board.kernel);
    facts["machine"] = known(board.machine);
#if defined(__clang__)
    facts["compiler"] = "Clang " __clang_version__;
#else
    facts["compiler"] = "GCC " __VERSION__;
#endif
    facts["commit"] = known(TINYLLM_COMMIT);
    facts["version"] = version();
    return facts;
}

bool reset_peak_resident() {
    std::ofstream out("/proc/self/clear_refs");
    out << "5" << std::flush;
    return out.good();
}

std::string utc_now() {
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

}  // namespace tinyllm::eval
