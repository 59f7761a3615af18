#!/usr/bin/env python3
"""Runs the local oracle (eval/lm_eval_local.py: the real harness on local files) with what it lacks: splits to draw examples from, PhoneLM, for
which transformers has no class, and haste.

  harness_oracle.py LM_EVAL_LOCAL [--train TASK=FILE[,LABELS]] [what lm_eval_local.py takes]
"""
import functools
import importlib.util
import json
import os
import pathlib
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "golden"))

FOLDERS = ["arc", "openbookqa", "super_glue", "piqa", "siqa", "winogrande", "hellaswag"]  # of the harness's tasks


def load(path):
    spec = importlib.util.spec_from_file_location("lm_eval_local", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def training_files(oracle, arguments, folder):
    """Takes --train out of the arguments and writes each file in the columns of the Hugging Face data set: {task: path}."""
    files = {}
    while "--train" in arguments:
        at = arguments.index("--train")
        task, names = arguments[at + 1].split("=", 1)
        del arguments[at:at + 2]
        rows, _, labels = names.partition(",")
        files[task] = os.path.join(folder, task + ".train.jsonl")
        with open(files[task], "w", encoding="utf-8") as f:
            f.writelines(json.dumps(row) + "\n" for row in oracle.to_hf_rows(task, rows, labels or None))
    return files


def main():
    arguments = sys.argv[2:]
    oracle = load(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        files = training_files(oracle, arguments, folder)
        import lm_eval.api.task
        import lm_eval.evaluator
        import lm_eval.tasks
        import transformers

        import phone_lm
        transformers.AutoConfig.register("phonelm", phone_lm.PhoneLmConfig)
        transformers.AutoModelForCausalLM.register(phone_lm.PhoneLmConfig, phone_lm.PhoneLMForCausalLM)

        # Reading the definitions of all its thousands of tasks, twice, takes the harness longer than answering a small set.
        tasks = pathlib.Path(lm_eval.tasks.__file__).parent
        few = functools.partial(lm_eval.tasks.TaskManager, include_defaults=False, include_path=[tasks / name for name in FOLDERS])
        lm_eval.tasks.TaskManager = lm_eval.evaluator.TaskManager = few

        original = lm_eval.api.task.ConfigurableTask

        def with_training_split(config):
            if config["task"] in files:
                config["dataset_kwargs"]["data_files"]["train"] = files[config["task"]]
                config["training_split"] = "train"
            return original(config=config)

        lm_eval.api.task.ConfigurableTask = with_training_split
        sys.argv = [sys.argv[1], *arguments]
        oracle.main()


if __name__ == "__main__":
    main()
