#include "tools/eval/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/monitor/usage.h"

namespace tinyllm::eval {

std::string letter_shares(const Json& shares) {
    std::string text;
    for (std::size_t i = 0; i < shares.size(); ++i)
        text += fmt::format("{}{} {:.0f}%", i ? " " : "", static_cast<char>('A' + i),
                            100 * shares[i].get<double>());
    return text;
}

tinyllm::Table results_table(const Json& results, const std::vector<TaskRun>& runs) {
    tinyllm::Table table;
    table.columns = {{"task", "task"},
                     {"n", "n"},
                     {"metric", "metric"},
                     {"value", "value", 4},
                     {"stderr", "± stderr", 4},
                     {"chance", "chance", 4},
                     {"constant", "best constant", 4},
                     {"questions_per_s", "questions/s", 1},
                     {"p50_ms", "p50 ms"},
                     {"p95_ms", "p95 ms"}};
    // Watts and degrees have columns where at least one task has them; nothing else would be in them.
    const auto any = [&](const char* key) {
        return std::any_of(runs.begin(), runs.end(), [&](const TaskRun& run) {
            return results.at("tinyllm")
                .at("tasks")
                .at(std::string(run.task->name))
                .value(key, Json())
                .is_number();
        });
    };
    const bool energy = any("energy_J"), heat = any("temp_C");
    if (energy) {
        table.columns.push_back({"joules_per_question", "J/question", 3});
        table.columns.push_back({"joules_per_correct", "J/correct", 3});
        table.columns.push_back({"power_W", "W", 1});
    }
    if (heat) table.columns.push_back({"temp_C", "max °C", 1});
    const bool study = !runs.empty() && runs.front().protocol == Protocol::study;
    if (study) table.columns.push_back({"predicted", "letters predicted"});
    for (const TaskRun& run : runs) {
        const std::string name(run.task->name);
        const Json& values = results.at("results").at(name);
        const Json& more = results.at("tinyllm").at("tasks").at(name);
        const Json& latency = more.at("latency_ms");
        for (const std::string metric : {"acc", "acc_norm"}) {
            if (!values.contains(metric + ",none")) continue;
            Json row = {{"task", name},
                        {"protocol", std::string(protocol_name(run.protocol))},
                        {"n", run.answers.size()},
                        {"metric", metric},
                        {"value", values.at(metric + ",none")},
                        {"stderr", values.at(metric + "_stderr,none")},
                        {"chance", more.at("chance")},
                        {"constant", more.at("constant_answer").at("acc")},
                        {"questions_per_s", more.at("questions_per_s")},
                        {"p50_ms", latency.is_null() ? Json() : latency.at("p50")},
                        {"p95_ms", latency.is_null() ? Json() : latency.at("p95")}};
            for (const char* key : {"joules_per_question", "joules_per_correct", "power_W", "temp_C"})
                row[key] = monitor::measured(more, key) ? more.at(key) : Json("not measured");
            if (study) row["predicted"] = letter_shares(more.at("predicted_share"));
            table.rows.push_back(std::move(row));
        }
    }
    return table;
}

}  // namespace tinyllm::eval
