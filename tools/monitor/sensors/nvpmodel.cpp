// Jetson's power mode: what `nvpmodel -q` says behind "NV Power Mode:".
#include "tools/monitor/program.h"
#include "tools/monitor/sensor.h"

namespace tinyllm {
namespace {

void find_nvpmodel(pid_t, monitor::Found& found) {
    const std::string program = monitor::find_program("nvpmodel");
    if (program.empty()) return;
    const auto text = monitor::output_of({program, "-q"}, 3);
    const std::string key = "NV Power Mode:";
    const std::size_t at = text ? text->find(key) : std::string::npos;
    if (at == std::string::npos) {
        found.notes.push_back(program + " -q told no power mode");
        return;
    }
    const std::size_t begin = text->find_first_not_of(" \t", at + key.size());
    const std::size_t end = std::min(text->find_first_of("\r\n", at), text->size());
    if (begin < end) found.facts["power_mode"] = text->substr(begin, end - begin);
}

}  // namespace

const monitor::SensorKind& sensor_nvpmodel() {
    static const monitor::SensorKind kind{"nvpmodel", find_nvpmodel};
    return kind;
}

}  // namespace tinyllm
