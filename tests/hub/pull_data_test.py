"""tinyllm pull data:TASK against a rows API of our own, and eval on what it fetched."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import harness
import hub_server


def arc(i):
    labels = "1234" if i % 7 == 0 else "ABCD"
    return {"id": f"q{i}", "question": f"Which is {i}?\u2028", "choices": {"text": [f"c{i}{k}" for k in range(4)], "label": list(labels)}, "answerKey": labels[i % 4]}


def rows(make, count):
    return [make(i) for i in range(count)]


# {task: {(data set, configuration, split): (rows, the release's file name)}}, with the columns and sizes of the hub's data sets.
SETS = {
    "arc_easy": {("allenai/ai2_arc", "ARC-Easy", "test"): (rows(arc, 2376), "ARC-Easy-Test.jsonl"),
                 ("allenai/ai2_arc", "ARC-Easy", "validation"): (rows(arc, 570), "ARC-Easy-Dev.jsonl")},
    "arc_challenge": {("allenai/ai2_arc", "ARC-Challenge", "test"): (rows(arc, 1172), "ARC-Challenge-Test.jsonl"),
                      ("allenai/ai2_arc", "ARC-Challenge", "validation"): (rows(arc, 299), "ARC-Challenge-Dev.jsonl")},
    "openbookqa": {("allenai/openbookqa", "main", split): (rows(lambda i: {"id": f"o{i}", "question_stem": f"stem {i}", "choices": arc(1)["choices"],
                                                                             "answerKey": "ABCD"[i % 4]}, 500), name)
                   for split, name in (("test", "test.jsonl"), ("validation", "dev.jsonl"))},
    "boolq": {("aps/super_glue", "boolq", "validation"): (rows(lambda i: {"question": f"is it {i}", "passage": f"T -- It is {i}.", "idx": i, "label": i % 2}, 3270),
                                                          "val.jsonl")},
    "piqa": {("baber/piqa", "default", "validation"): (rows(lambda i: {"goal": f"goal {i}", "sol1": "one ", "sol2": "two", "label": i % 2}, 1838), "valid.jsonl")},
    "social_iqa": {("lighteval/siqa", "default", "validation"): (rows(lambda i: {"context": f"c {i}", "question": "q?", "answerA": "a", "answerB": "b", "answerC": "c",
                                                                                 "label": str(i % 3 + 1)}, 1954), "dev.jsonl")},
    "winogrande": {("allenai/winogrande", "winogrande_xl", "validation"): (rows(lambda i: {"sentence": f"The _ is {i}.", "option1": "x", "option2": "y",
                                                                                           "answer": str(i % 2 + 1)}, 1267), "dev.jsonl")},
    "hellaswag": {("Rowan/hellaswag", "default", "validation"): (rows(lambda i: {"ind": i, "activity_label": "Act", "ctx_a": "A man.", "ctx_b": "he", "ctx": "A man. he",
                                                                                 "endings": ["a", "b", "c", "d"], "source_id": "s", "split": "val", "split_type": "x",
                                                                                 "label": str(i % 4)}, 10042), "hellaswag_val.jsonl")},
}


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
        for sets in SETS.values():
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
