#include "tools/study/boards.h"

#include <fmt/format.h>

#include <cstdint>

#include "tools/eval/machine.h"
#include "tools/eval/text.h"
#include "tools/monitor/sensor.h"

namespace tinyllm::study {

Json study_machine() {
    Json machine = eval::machine_facts();
    monitor::Found found;
    for (const auto make : all_sensors())
        if (make().name == "nvpmodel") make().find(0, found);
    machine["power_mode"] = found.facts.value("power_mode", Json());
    return machine;
}

std::string board_label(const Json& machine) {
    std::string label;
    const auto add_text = [&](const char* key) {
        const Json value = machine.value(key, Json());
        if (value.is_string() && !value.get<std::string>().empty())
            eval::list_item(label, value.get<std::string>());
    };
    add_text("board");
    add_text("cpu");
    if (const Json cores = machine.value("cores", Json()); cores.is_number_integer())
        eval::list_item(label, fmt::format("{} cores", cores.get<std::int64_t>()));
    // A board's firmware keeps some of its memory, and not always as much: up to the next whole unit.
    constexpr std::int64_t kGiB = std::int64_t{1} << 30;
    if (const Json bytes = machine.value("memory_bytes", Json()); bytes.is_number_integer())
        eval::list_item(label, fmt::format("{} GB", (bytes.get<std::int64_t>() + kGiB - 1) / kGiB));
    add_text("power_mode");
    return label.empty() ? "unnamed board" : label;
}

Json machine_of(const Json& study, const std::string& board) {
    for (const Json& one : study.value("boards", Json::array()))
        if (one.at("board") == board) return one.at("machine");
    Json machine = study.at("machine");
    if (study.value("board", board_label(machine)) == board) return machine;
    for (auto& fact : machine) fact = nullptr;
    machine["board"] = board;
    return machine;
}

}  // namespace tinyllm::study
