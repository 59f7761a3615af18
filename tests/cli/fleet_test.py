"""Studies as files, spread over shards by GNU parallel, merged from several boards, with models that are missing and children that die."""
import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hub"))
import harness
import hub_server

NUMBERS = ("scores", "greedy", "prediction", "prediction_norm", "gold", "cut", "tokens")


def piqa_rows(count):
    return "".join(json.dumps({"goal": f"Goal {i * 37 % 101}", "sol1": f"one {i % 7}", "sol2": "the other", "label": i % 2}) + "\n" for i in range(count))


def winogrande_rows(count):
    return "".join(json.dumps({"sentence": f"The {i * 31 % 97} is near _ today.", "option1": "a", "option2": "bb", "answer": "12"[i % 2]}) + "\n" for i in range(count))


def answers(folder, board=None):
    """{journal: {question: what must be the same bits}}"""
    root = os.path.join(folder, "journal") if board is None else os.path.join(folder, "boards", board, "journal")
    found = {}
    for name in sorted(os.listdir(root)):
        with open(os.path.join(root, name)) as file:
            lines = [json.loads(line) for line in file]
        found[name] = {line["i"]: [line[key] for key in NUMBERS] for line in lines if "i" in line}
    return found


def results(folder):
    with open(os.path.join(folder, "results.json")) as file:
        return json.load(file)


def accuracies(folder):
    return [(c["model"], c["type"], c["protocol"], c["task"], c["status"], c["results"]) for c in results(folder)["cells"]]


def csv_rows(folder):
    with open(os.path.join(folder, "results.csv"), newline="") as file:
        return list(csv.DictReader(file))


class FleetTest(harness.CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.makedirs(cls.path("data"))
        cls.write("data/valid.jsonl", piqa_rows(12))
        cls.write("data/dev.jsonl", winogrande_rows(12))
        os.makedirs(cls.path("hub"))

    def study(self, *more, models=None):
        return ["study", "--models", ",".join(models or [self.model, self.gguf]), "--data", self.path("data"), "--tasks", "piqa,winogrande", "--types", "f32,q8_0",
                *more]

    def write_study(self, text):
        return self.write("my.yaml", text)

    # --- study files

    def test_those_there_are(self):
        names = [row["name"] for row in self.json("study", "--list", "--json")]
        self.assertIn("jetson-orin-nano-2025", names)
        self.fails(2, "study", "jetson-nano", says=["jetson-orin-nano-2025", "\"jetson-nano\""])
        self.fails(3, "study", self.path("none.yaml"), says="none.yaml")

    def test_the_published_study(self):
        plan = self.json("study", "jetson-orin-nano-2025", "--plan", "--board", "orin-nano", "--json")
        self.assertEqual(plan["schema"], "tinyllm.study-plan/1")
        self.assertEqual(plan["totals"]["cells"], 20 * 4 * 2 * 7)
        self.assertEqual(len(plan["rows"]), 80)
        self.assertEqual(len([line for line in plan["missing"] if "tinyllm pull" in line]), 20)
        questions = {(t["protocol"], t["task"]): t["questions"] for t in plan["tasks"]}
        self.assertEqual(questions["study", "winogrande"], 1267)
        self.assertEqual(questions["lm-eval", "hellaswag"], 1000)
        for row in plan["rows"]:
            self.assertEqual(row["download"], "estimated")
            self.assertGreater(row["download_bytes"], 1e8)
            self.assertGreater(row["estimated_peak_bytes"], 1e7)
            self.assertGreater(row["estimated_seconds"], 1)
        self.assertGreater(plan["totals"]["estimated_seconds"], max(row["estimated_seconds"] for row in plan["rows"]))
        text = self.output("study", "jetson-orin-nano-2025", "--plan", "--board", "orin-nano").decode()
        for words in ("SmolLM-135M", "estimated peak", "estimated time", "1120 cells in 80 loads", "tinyllm pull Qwen/Qwen2.5-0.5B"):
            self.assertIn(words, text)

    def test_what_is_missing_ends_a_study_that_has_nothing_else(self):
        self.fails(3, "study", "jetson-orin-nano-2025", "-o", self.path("nothing"), says=["tinyllm pull", "--pull"])
        self.fails(2, "study", "jetson-orin-nano-2025", "--pull", "-o", self.path("nothing"), env={"HF_HUB_OFFLINE": "1"}, says="HF_HUB_OFFLINE")

    def test_flag_over_variable_over_file(self):
        file = self.write_study(f"models: [{self.model}]\ndata: {self.path('data')}\ntasks: piqa\ntypes: [f32, q4_0]\nprotocol: lm-eval\nlimit: 5\n")

        def planned(*flags, env=None):
            plan = self.json("study", file, "--plan", "--json", *flags, env=env)
            return [row["type"] for row in plan["rows"]], [t["questions"] for t in plan["tasks"]]

        self.assertEqual(planned(), (["f32", "q4_0"], [5]))
        self.assertEqual(planned(env={"TINYLLM_TYPES": "f16"}), (["f16"], [5]))
        self.assertEqual(planned("--types", "q8_0", env={"TINYLLM_TYPES": "f16"}), (["q8_0"], [5]))
        self.assertEqual(planned("-L", "3"), (["f32", "q4_0"], [3]))
        self.assertEqual(planned("-L", "piqa=0.5"), (["f32", "q4_0"], [6]))
        self.assertEqual(planned("--config", self.write("c.toml", "[study]\ntypes = [\"bf16\"]\n")), (["bf16"], [5]))

    def test_files_that_are_wrong(self):
        for line, code, text, *words in (
                (1, 2, "", "a map", "nothing"),
                (1, 2, "- a\n- b\n", "a map", "a list"),
                (2, 2, "title: x\nmodles: [a/b]\n", "one of the keys", "types", '"modles"'),
                (2, 2, "types:\n  - f33\n", "q8_0", '"f33"'),
                (1, 2, "tasks: [piqa, mmlu]", "winogrande", '"mmlu"'),
                (3, 2, "models:\n  - a/b\n  - a/b\n", "once", '"a/b"'),
                (1, 2, "models: [{model: a/b, size: 3}]", "download", '"size"'),
                (1, 2, "models: [{parameters: 3M}]", "the key model"),
                (1, 2, "models: [{model: a/b, parameters: many}]", "135M", '"many"'),
                (1, 2, "models: []", "at least"),
                (1, 2, "limit: ten", "a whole number", '"ten"'),
                (1, 2, "limit: {mmlu: 3}", "a task", '"mmlu"'),
                (1, 2, "limit: -3", "a whole number", '"-3"'),
                (1, 2, "exact: maybe", "true or false", '"maybe"'),
                (1, 2, "threads: 1.5", "whole number"),
                (1, 2, "threads: [1]", "whole number", "a list"),
                (1, 2, "cooldown: hot", "60C", '"hot"'),
                (1, 2, "protocol: both", "lm-eval", '"both"'),
                (1, 2, "output: {a: b}", "a folder", "a map"),
                (3, 7, "types: [f32]\ntasks: [piqa]\ntypes: [f16]\n", "each key once"),
                (3, 7, "title: x\ntasks: [piqa\n", "YAML"),
                (1, 7, "models: &m [*m]\n", "no anchors"),
                (1, 7, "models: *m\n", "expected"),
                (1, 7, "title: !!python/object x\n", "no tags"),
                (1, 7, "a: " + "[" * 100_000, "expected"),
                (1, 7, "a: " + "[" * 50 + "]" * 50, "levels"),
                (1, 7, "- " * 50_000, "levels"),
                (1, 7, "a: [" + "x," * 100_000, "values"),
                (1, 7, "x" * 300_000, "at most 262144 bytes"),
                (1, 7, "title: a\n---\ntitle: b\n", "one document"),
                (2, 7, "title: a\nabout: \0b\n", "text"),
                (1, 7, b"\xff\xfe\x00\x00\xff", "expected"),
        ):
            with self.subTest(text=text[:40]):
                said = self.fails(code, "study", self.write_study(text), "--plan", says=words)
                if line > 1 or code == 2:
                    self.assertIn(f"my.yaml:{line}: expected", said)

    def test_flags_that_are_wrong(self):
        for shard in ("0/4", "5/4", "x/y", "1", "1/", "/4", "1/4/2", "-1/4", "1/99999999999"):
            self.fails(2, *self.study("--shard", shard), says=["--shard", "1/4", shard])
        self.fails(2, *self.study(models=[self.model, self.model]), says=["--models", "twice"])
        self.fails(2, *self.study("-L", "ten"), says=["--limit", "ten"])
        self.fails(2, *self.study("-L", "mmlu=3"), says="mmlu")
        self.fails(3, *self.study(models=[self.path("no/such/model")]), says="no such model")
        self.fails(3, *self.study("--plan", "--board", "no-board"), says="orin-nano")

    # --- models that are not here

    def test_a_missing_model_costs_its_own_cells(self):
        out = self.path("missing")
        file = self.write_study(f"title: Mine\nmodels:\n  - {{model: our/other, parameters: 3M, download: 7M}}\n  - {self.model}\ndata: [{self.path('data')}]\n"
                                f"tasks: [piqa]\ntypes: [f32]\noutput: {out}\n")
        plan = self.json("study", file, "--plan", "--json")
        self.assertEqual([(r["download"], r["download_bytes"]) for r in plan["rows"]], [("stated", 7_000_000), ("here", 0)])
        self.assertIsNone(plan["rows"][0]["estimated_peak_bytes"])
        self.assertIsNone(plan["totals"]["estimated_seconds"])
        self.output("study", file)
        self.assertEqual([row["status"] for row in csv_rows(out)], ["skipped", "skipped", "ok", "ok"])
        self.assertIn("tinyllm pull our/other", csv_rows(out)[0]["reason"])
        self.assertEqual(results(out)["study"]["title"], "Mine")

    def test_pull_fetches_it_first(self):
        if b"pull" not in subprocess.run([harness.COMMAND, "--help"], capture_output=True, check=True).stdout:
            self.skipTest("built without libcurl")
        out = self.path("pulled")
        with hub_server.Hub() as hub:
            files = {}
            for name in os.listdir(self.model):
                with open(os.path.join(self.model, name), "rb") as file:
                    files[name] = file.read()
            hub.models["our/tiny"] = hub_server.Model(files)
            env = {"HF_HOME": self.path("home"), "HF_HUB_CACHE": "", "HF_ENDPOINT": hub.url, "HF_TOKEN": "", "HF_HUB_OFFLINE": "", "no_proxy": "*"}
            self.output("study", "--models", "our/tiny,our/none", "--data", self.path("data"), "--tasks", "piqa", "--types", "f32", "--protocol", "lm-eval", "--pull", "-o",
                        out, env=env)
        self.assertEqual([(row["model"], row["status"]) for row in csv_rows(out)], [("tiny", "ok"), ("none", "skipped")])

    # --- shards and merges

    def test_shards_by_gnu_parallel(self):
        if not shutil.which("parallel"):
            self.skipTest("no GNU parallel")
        whole, parts, merged = self.path("whole"), self.path("parts"), self.path("merged")
        self.output(*self.study("-o", whole))
        env = {k: v for k, v in os.environ.items() if not k.startswith("TINYLLM")}
        subprocess.run(["parallel", "--will-cite", "-j2", "--halt", "now,fail=1", harness.COMMAND, *self.study("-o", parts), "--shard", "{}/3", ":::", "1", "2", "3"],
                       env={**env, "TINYLLM_THREADS": "2", "HOME": self.path("hub")}, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=300)
        shards = [os.path.join(parts, f"shard-{i}-of-3") for i in (1, 2, 3)]
        done = [answers(shard) for shard in shards]
        self.assertTrue(all(done), "a shard without work")
        self.assertEqual(sum(len(part) for part in done), len(answers(whole)), "a cell was done twice or by nobody")
        self.output("study", "merge", merged, *shards)
        self.assertEqual(answers(merged), answers(whole))
        self.assertEqual(accuracies(merged), accuracies(whole))
        self.assertEqual(len(results(merged)["boards"]), 1)
        # A shard that finishes later is merged again over the first merge; a study that was run is never written over.
        self.output("study", "merge", parts, shards[0])
        self.assertIn("skipped", [row["status"] for row in csv_rows(parts)])
        self.output("study", "merge", parts, *shards)
        self.assertEqual(answers(parts), answers(whole))
        self.fails(2, "study", "merge", whole, *shards, says=[whole, "already"])
        self.fails(2, "study", "merge", shards[0], *shards, says="another folder")

    def test_more_shards_than_work(self):
        out = self.path("idle")
        for i in range(1, 7):
            self.output(*self.study("-L", 2, "-o", out, "--shard", f"{i}/6"))
        self.output("study", "merge", out, *(os.path.join(out, f"shard-{i}-of-6") for i in range(1, 7)))
        self.assertEqual({row["status"] for row in csv_rows(out)}, {"ok"})

    def test_boards_stay_apart(self):
        a, b, both = self.path("a"), self.path("b"), self.path("both")
        self.output(*self.study("-o", a, "--label", "board a"))
        self.output(*self.study("-o", b, "--label", "board b", "--only", "q8_0"))
        self.output("study", "merge", both, a, b)
        self.assertEqual(results(both)["boards"], ["board a", "board b"])
        rows = csv_rows(both)
        self.assertEqual([r["board"] for r in rows].count("board a"), 16)
        ok = [(r["board"], r["type"]) for r in rows if r["status"] == "ok"]
        self.assertEqual({(board, kind): ok.count((board, kind)) for board, kind in ok}, {("board a", "f32"): 8, ("board a", "q8_0"): 8, ("board b", "q8_0"): 8})
        text = self.output("study", "report", both).decode()
        for words in ("board a: ", "board b: "):
            self.assertIn(words, text)
        compared = self.json("study", "compare", a, both, "--json")
        self.assertEqual({row["board"] for row in compared}, {"board a", "board a / board b"})
        # A merge of merges, and its order, change nothing.
        again = self.path("again")
        self.output("study", "merge", again, both, a)
        self.assertEqual(sorted(accuracies(again), key=str), sorted(accuracies(both), key=str))
        self.fails(2, *self.study("-o", both), says="several boards")

    def test_a_folder_carried_to_another_machine(self):
        out = self.path("carried")
        self.output(*self.study("-o", out, "--label", "first", "-L", 3))
        self.output(*self.study("-o", out, "--label", "second", "-L", 3, "--only", "f32"))
        self.assertEqual({(r["type"], r["board"]) for r in csv_rows(out)}, {("f32", "second"), ("q8_0", "first")})

    def test_merges_that_contradict(self):
        a, b = self.path("c1"), self.path("c2")
        self.output(*self.study("-o", a, "-L", 4))
        shutil.copytree(a, b)
        names = sorted(os.listdir(os.path.join(b, "journal")))
        path = os.path.join(b, "journal", names[0])
        with open(path) as file:
            lines = [json.loads(line) for line in file]

        def put(changed, torn=""):
            with open(path, "w") as file:
                file.write("".join(json.dumps(line) + "\n" for line in changed) + torn)

        # A journal that was torn off has what it has; the other folder has the rest.
        put(lines[:3], torn='{"i": 3, "sco')
        self.output("study", "merge", self.path("m1"), b, a)
        self.assertEqual(answers(self.path("m1")), answers(a))
        # The same question, another answer.
        other = [dict(line) for line in lines]
        answer = next(line for line in other if "i" in line)
        answer["scores"] = [score - 1 for score in answer["scores"]]
        put(other)
        self.fails(8, "study", "merge", self.path("m2"), a, b, says=["question 0", "different answers", a, b])
        self.assertFalse(os.path.exists(self.path("m2", "study.json")), "half a merge")
        # The same board under other settings.
        other = [dict(line) for line in lines]
        other[0]["settings"] = {**lines[0]["settings"], "limit": 5}
        put(other)
        self.fails(8, "study", "merge", self.path("m2"), a, b, says=["limit: 4", "and 5"])
        # Another's journal under this name, and one that is damaged.
        put([{**lines[0], "cell": "other/f32/lm-eval/piqa"}, *lines[1:]])
        self.fails(7, "study", "merge", self.path("m2"), a, b, says=names[0])
        put([lines[0], {"i": -1}, *lines[1:]])
        self.fails(7, "study", "merge", self.path("m2"), a, b, says=names[0] + ":2")
        # Another board was asked other questions.
        shutil.rmtree(b)
        self.output(*self.study("-o", b, "-L", 5, "--label", "elsewhere"))
        self.fails(8, "study", "merge", self.path("m2"), a, b, says=["different things", "limit"])

    def test_merges_of_what_is_no_study(self):
        self.fails(3, "study", "merge", self.path("m3"), self.path("data"), says="study.json")
        self.fails(3, "study", "merge", self.path("m3"), self.path("none"))
        for text in ("", "[]", "{", '{"models": 3}', "null", '{"machine": {}, "models": [], "types": [], "tasks": [], "protocols": [], "cells": [3]}'):
            os.makedirs(self.path("bad"), exist_ok=True)
            self.write("bad/study.json", text)
            self.fails(7, "study", "merge", self.path("m3"), self.path("bad"), says="study.json")

    def test_no_space(self):
        a = self.path("full")
        self.output(*self.study("-o", a, "-L", 12))

        def no_room():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

        said = self.fails(1, "study", "merge", self.path("m4"), a, preexec_fn=no_room)
        self.assertIn("m4", said)

    # --- children that die

    def die(self, number):
        """A study whose child is killed by `number` while it answers its first task: the tasks' rows, the exit code, what it said."""
        out, data = self.path(f"die{number}"), self.path("much")
        os.makedirs(data, exist_ok=True)
        self.write("much/valid.jsonl", piqa_rows(20_000))
        self.write("much/dev.jsonl", winogrande_rows(5))
        env = {k: v for k, v in os.environ.items() if not k.startswith("TINYLLM")}
        study = subprocess.Popen([harness.COMMAND, "study", "--models", self.model, "--data", data, "--tasks", "piqa,winogrande", "--types", "f32", "--protocol",
                                  "lm-eval", "--device", "ref", "-o", out], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        journal = os.path.join(out, "journal", "model.f32.lm-eval.piqa.jsonl")
        deadline = time.monotonic() + 120
        while not (os.path.exists(journal) and os.path.getsize(journal) > 3000):
            self.assertIsNone(study.poll(), "it ended before it could be disturbed")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)
        with open(f"/proc/{study.pid}/task/{study.pid}/children") as file:
            children = [int(word) for word in file.read().split()]
        self.assertEqual(len(children), 1)
        os.kill(children[0], number)
        errors = study.communicate(timeout=300)[1].decode()
        return {row["task"]: row for row in csv_rows(out)}, study.returncode, errors

    def test_a_child_that_dies_costs_one_cell(self):
        deaths = [(signal.SIGKILL, "oom", 0), (signal.SIGABRT, "failed", 1)]
        if not os.environ.get("TINYLLM_SANITIZE"):  # they catch it
            deaths.append((signal.SIGSEGV, "failed", 1))
        for number, status, code in deaths:
            with self.subTest(number=number):
                rows, returned, errors = self.die(number)
                self.assertEqual((rows["piqa"]["status"], rows["winogrande"]["status"]), (status, "ok"), errors)
                self.assertIn(f"signal {int(number)}", rows["piqa"]["reason"])
                self.assertEqual(returned, code, errors)


harness.main()
