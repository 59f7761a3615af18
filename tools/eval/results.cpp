#include "tools/eval/results.h"

#include "tools/eval/machine.h"

namespace tinyllm::eval {
namespace {

Json stderr_json(const Mean& mean) {
    return mean.stderr_ ? Json(*mean.stderr_) : Json("N/A");
}

Json finite(double value) {
    return value == value && value - value == 0 ? Json(value) : Json();
}

}  // namespace

Json latency_json(const Latency& latency) {
    return {{"mean", latency.mean}, {"p50", latency.p50}, {"p90", latency.p90},
            {"p95", latency.p95},   {"p99", latency.p99}, {"max", latency.max}};
}

Json task_results(const Task& task, Protocol protocol, const TaskFigures& figures) {
    Json result;
    result["alias"] = std::string(task.name);
    result["acc,none"] = figures.acc.value;
    result["acc_stderr,none"] = stderr_json(figures.acc);
    if (task.normalised && protocol == Protocol::lm_eval) {
        result["acc_norm,none"] = figures.acc_norm.value;
        result["acc_norm_stderr,none"] = stderr_json(figures.acc_norm);
    }
    return result;
}

Json results_json(const std::vector<TaskRun>& runs) {
    Json all;
    all["results"] = Json::object();
    for (const char* key : {"configs", "versions", "n-shot", "higher_is_better", "n-samples", "config"})
        all[key] = Json::object();
    Json tasks = Json::object();
    for (const TaskRun& run : runs) {
        const std::string name(run.task->name);
        const TaskFigures figures = figures_of(run.answers);
        all["results"][name] = task_results(*run.task, run.protocol, figures);
        const bool harness = run.protocol == Protocol::lm_eval;
        Json metrics =
            Json::array({{{"metric", "acc"}, {"aggregation", "mean"}, {"higher_is_better", true}}});
        all["higher_is_better"][name] = {{"acc", true}};
        if (harness && run.task->normalised) {
            metrics.push_back({{"metric", "acc_norm"}, {"aggregation", "mean"}, {"higher_is_better", true}});
            all["higher_is_better"][name]["acc_norm"] = true;
        }
        all["configs"][name] = {{"task", name},
                                {"dataset_path", std::string(run.task->dataset)},
                                {"output_type", "multiple_choice"},
                                {"num_fewshot", run.shots},
                                {"protocol", std::string(protocol_name(run.protocol))},
                                {"data_file", run.file},
                                {"metric_list", metrics},
                                {"metadata", {{"version", run.task->version}}}};
        all["versions"][name] = run.task->version;
        if (run.shots) all["configs"][name]["examples_file"] = run.examples_file;
        all["n-shot"][name] = run.shots;
        all["n-samples"][name] = {{"original", run.rows}, {"effective", figures.n}};
        Json share = Json::array();
        for (double s : figures.predicted) share.push_back(s);
        tasks[name] = {
            {"predicted_share", share},
            {"constant_answer", {{"choice", figures.constant_choice}, {"acc", figures.constant}}},
            {"chance", figures.chance},
            {"latency_ms", run.timed ? latency_json(figures.latency) : Json()},
            {"questions_per_s", figures.total_ms > 0
                                    ? Json(1000.0 * static_cast<double>(figures.n) / figures.total_ms)
                                    : Json()},
            {"tokens", figures.tokens},
            {"truncated", figures.cut}};
    }
    all["date"] = utc_now();
    all["tinyllm"] = {{"schema", "tinyllm.results/1"}, {"tasks", tasks}};
    return all;
}

Json sample_json(const TaskRun& run, std::size_t index, const Prepared& prepared) {
    const Example& example = (*run.examples)[index];
    const Answer& answer = run.answers[index];
    const bool harness = run.protocol == Protocol::lm_eval;
    Json sample;
    sample["doc_id"] = index;
    sample["doc"] = example.doc;
    sample["target"] = harness           ? example.target
                       : answer.gold < 0 ? Json()
                                         : Json(std::string(1, static_cast<char>('A' + answer.gold)));
    Json arguments = Json::object(), resps = Json::array(), ids = Json::array();
    for (std::size_t i = 0; i < answer.scores.size(); ++i) {
        const std::string letter = std::string(" ") + static_cast<char>('A' + i);
        arguments["gen_args_" + std::to_string(i)] = {
            {"arg_0", harness ? example.pairs[i].context : example.prompt},
            {"arg_1", harness ? example.pairs[i].continuation : letter}};
        resps.push_back(Json::array({finite(answer.scores[i]), static_cast<bool>(answer.greedy[i])}));
        if (harness)
            ids.push_back(
                {{"context", prepared.pairs[i].context}, {"continuation", prepared.pairs[i].continuation}});
    }
    sample["arguments"] = arguments;
    sample["resps"] = resps;
    sample["filtered_resps"] = resps;
    sample["filter"] = "none";
    sample["metrics"] = Json::array({"acc"});
    sample["acc"] = answer.prediction == answer.gold ? 1.0 : 0.0;
    if (harness && run.task->normalised) {
        sample["metrics"].push_back("acc_norm");
        sample["acc_norm"] = answer.prediction_norm == answer.gold ? 1.0 : 0.0;
    }
    sample["tinyllm"] = {{"gold", answer.gold < 0 ? Json() : Json(answer.gold)},
                         {"prediction", answer.prediction},
                         {"ms", run.timed ? Json(answer.ms) : Json()},
                         {"truncated", answer.cut > 0}};
    sample["tinyllm"]["tokens"] = harness ? ids : Json(prepared.prompt);
    return sample;
}

}  // namespace tinyllm::eval
