#!/usr/bin/env python3
"""Writes few_shot.json: contexts with examples as the real lm-evaluation-harness builds them, for few_shot_test.cpp.

  make_few_shot.py [SHARED]

Questions are the edge rows in SHARED/eval/edge, examples are drawn from those rows three times over: so that rows equal to the question are drawn, and
sometimes so many that the harness draws again."""
import importlib.util
import json
import os
import pathlib
import sys
import tempfile

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
HERE = pathlib.Path(__file__).resolve().parent
SHOTS = 2
EXTRA = {"winogrande": [{"sentence": "Of cat and dog, Eve fed the _", "option1": "cat", "option2": "dog", "answer": "1"}]}  # nothing behind the blank


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def contexts(oracle, task, folder, questions, pool):
    """(context, continuation) of every request of every question."""
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks._yaml_loader import load_yaml

    config = dict(load_yaml(TaskManager()._entry(task).yaml_path, resolve_func=True))
    split = config.get("test_split") or config["validation_split"]
    config.update(dataset_path="json", dataset_name=None, num_fewshot=SHOTS, training_split="train",
                  dataset_kwargs={"data_files": {split: str(questions), "train": str(pool)}})
    if not config.get("test_split"):
        config["test_split"] = None
    for key in ("tag", "group", "include"):
        config.pop(key, None)
    made = ConfigurableTask(config=config)
    made.set_fewshot_seed(1234)  # simple_evaluate's default
    made.build_all_requests()
    out = {}
    for instance in made.instances:
        out.setdefault(instance.doc_id, []).append(instance.args)
    return [out[i] for i in sorted(out)]


def main():
    shared = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parents[2] / "shared")
    spec = importlib.util.spec_from_file_location("lm_eval_local", shared / "eval" / "lm_eval_local.py")
    oracle = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(oracle)
    stored = {}
    with tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(work)
        for task in oracle.DEFAULT:
            edge = shared / "eval" / "edge"
            rows = rows_of(edge / f"{task.replace('arc_challenge', 'arc_easy')}.jsonl")
            labels_file = edge / f"{task}-labels.lst"
            labels = labels_file.read_text().split() if labels_file.exists() else [""] * len(rows)
            rows += EXTRA.get(task, [])
            labels += [""] * (len(rows) - len(labels))
            write(folder / "rows.jsonl", rows)
            (folder / "labels.lst").write_text("\n".join(labels))
            columns = oracle.to_hf_rows(task, str(folder / "rows.jsonl"), str(folder / "labels.lst") if any(labels) else None)
            write(folder / f"{task}.questions.jsonl", columns * 2)
            write(folder / f"{task}.pool.jsonl", columns * 3)
            asked = contexts(oracle, task, folder, folder / f"{task}.questions.jsonl", folder / f"{task}.pool.jsonl")
            stored[task] = {"rows": rows, "labels": labels, "contexts": [list(dict.fromkeys(context for context, _ in one)) for one in asked]}
    text = json.dumps({"shots": SHOTS, "tasks": stored}, ensure_ascii=False, indent=1)
    (HERE / "few_shot.json").write_text(text + "\n", encoding="utf-8")
    print(len(text), "bytes")


if __name__ == "__main__":
    main()
