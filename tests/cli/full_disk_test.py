"""pull, eval, study and study report on a disk that is full: one line and the exit code, nothing lost, and on they go once there is room."""
import csv
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hub"))
import harness
import hub_server

NO_SPACE = "No space left on device"
ANSWER = ("scores", "greedy", "prediction", "prediction_norm", "gold", "cut", "tokens")  # the same bits whenever it is given
WINOGRANDE = ("allenai/winogrande", "winogrande_xl", "validation")


def where_it_may_mount():
    """Runs this script again with mounts of its own, which are gone with it; status 77 where that cannot be."""
    if "IN_OWN_MOUNTS" in os.environ:
        return
    for rights in ([], ["--map-root-user"]):
        unshare = ["unshare", "--mount", *rights]
        with tempfile.TemporaryDirectory() as folder:
            try:
                may = subprocess.run([*unshare, "mount", "-t", "tmpfs", "none", folder], capture_output=True, check=False).returncode == 0
            except OSError:
                may = False
        if may:
            os.execvpe("unshare", [*unshare, sys.executable, *sys.argv], {**os.environ, "IN_OWN_MOUNTS": "1"})
    print("skipped: no file system can be mounted")
    sys.exit(77)


def files_of(folder):
    """{path: bytes} of all below."""
    found = {}
    for root, _, names in os.walk(folder):
        for path in (os.path.join(root, name) for name in names):
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


def answers(folder):
    """{journal: {question: answer}}; no question stands twice."""
    found = {}
    for name, text in files_of(os.path.join(folder, "journal")).items():
        lines = [json.loads(line) for line in text.splitlines()]
        numbered = {line["i"]: [line[key] for key in ANSWER] for line in lines if "i" in line}
        assert len(numbered) == sum("i" in line for line in lines), name
        found[name] = numbered
    return found


class FullDiskTest(harness.CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.makedirs(cls.path("data"))
        cls.write("data/valid.jsonl", "".join(json.dumps({"goal": f"Goal {i}", "sol1": "one", "sol2": "the other", "label": i % 2}) + "\n" for i in range(30)))

    def setUp(self):
        self.disk = tempfile.mkdtemp(dir=self.scratch.name)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", self.disk], check=True)
        self.addCleanup(subprocess.run, ["umount", self.disk], check=True)

    def resize(self, **options):
        """size (in bytes), nr_inodes; the other stays. What mount would add by itself, the owner, a user's own mounts refuse."""
        what = ",".join(f"{key}={value}" for key, value in options.items())
        subprocess.run(["mount", "--options-mode", "ignore", "-o", f"remount,{what}", self.disk], check=True)

    def on_disk(self, *parts):
        return os.path.join(self.disk, *parts)

    def fill(self):
        with open(self.on_disk("filler"), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"f" * 4096)
            except OSError:
                pass
        self.assertEqual(os.statvfs(self.disk).f_bavail, 0)

    def make_room(self):
        os.remove(self.on_disk("filler"))

    # --- eval

    def evaluate(self, *more):
        return self.run_command("eval", self.model, "-t", "piqa", "--data", self.path("data"), "--json", "-o", self.on_disk("eval"), *more)

    def test_eval(self):
        self.assertEqual(self.evaluate("-s", "-L", 10).returncode, 0)
        before = files_of(self.on_disk("eval"))
        self.assertEqual(sorted(before), ["results.json", "samples_piqa.jsonl"])
        self.fill()
        for more in ([], ["-s"]):
            done = self.evaluate("-L", 20, *more)
            said = done.stderr.decode().splitlines()
            self.assertEqual((done.returncode, len(said)), (1, 1), said)
            self.assertIn(self.on_disk("eval"), said[0])
            self.assertIn(NO_SPACE, said[0])
            # What was computed is printed all the same, and what was there is there.
            self.assertEqual(json.loads(done.stdout)["n-samples"]["piqa"]["effective"], 20)
            self.assertEqual(files_of(self.on_disk("eval")), before)
        self.make_room()
        self.assertEqual(self.evaluate("-L", 20).returncode, 0)
        self.assertEqual(json.loads(files_of(self.on_disk("eval"))["results.json"])["n-samples"]["piqa"]["effective"], 20)

    def test_eval_where_no_file_can_be_made(self):
        self.resize(nr_inodes=1)  # the root's own
        self.fails(1, "eval", self.model, "-t", "piqa", "--data", self.path("data"), "--json", "-o", self.on_disk("eval"), says=[self.on_disk("eval"), NO_SPACE])

    # --- study

    def study(self, *more, out):
        return ["study", "--models", self.model, "--data", self.path("data"), "--tasks", "piqa", "--types", "f32,q8_0", "--protocol", "lm-eval", "-q", "-o", out, *more]

    def test_study_goes_on(self):
        whole = self.path("whole")
        self.output(*self.study(out=whole))
        expected = answers(whole)
        self.assertEqual([len(numbered) for numbered in expected.values()], [30, 30])
        out, said, kept = self.on_disk("study"), [], {}
        for pages in range(1, 400):
            self.resize(size=4096 * pages)
            done = self.run_command(*self.study(out=out))
            lines = done.stderr.decode().splitlines()
            if done.returncode == 0:
                break
            self.assertEqual((done.returncode, len(lines), done.stdout), (1, 1, b""), lines)
            self.assertIn(NO_SPACE, lines[0])
            self.assertTrue(lines[0].startswith(f"tinyllm: {out}/"), lines)
            said.append(os.path.relpath(lines[0].split(": ")[1], out))
            # Whole lines of the journals stay.
            files = files_of(out)
            for name, text in kept.items():
                self.assertTrue(files[name].startswith(text), name)
            kept = {name: text[:text.rfind(b"\n") + 1] for name, text in files.items() if name.startswith("journal/")}
            self.assertEqual([name for name in files if name.endswith(".tmp")], [])
        self.assertEqual(done.returncode, 0)
        self.assertEqual(answers(out), expected)
        # It was stopped while it answered and while it reported.
        self.assertLessEqual({"journal", "results.json", "report.html"}, {os.path.dirname(path) or path for path in said}, said)

    def test_study_where_no_file_can_be_made(self):
        out, done = self.on_disk("study"), None
        for inodes in range(1, 40):
            self.resize(nr_inodes=inodes)
            done = self.run_command(*self.study(out=out))
            lines = done.stderr.decode().splitlines()
            if done.returncode == 0:
                break
            self.assertEqual((done.returncode, len(lines), done.stdout), (1, 1, b""), lines)
            self.assertIn(NO_SPACE, lines[0])
        self.assertEqual(done.returncode, 0)
        self.assertGreater(inodes, 8)
        with open(os.path.join(out, "results.csv"), newline="", encoding="utf-8") as file:
            self.assertEqual([(row["status"], row["n"]) for row in csv.DictReader(file)], [("ok", "30")] * 2)

    def test_report(self):
        out = self.on_disk("study")
        self.output(*self.study(out=out))
        before = files_of(out)
        self.fill()
        self.fails(1, "study", "report", out, "-q", says=[os.path.join(out, "results.json"), NO_SPACE])
        self.fails(1, *self.study("-L", 20, out=out), says=[os.path.join(out, "study.json"), NO_SPACE])
        self.assertEqual(files_of(out), before)
        # Room for some of the files: each is the old one or the new one, whole.
        os.truncate(self.on_disk("filler"), os.path.getsize(self.on_disk("filler")) - 40960)
        self.fails(1, "study", "report", out, "-q", says=NO_SPACE)
        now = files_of(out)
        self.assertEqual(sorted(now), sorted(before))
        self.assertEqual({name for name in now if now[name] != before[name]} - {"results.json", "results.csv", "results.md", "results.tex"}, set())
        json.loads(now["results.json"])
        self.make_room()
        self.output("study", "report", out, "-q")

    # --- pull

    def hub_env(self, hub):
        if b"pull" not in subprocess.run([harness.COMMAND, "--help"], capture_output=True, check=True).stdout:
            self.skipTest("built without libcurl")
        return {"HF_HOME": self.on_disk("hf"), "HF_HUB_CACHE": "", "HF_ASSETS_CACHE": "", "HF_HUB_OFFLINE": "", "HF_TOKEN": "", "no_proxy": "*", "HF_ENDPOINT": hub.url,
                "TINYLLM_ROWS_ENDPOINT": hub.url, "TINYLLM_RETRY_DELAY": "0.01"}

    def pulls_in_the_end(self, name, sizes, env):
        """Pulls as the disk grows. The number of pulls that failed; all of them in one line that says why."""
        for failed, options in enumerate(sizes):
            self.resize(**options)
            done = self.run_command("pull", name, env=env)
            if done.returncode == 0:
                return failed
            lines = done.stderr.decode().splitlines()
            self.assertEqual((done.returncode, len(lines), done.stdout), (3, 1, b""), (options, lines))
            self.assertTrue(NO_SPACE in lines[0] or "MB free" in lines[0], lines)
        return self.fail(f"{options} are not enough")

    def test_pull_of_a_model(self):
        with hub_server.Hub() as hub:
            env, before = self.hub_env(hub), files_of(self.model)
            hub.models["our/tiny"] = hub_server.Model(before)
            for sizes in ([{"nr_inodes": n} for n in range(1, 60)], [{"size": 4096 * n} for n in range(1, 60)]):
                self.assertGreater(self.pulls_in_the_end("our/tiny", sizes, env), 10)
                path = self.output("pull", "our/tiny", "--offline", env=env).decode().strip()
                self.assertEqual(files_of(path), before)
                self.output("rm", "our/tiny", env=env)

    def test_pull_of_questions(self):
        with hub_server.Hub() as hub:
            env = self.hub_env(hub)
            hub.data[WINOGRANDE] = [{"sentence": f"The {i} is near _ today.", "option1": "a", "option2": "bb", "answer": "12"[i % 2]} for i in range(1267)]
            for sizes in ([{"nr_inodes": n} for n in range(1, 40)], [{"size": 8192 * n} for n in range(1, 40)]):
                self.assertGreater(self.pulls_in_the_end("data:winogrande", sizes, env), 5)
                with open(self.on_disk("hf", "assets", "tinyllm", "data", "winogrande", "dev.jsonl"), encoding="utf-8") as file:
                    self.assertEqual([json.loads(line) for line in file], hub.data[WINOGRANDE])
                self.output("rm", "data:winogrande", env=env)


if __name__ == "__main__":
    where_it_may_mount()
    harness.main()
