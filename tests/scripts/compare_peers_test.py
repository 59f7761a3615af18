"""bench/compare_peers.py: what it asks of a peer, how it pairs rounds, and what becomes of peers that are not there. No timing is judged."""
import json
import os
import stat
import subprocess
import sys
import tempfile
import unittest

ROOT = os.environ.get("TINYLLM_SOURCE_DIR", "")
COMMAND = os.environ.get("TINYLLM", "")
sys.path.insert(0, os.path.join(ROOT, "tests", "cli"))

# Takes 2 ms a token, and writes down what it was asked.
LLAMA_BENCH = """#!{python}
import json, sys
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
with open("{log}", "a") as log:
    log.write(json.dumps(words) + "\\n")
n = max(int(words["-p"]), int(words["-n"]))
print(json.dumps([{{"samples_ns": [n * 2000000] * int(words["-r"])}}]))
"""


class ComparePeersTest(unittest.TestCase):
    def setUp(self):
        import tiny_model
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.model = tiny_model.write_gguf(self.path("model.gguf"))
        self.script(self.path("llama-bench"))

    def path(self, name):
        return os.path.join(self.scratch.name, name)

    def script(self, path):
        with open(path, "w") as file:
            file.write(LLAMA_BENCH.format(python=sys.executable, log=self.path("log")))
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)

    def run_script(self, *words):
        return subprocess.run([sys.executable, os.path.join(ROOT, "bench", "compare_peers.py"), "--tinyllm", COMMAND, self.model, "--work", self.path("work"),
                               "--json", self.path("out.json"), *words], capture_output=True, text=True, timeout=300)

    def rows(self, *words):
        done = self.run_script(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path("out.json")) as file:
            return done.stdout, json.load(file)["rows"]

    def test_a_llama_bench_by_path(self):
        table, rows = self.rows("--peers", "", "--llama-bench", self.path("llama-bench"), "-t", "1", "-p", "8", "-n", "4", "-d", "0,1000", "--rounds", "3", "-r", "2")
        # A depth beyond the model's 96 positions becomes none, as no multiple of 128 fits.
        self.assertEqual({row["what"] for row in rows}, {"pp8 ms", "tg4 ms/token", "load ms", "peak RSS MiB"})
        by_what = {row["what"]: row for row in rows}
        self.assertEqual(by_what["pp8 ms"]["theirs"], "16 [16, 16]")
        self.assertEqual(by_what["tg4 ms/token"]["theirs"], "2 [2, 2]")
        self.assertEqual(len(by_what["pp8 ms"]["ratios"]), 3)
        self.assertEqual(by_what["load ms"]["theirs"], "not reported")
        self.assertIn("| pp8 ms | llama-bench |", table)
        with open(self.path("log")) as log:
            asked = [json.loads(line) for line in log]
        self.assertEqual([(a["-p"], a["-n"], a["-d"], a["-t"], a["-r"]) for a in asked[:2]], [("8", "0", "0", "1", "2"), ("0", "4", "0", "1", "2")])

    def test_peers_that_cannot_run_are_rows_with_the_reason(self):
        _, rows = self.rows("--peers", "transformers-fp32", "--llama-bench", self.path("absent"), "-t", "1", "-p", "8", "-n", "0", "-d", "0", "--rounds", "1", "-r", "1")
        reasons = {(row["peer"], row["what"]): row["theirs"] for row in rows}
        self.assertIn("--folder", reasons["transformers fp32", "all"])
        self.assertIn("absent", reasons["llama-bench", "pp8"])

    def test_bad_words(self):
        for words, says in ((["--peers", "vllm"], "no peer vllm"), (["--peers", "llama-bench"], "--llama-bench"), (["--rounds", "0"], "--rounds")):
            done = self.run_script(*words)
            self.assertEqual(done.returncode, 2)
            self.assertIn(says, done.stderr)


if __name__ == "__main__":
    if not COMMAND:
        sys.exit(77)
    unittest.main()
