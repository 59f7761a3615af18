#!/usr/bin/env python3
"""tools/wandb_import.py on a real study's results, with a module of our own in wandb's place."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import types

SOURCE = os.environ.get("TINYLLM_SOURCE_DIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
TINYLLM = os.environ.get("TINYLLM", "")
MODELS = os.path.join(SOURCE, "tools", "embedded", "models")

if not TINYLLM or not os.path.exists(TINYLLM) or not os.path.isdir(MODELS):
    print("skipped: needs the tinyllm command and the embedded models")
    sys.exit(77)


class Run:
    def __init__(self, **keywords):
        self.keywords, self.rows, self.summary, self.finished, self.metrics = keywords, [], {}, False, []

    def define_metric(self, name, step_metric=None):
        self.metrics.append((name, step_metric))

    def log(self, row):
        assert not self.finished
        self.rows.append(row)

    def finish(self):
        self.finished = True


def main():
    spec = importlib.util.spec_from_file_location("wandb_import", os.path.join(SOURCE, "tools", "wandb_import.py"))
    importer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(importer)
    runs = []
    fake = types.ModuleType("wandb")
    fake.init = lambda **keywords: runs.append(Run(**keywords)) or runs[-1]
    sys.modules["wandb"] = fake

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([TINYLLM, "study", "--models", os.path.join(MODELS, "tiny-gpt2"), "--types", "f32,q8_0", "--tasks", "piqa,boolq", "-L", "8", "-o", folder],
                       check=True, capture_output=True, timeout=600)
        path = os.path.join(folder, "results.json")
        with open(path) as file:
            results = json.load(file)
        # A process of 3 seconds that measured, one before it that was stopped, and a cell without a figure.
        cells = [c for c in results["cells"] if c["type"] == "q8_0" and c["protocol"] == "lm-eval"]
        cells[0]["series"] = {"t": [1.0, 2.0], "power_W": [5.0, 6.0], "temp_C": [40.0, None], "cpu_MHz": None, "gpu_MHz": None, "throttled": None, "started": "B"}
        cells[1]["series"] = {"t": [0.5], "power_W": [4.0], "temp_C": None, "cpu_MHz": None, "gpu_MHz": None, "throttled": [1.0], "started": "A"}
        failed = next(c for c in results["cells"] if c["type"] == "f32" and c["protocol"] == "study" and c["task"] == "boolq")
        failed.update(status="oom", reason="too large", results=None)
        with open(path, "w") as file:
            json.dump(results, file)
        importer.main([folder, "--project", "p", "--dir", folder])

    assert len(runs) == 4 and all(run.finished for run in runs), len(runs)
    assert {run.keywords["mode"] for run in runs} == {"offline"} and len({run.keywords["group"] for run in runs}) == 1
    by_name = {run.keywords["name"]: run for run in runs}
    run = by_name["tiny-gpt2 q8_0 lm-eval"]
    entry = next(e for e in results["entries"] if e["type"] == "q8_0" and e["protocol"] == "lm-eval")
    assert run.summary["average_acc"] == entry["average_acc"] and run.summary["latency_ms/p50"] == entry["latency_ms"]["p50"]
    piqa = next(c for c in cells if c["task"] == "piqa")
    assert run.summary["piqa/acc"] == piqa["results"]["acc,none"] and run.summary["piqa/acc_norm"] == piqa["results"]["acc_norm,none"], piqa["results"]
    assert "joules_per_question" not in run.summary or entry["joules_per_question"] is not None, "what was not measured is no figure"
    config = run.keywords["config"]
    assert config["model"] == "tiny-gpt2" and config["questions"] == {"piqa": 8, "boolq": 8} and abs(config["bits_per_weight"] - 32 * entry["ratio_fp32"]) < 1e-9
    assert config["model_sha256"] == results["study"]["models"][0]["sha256"] and config["machine"]["threads" if "threads" in config["machine"] else "cores"]
    assert run.rows == [{"seconds": 0.5, "power_W": 4.0, "throttled": 1.0}, {"seconds": 1.5, "power_W": 5.0, "temp_C": 40.0}, {"seconds": 2.5, "power_W": 6.0}], run.rows
    assert ("*", "seconds") in run.metrics
    assert by_name["tiny-gpt2 f32 study"].summary["boolq/status"] == "oom: too large"
    assert "boolq/acc" not in by_name["tiny-gpt2 f32 study"].summary
    json.dumps([[r.keywords["config"], r.summary, r.rows] for r in runs], allow_nan=False)

    for bad in ({"schema": "other"}, None):
        with tempfile.TemporaryDirectory() as folder:
            if bad:
                with open(os.path.join(folder, "results.json"), "w") as file:
                    json.dump(bad, file)
            try:
                importer.main([folder, "--project", "p"])
                raise AssertionError("no error")
            except SystemExit as stop:
                assert str(stop).startswith("wandb_import: "), stop
    print("ok")


if __name__ == "__main__":
    main()
