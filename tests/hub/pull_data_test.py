"""tinyllm pull data:TASK and data:TASK:train against a rows API of our own, and eval on what it fetched."""
import json
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import harness
import hub_server


def arc(i):
    labels = "1234" if i % 7 == 0 else "ABCD"
    return {"id": f"q{i}", "question": f"Which is {i}?\u2028", "choices": {"text": [f"c{i}{k}" for k in range(4)], "label": list(labels)}, "answerKey": labels[i % 4]}


def openbookqa(i):
    return {"id": f"o{i}", "question_stem": f"stem {i}", "choices": arc(1)["choices"], "answerKey": "ABCD"[i % 4]}


def boolq(i):
    return {"question": f"is it {i}", "passage": f"T -- It is {i}.", "idx": i, "label": i % 2}


def piqa(i):
    return {"goal": f"goal {i}", "sol1": "one ", "sol2": "two", "label": i % 2}


def social_iqa(i):
    return {"context": f"c {i}", "question": "q?", "answerA": "a", "answerB": "b", "answerC": "c", "label": str(i % 3 + 1)}


def winogrande(i):
    return {"sentence": f"The _ is {i}.", "option1": "x", "option2": "y", "answer": str(i % 2 + 1)}


def hellaswag(i):
    return {"ind": i, "activity_label": "Act", "ctx_a": "A man.", "ctx_b": "he", "ctx": "A man. he", "endings": ["a", "b", "c", "d"], "source_id": "s", "split": "val",
            "split_type": "x", "label": str(i % 4)}


# What a task is fetched from, with the columns and sizes of the hub's data sets: a row, the data set, its configuration, and of each split the rows and the
# release's file name.
TASKS = {
    "arc_easy": (arc, "allenai/ai2_arc", "ARC-Easy",
                 {"test": (2376, "ARC-Easy-Test.jsonl"), "validation": (570, "ARC-Easy-Dev.jsonl"), "train": (2251, "ARC-Easy-Train.jsonl")}),
    "arc_challenge": (arc, "allenai/ai2_arc", "ARC-Challenge",
                      {"test": (1172, "ARC-Challenge-Test.jsonl"), "validation": (299, "ARC-Challenge-Dev.jsonl"), "train": (1119, "ARC-Challenge-Train.jsonl")}),
    "openbookqa": (openbookqa, "allenai/openbookqa", "main", {"test": (500, "test.jsonl"), "validation": (500, "dev.jsonl"), "train": (4957, "train.jsonl")}),
    "boolq": (boolq, "aps/super_glue", "boolq", {"validation": (3270, "val.jsonl"), "train": (9427, "train.jsonl")}),
    "piqa": (piqa, "baber/piqa", "default", {"validation": (1838, "valid.jsonl"), "train": (16113, "train.jsonl")}),
    "social_iqa": (social_iqa, "lighteval/siqa", "default", {"validation": (1954, "dev.jsonl"), "train": (33410, "train.jsonl")}),
    "winogrande": (winogrande, "allenai/winogrande", "winogrande_xl", {"validation": (1267, "dev.jsonl"), "train": (40398, "train_xl.jsonl")}),
    "hellaswag": (hellaswag, "Rowan/hellaswag", "default", {"validation": (10042, "hellaswag_val.jsonl"), "train": (39905, "hellaswag_train.jsonl")}),
}


def made_up():
    """{task: {(data set, configuration, split): (rows, file name)}}. Every split has rows of its own."""
    sets, start = {}, {"test": 0, "validation": 100_000, "train": 200_000}
    for task, (make, dataset, config, splits) in TASKS.items():
        sets[task] = {(dataset, config, split): ([make(start[split] + i) for i in range(count)], name) for split, (count, name) in splits.items()}
    return sets


ALL = made_up()
SETS = {task: {key: value for key, value in sets.items() if key[2] != "train"} for task, sets in ALL.items()}  # that are scored
TRAINING = {task: next((key, *value) for key, value in sets.items() if key[2] == "train") for task, sets in ALL.items()}


class PullDataTest(harness.CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if b"pull" not in subprocess.run([harness.COMMAND, "--help"], capture_output=True, check=True).stdout:
            print("built without libcurl")
            sys.exit(77)

    def setUp(self):
        self.hub = hub_server.Hub().__enter__()
        self.addCleanup(self.hub.__exit__)
        for sets in ALL.values():
            self.hub.data.update({key: list(value[0]) for key, value in sets.items()})
        self.home = tempfile.mkdtemp(dir=self.scratch.name)
        self.folder = os.path.join(self.home, "assets", "tinyllm", "data")
        self.env = {"HF_HOME": self.home, "HF_HUB_CACHE": "", "HF_HUB_OFFLINE": "", "HF_ASSETS_CACHE": "", "HF_TOKEN": "hf_secret", "no_proxy": "*",
                    "TINYLLM_ROWS_ENDPOINT": self.hub.url, "TINYLLM_RETRY_DELAY": "0.01"}

    def test_rows_of_the_endpoint(self):
        self.env = {**self.env, "TINYLLM_ROWS_ENDPOINT": "", "HF_ENDPOINT": self.hub.url}
        self.output("pull", "data:openbookqa", env=self.env)
        self.assertTrue(self.hub.asked("hub", "/rows?dataset=allenai%2Fopenbookqa"))
        self.env["HF_ENDPOINT"] = "https://hub.invalid"
        self.fails(3, "pull", "data:piqa", says=["https://datasets-server.hub.invalid"], env=self.env)

    def fault(self, pattern, act, times=1):
        self.hub.faults.append(hub_server.Fault(pattern, act, times))

    def read_rows(self, task, name):
        with open(os.path.join(self.folder, task, name), encoding="utf-8", newline="\n") as file:
            return [json.loads(line) for line in file]

    def test_all_tasks(self):
        out = self.output("pull", "data:all", env=self.env).decode().splitlines()
        self.assertEqual(out, [os.path.join(self.folder, task) for task in sorted(SETS)])
        for task, sets in SETS.items():
            for data, name in sets.values():
                self.assertEqual(self.read_rows(task, name), data, name)
            self.assertEqual(sorted(os.listdir(os.path.join(self.folder, task))), sorted(name for _, name in sets.values()))
        self.assertTrue(all("Authorization" not in headers for _, headers in self.hub.asked("hub")))  # public: no token
        self.hub.requests.clear()
        self.output("pull", "data:all", env=self.env)
        self.assertEqual(self.hub.requests, [])
        # eval finds every one of them, under both protocols, without --data.
        for protocol, sizes in (("lm-eval", {"arc_easy": 2376, "openbookqa": 500, "boolq": 3270}), ("study", {"arc_easy": 570, "openbookqa": 500, "boolq": 3270})):
            results = self.json("eval", self.model, "-t", "all", "-L", "1", "--protocol", protocol, "--json", env=self.env)
            self.assertEqual(sorted(results["results"]), sorted(SETS))
            for task, size in sizes.items():
                self.assertEqual(results["n-samples"][task]["original"], size, task)
        self.assertEqual([row["name"] for row in self.json("list", "--json", env=self.env)], ["data:" + task for task in sorted(SETS)])

    def test_all_training_splits(self):
        out = self.output("pull", "data:all:train", env=self.env).decode().splitlines()
        self.assertEqual(out, [os.path.join(self.folder, task) for task in sorted(TASKS)])
        for task, (_, data, name) in TRAINING.items():
            self.assertEqual(self.read_rows(task, name), data, task)
            self.assertEqual(os.listdir(os.path.join(self.folder, task)), [name])  # the scored splits are data:TASK's
        self.hub.requests.clear()
        self.output("pull", "data:all:train", env=self.env)
        self.output("pull", "data:all:train", "--offline", env=self.env)
        self.assertEqual(self.hub.requests, [])
        listed = self.json("list", "--json", env=self.env)
        self.assertEqual([(row["name"], row["complete"], row["files"]) for row in listed], [(f"data:{task}:train", True, 1) for task in sorted(TASKS)])
        # They are no questions.
        self.fails(3, "eval", self.model, "-t", "piqa", says=["piqa", "tinyllm pull data:piqa`"], env=self.env)
        self.fails(3, "eval", self.model, "-t", "all", env=self.env)
        self.fails(3, "pull", "data:piqa", "--offline", says="data:piqa: ", env=self.env)

    def test_both_beside_each_other(self):
        pulled = self.json("pull", "data:arc_challenge", "data:arc_challenge:train", "--json", env=self.env)["pulled"]
        self.assertEqual([(one["name"], [(file["name"], file["rows"]) for file in one["files"]]) for one in pulled],
                         [("data:arc_challenge", [("ARC-Challenge-Test.jsonl", 1172), ("ARC-Challenge-Dev.jsonl", 299)]),
                          ("data:arc_challenge:train", [("ARC-Challenge-Train.jsonl", 1119)])])

        def listed():
            return [(row["name"], row["files"]) for row in self.json("list", "--json", env=self.env)]

        self.assertEqual(listed(), [("data:arc_challenge", 2), ("data:arc_challenge:train", 1)])
        self.assertIn(b"removed data:arc_challenge:train: 1 file,", self.output("rm", "data:arc_challenge:train", env=self.env))
        self.assertEqual(listed(), [("data:arc_challenge", 2)])
        self.fails(3, "rm", "data:arc_challenge:train", says=["data:arc_challenge:train", "ARC-Challenge-Train.jsonl"], env=self.env)
        self.output("pull", "data:arc_challenge:train", env=self.env)
        self.assertIn(b"removed data:arc_challenge: 3 files,", self.output("rm", "data:arc_challenge", env=self.env))
        self.assertEqual(listed(), [])
        # The training file alone: nothing remains of its folder.
        self.output("pull", "data:arc_challenge:train", env=self.env)
        self.output("rm", "data:arc_challenge:train", env=self.env)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "arc_challenge")))
        for name in ("data:arc_challenge:test", "data:mmlu:train", "data::train", "data:train"):
            self.fails(2, "pull", name, env=self.env)
            self.fails(2, "rm", name, env=self.env)

    def test_training_split_with_faults(self):
        path = os.path.join(self.folder, "arc_challenge", "ARC-Challenge-Train.jsonl")
        self.fails(3, "pull", "data:arc_challenge:train", "--offline", says=["data:arc_challenge:train", "HF_HUB_OFFLINE"], env=self.env)
        # Stopped behind row 299, in the middle of a line; gone on with by a server that is busy and cuts connections.
        self.fault("split=train&offset=300", hub_server.status(404))
        self.fails(3, "pull", "data:arc_challenge:train", says=["data:arc_challenge", "train", "404"], env=self.env)
        with open(path + ".incomplete", "ab") as file:
            file.write(b'{"id": ')
        state, = self.json("list", "--json", env=self.env)
        self.assertEqual((state["name"], state["complete"], state["missing"]), ("data:arc_challenge:train", False, ["ARC-Challenge-Train.jsonl"]))
        self.assertGreater(state["resumable_bytes"], 0)
        self.fails(3, "pull", "data:arc_challenge:train", "--offline", says="ARC-Challenge-Train.jsonl is not there", env=self.env)
        self.fault("offset=300", hub_server.status(429, Retry_After=1))
        self.fault("offset=500", hub_server.cut_after(1000), times=2)
        self.fault("offset=700", hub_server.status(503))
        self.hub.requests.clear()
        file, = self.json("pull", "data:arc_challenge:train", "--json", env=self.env)["pulled"][0]["files"]
        self.assertEqual((file["rows"], file["downloaded"]), (1119, 819))
        self.assertIn("offset=300", self.hub.asked("hub")[0][0])
        self.assertEqual(len(self.hub.asked("hub", "split=train")), 9 + 4)
        self.assertEqual(self.read_rows("arc_challenge", "ARC-Challenge-Train.jsonl"), TRAINING["arc_challenge"][1])
        self.assertEqual(os.listdir(os.path.dirname(path)), [os.path.basename(path)])

    def test_training_rows_that_are_wrong(self):
        key, good, name = TRAINING["arc_challenge"]

        def refused(*says):
            self.fails(7, "pull", "data:arc_challenge:train", says=["data:arc_challenge", "train", *says], env=self.env)
            self.assertFalse(os.path.exists(os.path.join(self.folder, "arc_challenge", name)))

        self.hub.data[key] = good[:-1]
        refused("1119", "1118")
        self.hub.data[key] = good + good[:1]
        refused("1119", "1120")
        self.hub.data[key] = good[:205] + [{**good[205], "answerKey": "E"}] + good[206:]
        refused("row 205", "answerKey")
        self.hub.data[key] = good[:205] + [piqa(205)] + good[206:]
        refused("row 205", "arc_challenge")
        self.hub.data[key] = good
        self.output("pull", "data:arc_challenge:train", env=self.env)
        self.assertEqual(self.read_rows("arc_challenge", name), good)

    def test_eval_draws_from_it(self):
        """Rows by their numbers, as Python's generator draws them for each question in turn."""
        def contexts(task, out):
            with open(os.path.join(out, f"samples_{task}.jsonl"), encoding="utf-8", newline="\n") as file:
                return [json.loads(line)["arguments"]["gen_args_0"]["arg_0"] for line in file]

        def evaluate(task, out):
            done = self.run_command("eval", self.model, "-t", task, "-f", 2, "-L", 4, "-s", "-o", out, env=self.env)
            self.assertEqual(done.returncode, 0, done.stderr.decode())
            with open(os.path.join(out, "results.json"), encoding="utf-8") as file:
                return json.load(file)["configs"][task]["examples_file"], done.stderr.decode()

        shown = {"arc_easy": lambda row: f"Question: {row['question']}\nAnswer: {row['choices']['text'][row['choices']['label'].index(row['answerKey'])]}\n\n",
                 "piqa": lambda row: f"Question: {row['goal']}\nAnswer: {[row['sol1'], row['sol2']][row['label']]}\n\n"}
        for task, more in (("arc_easy", 0), ("piqa", 1)):  # without a test split a row more is drawn
            out = os.path.join(self.home, task)
            self.output("pull", f"data:{task}", env=self.env)
            file, said = evaluate(task, out)
            self.assertNotIn("rain", os.path.basename(file))
            self.assertIn(f"`tinyllm pull data:{task}:train` fetches it", said)
            self.output("pull", f"data:{task}:train", env=self.env)
            file, said = evaluate(task, out)
            self.assertEqual(file, os.path.join(self.folder, task, TRAINING[task][2]))
            self.assertNotIn("training", said)
            draw, data = random.Random(1234), TRAINING[task][1]
            for context in contexts(task, out):
                drawn = draw.sample(range(len(data)), 2 + more)[:2]
                self.assertTrue(context.startswith("".join(shown[task](data[i]) for i in drawn)), context)

    def test_resumes(self):
        self.fault("offset=300", hub_server.status(404))
        self.fails(3, "pull", "data:arc_challenge", says=["data:arc_challenge", "404"], env=self.env)
        path = os.path.join(self.folder, "arc_challenge", "ARC-Challenge-Test.jsonl")
        self.assertFalse(os.path.exists(path))
        with open(path + ".incomplete", "ab") as file:
            file.write(b'{"half": ')  # as a kill in the middle of a line leaves it
        state, = self.json("list", "--json", env=self.env)
        self.assertFalse(state["complete"])
        self.assertGreater(state["resumable_bytes"], 0)
        self.hub.requests.clear()
        pulled = self.json("pull", "data:arc_challenge", "--json", env=self.env)["pulled"][0]
        self.assertIn("offset=300", self.hub.asked("hub")[0][0])
        self.assertEqual([(f["rows"], f["downloaded"]) for f in pulled["files"]], [(1172, 872), (299, 299)])
        self.assertEqual(self.read_rows("arc_challenge", "ARC-Challenge-Test.jsonl"), SETS["arc_challenge"]["allenai/ai2_arc", "ARC-Challenge", "test"][0])

    def test_busy(self):
        self.fault("rows", hub_server.status(429, Retry_After=1))
        self.fault("rows", hub_server.status(500), times=2)
        self.output("pull", "data:winogrande", env=self.env)

    def test_rows_that_are_wrong(self):
        key = ("baber/piqa", "default", "validation")
        good = list(self.hub.data[key])

        def refused(*says):
            self.fails(7, "pull", "data:piqa", says=["data:piqa", *says], env=self.env)
            self.assertFalse(os.path.exists(os.path.join(self.folder, "piqa", "valid.jsonl")))

        self.hub.data[key] = good[:-1]
        refused("1838", "1837")
        self.hub.data[key] = good + good[:1]
        refused("1838", "1839")
        for bad in ({"goal": "g", "sol1": "s", "label": 0}, {"goal": 1, "sol1": "s", "sol2": "t", "label": 0}, {"goal": "g", "sol1": "s", "sol2": "t", "label": 7},
                    {"goal": "g", "sol1": "s", "sol2": "t", "label": -1}, [], None):
            self.hub.data[key] = good[:5] + [bad] + good[6:]
            refused("row 5")
        self.hub.data[key] = good
        page = {"features": [], "num_rows_total": 1838, "rows": [{"row_idx": i, "row": row, "truncated_cells": []} for i, row in enumerate(good[:100])]}
        for change in ({"rows": page["rows"][:99]}, {"rows": page["rows"] + page["rows"][:1]}, {"rows": page["rows"][::-1]}, {"rows": {}}, {"num_rows_total": "x"},
                       {"rows": page["rows"][:99] + [{**page["rows"][99], "truncated_cells": ["goal"]}]}):
            self.fault("rows", hub_server.instead(json.dumps({**page, **change}).encode()))
            refused()
        for answer in (b"", b"[]", b"<html>"):
            self.fault("rows", hub_server.instead(answer))
            refused()
        self.output("pull", "data:piqa", env=self.env)
        self.assertEqual(self.read_rows("piqa", "valid.jsonl"), good)

    def test_offline_and_unknown(self):
        self.fails(3, "pull", "data:piqa", "--offline", says=["data:piqa", "HF_HUB_OFFLINE"], env=self.env)
        self.fails(2, "pull", "data:mmlu", says=["mmlu", "winogrande"], env=self.env)
        self.assertEqual(self.hub.requests, [])
        self.output("pull", "data:winogrande", env=self.env)
        self.output("pull", "data:winogrande", env={**self.env, "HF_HUB_OFFLINE": "true"})

    def test_eval_without_data_says_what_to_do(self):
        self.fails(2, "eval", self.model, "-t", "piqa", says=["--data", "tinyllm pull data:piqa"], env=self.env)

    def test_cache_of_its_own(self):
        env = {**self.env, "TINYLLM_CACHE": os.path.join(self.home, "own")}
        out = self.output("pull", "data:winogrande", env=env).decode()
        self.assertEqual(out, os.path.join(self.home, "own", "assets", "tinyllm", "data", "winogrande") + "\n")


if __name__ == "__main__":
    harness.main()
