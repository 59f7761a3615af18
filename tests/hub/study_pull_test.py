"""tinyllm study --pull on a study's file that names no data: the model and the questions come from a hub of our own, and are answered."""
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import harness
import hub_server

WINOGRANDE = ("allenai/winogrande", "winogrande_xl", "validation")
PIQA = ("baber/piqa", "default", "validation")
STUDY = """title: What is not here yet
models: [our/tiny]
tasks: [winogrande, piqa]
types: [f32]
protocol: [lm-eval]
limit: 3
"""


class StudyPullTest(harness.CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if b"pull" not in subprocess.run([harness.COMMAND, "--help"], capture_output=True, check=True).stdout:
            print("built without libcurl")
            sys.exit(77)
        cls.files = {}
        for name in os.listdir(cls.model):
            with open(os.path.join(cls.model, name), "rb") as file:
                cls.files[name] = file.read()

    def setUp(self):
        self.hub = hub_server.Hub().__enter__()
        self.addCleanup(self.hub.__exit__)
        self.hub.models["our/tiny"] = hub_server.Model(self.files)
        self.hub.data[WINOGRANDE] = [{"sentence": f"The {i} is near _ today.", "option1": "a", "option2": "bb", "answer": "12"[i % 2]} for i in range(1267)]
        self.hub.data[PIQA] = [{"goal": f"Goal {i}", "sol1": "one", "sol2": "the other", "label": i % 2} for i in range(1838)]
        self.home = tempfile.mkdtemp(dir=self.scratch.name)
        self.out = os.path.join(self.home, "results")
        self.file = os.path.join(self.home, "study.yaml")
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(STUDY)
        self.env = {"HF_HOME": self.home, "HF_HUB_CACHE": "", "HF_ASSETS_CACHE": "", "HF_HUB_OFFLINE": "", "HF_TOKEN": "", "no_proxy": "*", "HF_ENDPOINT": self.hub.url,
                    "TINYLLM_ROWS_ENDPOINT": self.hub.url}

    def study(self, *more, code=0, env=None):
        """What it says."""
        done = self.run_command("study", self.file, "-o", self.out, *more, env={**self.env, **(env or {})})
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return done.stderr.decode()

    def cells(self):
        """{task: (status, reason, questions)}"""
        with open(os.path.join(self.out, "results.csv"), newline="", encoding="utf-8") as file:
            return {row["task"]: (row["status"], row["reason"], row["n"]) for row in csv.DictReader(file)}

    def journal(self, task):
        with open(os.path.join(self.out, "journal", f"tiny.f32.lm-eval.{task}.jsonl"), "rb") as file:
            return file.read()

    def test_fetches_and_answers(self):
        said = self.study("--pull")
        for name in ("our/tiny", "data:winogrande", "data:piqa"):
            self.assertIn(f"tinyllm: fetching {name}\n", said)
        self.assertEqual(self.cells(), {"winogrande": ("ok", "", "3"), "piqa": ("ok", "", "3")})
        with open(os.path.join(self.out, "study.json"), encoding="utf-8") as file:
            data = {cell["task"]: cell["data"] for cell in json.load(file)["cells"]}
        folder = os.path.join(self.home, "assets", "tinyllm", "data")
        self.assertEqual(data, {"winogrande": os.path.join(folder, "winogrande", "dev.jsonl"), "piqa": os.path.join(folder, "piqa", "valid.jsonl")})
        self.assertEqual(self.hub.asked("hub", "split=train"), [])  # a study asks without examples
        # All is here now, and all is answered.
        self.hub.requests.clear()
        before = self.journal("winogrande"), self.journal("piqa")
        self.study("--pull")
        self.study(env={"HF_HUB_OFFLINE": "1"})
        self.assertEqual((self.journal("winogrande"), self.journal("piqa")), before)
        self.assertEqual(self.hub.requests, [])

    def test_without_network_it_says_which_pull_is_missing(self):
        no_network = {"HF_ENDPOINT": "http://127.0.0.1:9", "TINYLLM_ROWS_ENDPOINT": "http://127.0.0.1:9"}

        def fails(*says, env=None, more=()):
            said = self.fails(3, "study", self.file, "-o", self.out, *more, says=["no cell can be run", "--pull", *says], env={**self.env, **(env or {})})
            self.assertFalse(os.path.exists(self.out), said)

        fails("our/tiny", "`tinyllm pull our/tiny` fetches it")
        fails("`tinyllm pull our/tiny` fetches it", env={"HF_HUB_OFFLINE": "1"})
        self.fails(2, "study", self.file, "--pull", "-o", self.out, says="HF_HUB_OFFLINE", env={**self.env, "HF_HUB_OFFLINE": "1"})
        # With the model here, the questions are what is missing.
        self.output("pull", "our/tiny", env=self.env)
        fails("winogrande", "`tinyllm pull data:winogrande` fetches it", env=no_network)
        # --pull cannot have them either: each is told, and in the end that nothing can be run.
        self.hub.faults = [hub_server.Fault("/rows", hub_server.status(404), times=100)]
        said = self.study("--pull", code=3).splitlines()
        self.assertEqual(sum("404" in line for line in said), 2, said)
        self.assertIn("`tinyllm pull data:winogrande` fetches it", said[-1])
        self.assertIn("no cell can be run", said[-1])
        self.assertFalse(os.path.exists(self.out))

    def test_what_cannot_be_had_is_skipped(self):
        self.hub.faults = [hub_server.Fault("piqa", hub_server.status(404))]
        said = self.study("--pull")
        self.assertIn("data:piqa", said)
        self.assertIn("404", said)
        status, reason, count = self.cells()["piqa"]
        self.assertEqual((status, count), ("skipped", ""))
        self.assertIn("`tinyllm pull data:piqa` fetches it", reason)
        self.assertEqual(self.cells()["winogrande"], ("ok", "", "3"))
        # The next day it can.
        before = self.journal("winogrande")
        self.hub.requests.clear()
        self.study("--pull")
        self.assertEqual(self.cells(), {"winogrande": ("ok", "", "3"), "piqa": ("ok", "", "3")})
        self.assertEqual(self.journal("winogrande"), before)
        self.assertEqual({path.split("?")[0] for path, _ in self.hub.asked("hub")}, {"/rows"})
        self.assertEqual(self.hub.asked("hub", "winogrande"), [])

    def test_stopped_while_it_fetches(self):
        self.hub.faults = [hub_server.Fault("offset=300", hub_server.status(503, Retry_After=500))]
        env = {k: v for k, v in os.environ.items() if not k.startswith("TINYLLM")}
        study = subprocess.Popen([harness.COMMAND, "study", self.file, "--pull", "-o", self.out], env={**env, **self.env}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while not self.hub.asked("hub", "offset=300"):
            self.assertIsNone(study.poll(), "it ended before it could be stopped")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        time.sleep(0.2)
        study.send_signal(signal.SIGINT)
        said = study.communicate(timeout=60)[1].decode()
        self.assertEqual(study.returncode, 130, said)
        self.assertIn("goes on where it was", said)
        self.assertFalse(os.path.exists(self.out))
        self.study("--pull")
        self.assertEqual(self.cells(), {"winogrande": ("ok", "", "3"), "piqa": ("ok", "", "3")})
        self.assertEqual(len(self.hub.asked("hub", "offset=200&")), 2)  # of each set once


if __name__ == "__main__":
    harness.main()
