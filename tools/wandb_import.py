#!/usr/bin/env python3
"""Brings a study's results into Weights & Biases, through its public Python API.

    pip install wandb
    python tools/wandb_import.py results/ --project tiny-models            # writes W&B's offline run folders below ./wandb
    wandb sync wandb/offline-run-*                                         # when there is a network
    python tools/wandb_import.py results/ --project tiny-models --mode online

One run per protocol, model, type and board, all in one group. What is known before a run goes to its config; figures to
its summary, under names that W&B can plot against each other ("average_acc", "piqa/acc", "latency_ms/p50"); heat and power
over time to its history, against "seconds". What was not measured is left out, never 0.

W&B's offline format is its own log of its own messages and changes with its versions, so tinyllm does not write it.
"""

import argparse
import json
import os
import sys

LATENCIES = ("mean", "p50", "p90", "p95", "p99", "max")
FIGURES = ("average_acc", "average_acc_stderr", "average_acc_norm", "questions_per_s", "peak_rss_bytes", "load_ms", "joules_per_question",
           "joules_per_question_net", "joules_per_correct", "power_W", "temp_C", "throttled")
SERIES = ("power_W", "temp_C", "cpu_MHz", "gpu_MHz", "throttled")


def cells_of(results, entry):
    keys = ("protocol", "model", "type", "board")
    return [c for c in results["cells"] if all(c.get(k) == entry.get(k) for k in keys)]


def config_of(results, entry):
    """What describes a run: names, sizes, the machine, the data."""
    study = results["study"]
    config = {key: entry.get(key) for key in ("protocol", "model", "type", "board", "backend", "parameters", "weight_bytes", "ratio_fp32")}
    if entry.get("ratio_fp32") is not None:
        config["bits_per_weight"] = 32 * entry["ratio_fp32"]
    config["exact"], config["limit"], config["date"] = study.get("exact"), study.get("limit"), study.get("date")
    machine = next((b["machine"] for b in study.get("boards", []) if b.get("board") == entry.get("board")), study.get("machine") or {})
    config["machine"] = machine
    model = next((m for m in study.get("models", []) if m["name"] == entry["model"]), {})
    config["model_sha256"], config["file_bytes"] = model.get("sha256"), model.get("file_bytes")
    config["questions"] = {c["task"]: c["n"] for c in cells_of(results, entry) if c["status"] == "ok"}
    return {key: value for key, value in config.items() if value is not None}


def summary_of(results, entry):
    """The figures of a run; a task without one has its status in their place."""
    summary = {key: entry[key] for key in FIGURES if entry.get(key) is not None}
    for key in LATENCIES:
        if entry.get("latency_ms"):
            summary["latency_ms/" + key] = entry["latency_ms"][key]
    for cell in cells_of(results, entry):
        task = cell["task"]
        if cell["status"] != "ok":
            summary[task + "/status"] = cell["status"] + (": " + cell["reason"] if cell.get("reason") else "")
            continue
        for metric, value in cell["results"].items():
            name = metric.split(",")[0]
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                summary[f"{task}/{name}"] = value
        summary[task + "/chance"], summary[task + "/constant"] = cell["chance"], cell["constant_answer"]["acc"]
        summary[task + "/p50_ms"] = cell["latency_ms"]["p50"]
        joules = (cell.get("usage") or {}).get("joules_per_question")
        if joules is not None:
            summary[task + "/joules_per_question"] = joules
    return summary


def history_of(results, entry):
    """Heat and power over time, a row per moment; processes of a study that was stopped follow each other."""
    rows, processes = [], {}
    for cell in cells_of(results, entry):
        series = cell.get("series")
        if series and series.get("t"):
            processes.setdefault(series.get("started") or "", []).append(series)
    start = 0.0
    for _, cells in sorted(processes.items()):
        moments = []
        for series in cells:
            for i, t in enumerate(series["t"]):
                row = {key: series[key][i] for key in SERIES if series.get(key) and series[key][i] is not None}
                if row:
                    moments.append({"seconds": start + t, **row})
        moments.sort(key=lambda row: row["seconds"])
        rows += moments
        start = moments[-1]["seconds"] if moments else start
    return rows


def runs_of(results):
    """(name, tags, config, summary, history) of every entry that has any figure."""
    if results.get("schema") != "tinyllm.study-results/1":
        sys.exit("wandb_import: expected results.json of a tinyllm study, found schema " + repr(results.get("schema")))
    several = len(results.get("boards") or []) > 1
    for entry in results["entries"]:
        if not any(c["status"] == "ok" for c in cells_of(results, entry)):
            continue
        name = f"{entry['model']} {entry['type']} {entry['protocol']}" + (f" on {entry['board']}" if several else "")
        yield name, [entry["protocol"], entry["type"]], config_of(results, entry), summary_of(results, entry), history_of(results, entry)


def send(wandb, results, project, mode, entity=None, group=None, folder=None):
    """Makes the runs; returns how many."""
    count = 0
    for name, tags, config, summary, history in runs_of(results):
        run = wandb.init(project=project, entity=entity, group=group or "study " + str(results["study"].get("date")), name=name, tags=tags,
                         config=config, mode=mode, dir=folder, reinit=True)
        if history:
            run.define_metric("seconds")
            run.define_metric("*", step_metric="seconds")
        for row in history:
            run.log(row)
        for key, value in summary.items():
            run.summary[key] = value
        run.finish()
        count += 1
    return count


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", help="the study's folder, or its results.json")
    parser.add_argument("--project", required=True)
    parser.add_argument("--entity")
    parser.add_argument("--group", help="default: the study's date")
    parser.add_argument("--mode", choices=("offline", "online"), default="offline")
    parser.add_argument("--dir", help="where W&B puts its folder; default: here")
    options = parser.parse_args(arguments)
    path = os.path.join(options.results, "results.json") if os.path.isdir(options.results) else options.results
    try:
        with open(path, encoding="utf-8") as file:
            results = json.load(file)
    except (OSError, ValueError) as error:
        sys.exit(f"wandb_import: {path}: {error}")
    try:
        import wandb
    except ImportError:
        sys.exit("wandb_import: needs the wandb package: pip install wandb")
    count = send(wandb, results, options.project, options.mode, options.entity, options.group, options.dir)
    print(f"{count} runs, {options.mode}")


if __name__ == "__main__":
    main()
