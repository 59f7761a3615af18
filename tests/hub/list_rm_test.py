"""tinyllm list and rm: what the cache holds, whoever filled it, and what goes with a removal."""
import fcntl
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import harness
import hub_server

ONE, TWO = "1" * 40, "2" * 40


class ListRmTest(harness.CommandTest):
    def setUp(self):
        self.home = tempfile.mkdtemp(dir=self.scratch.name)
        self.cache = os.path.join(self.home, "hub")
        self.env = {"HF_HOME": self.home, "HF_HUB_CACHE": "", "TINYLLM_CACHE": ""}
        self.repository = os.path.join(self.cache, "models--our--tiny")
        # Two commits that share their weights: config.json differs.
        self.put(ONE, "config.json", "c1", b"1" * 10)
        self.put(ONE, "model.safetensors", "w", b"w" * 1000)
        self.put(TWO, "config.json", "c2", b"2" * 20)
        self.put(TWO, "model.safetensors", "w", b"w" * 1000)
        self.put(TWO, "onnx/model.onnx", "o", b"o" * 300)
        self.ref("main", TWO)
        self.ref("v1", ONE)

    def write_file(self, path, data):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)

    def put(self, commit, name, blob, data):
        self.write_file(os.path.join(self.repository, "blobs", blob), data)
        link = os.path.join(self.repository, "snapshots", commit, name)
        os.makedirs(os.path.dirname(link), exist_ok=True)
        os.symlink("../" * (2 + name.count("/")) + "blobs/" + blob, link)

    def ref(self, name, commit):
        self.write_file(os.path.join(self.repository, "refs", name), commit.encode())

    def rows(self):
        return self.json("list", "--json", env=self.env)

    def blobs(self):
        return sorted(os.listdir(os.path.join(self.repository, "blobs")))

    def rm(self, *names):
        return self.output("rm", *names, env=self.env).decode()

    def test_list(self):
        one, two = self.rows()
        self.assertEqual((one["name"], one["revision"], one["commit"], one["bytes"], one["files"], one["complete"]), ("our/tiny", "v1", ONE, 1010, 2, True))
        self.assertEqual((two["revision"], two["commit"], two["bytes"], two["complete"]), ("main", TWO, 1320, True))
        self.assertEqual(two["path"], os.path.join(self.repository, "snapshots", TWO))
        table = self.output("list", env=self.env).decode()
        for word in ("our/tiny", "main", "v1", ONE[:12], "complete"):
            self.assertIn(word, table)

    def test_list_of_nothing(self):
        self.assertEqual(self.json("list", "--json", env={**self.env, "HF_HOME": os.path.join(self.home, "none")}), [])

    def test_what_is_not_whole(self):
        os.remove(os.path.join(self.repository, "blobs", "w"))
        self.write_file(os.path.join(self.repository, "blobs", "w.incomplete"), b"w" * 400)
        one, two = self.rows()
        self.assertEqual((one["complete"], one["missing"], one["resumable_bytes"]), (False, ["model.safetensors"], 400))
        self.assertEqual(two["missing"], ["model.safetensors"])
        self.assertIn("lacks model.safetensors; a download can go on", self.output("list", env=self.env).decode())

    def test_shards(self):
        folder = os.path.join(self.cache, "models--our--shards", "snapshots", ONE)
        index = {"weight_map": {"a": "s1.safetensors", "b": "s2.safetensors"}}
        self.write_file(os.path.join(folder, "model.safetensors.index.json"), json.dumps(index).encode())
        self.write_file(os.path.join(folder, "s1.safetensors"), b"s")
        row = self.rows()[0]
        self.assertEqual((row["name"], row["revision"], row["missing"]), ("our/shards", None, ["s2.safetensors", "config.json"]))
        for bad in (b"", b"[]", b'{"weight_map": [1]}', b'{"weight_map": {"a": 1}}'):
            self.write_file(os.path.join(folder, "model.safetensors.index.json"), bad)
            self.assertEqual(self.rows()[0]["missing"][0], "model.safetensors.index.json")

    def test_rm_of_all(self):
        self.assertEqual(self.rm("our/tiny"), "removed our/tiny: 4 files, 0.0 MB freed\n")
        self.assertFalse(os.path.exists(self.repository))
        self.fails(3, "rm", "our/tiny", says="our/tiny", env=self.env)

    def test_rm_of_a_revision(self):
        result = self.json("rm", "our/tiny@main", "--json", env=self.env)
        self.assertEqual(result, [{"name": "our/tiny@main", "revisions": [TWO], "files": 2, "bytes": 320}])
        self.assertEqual(self.blobs(), ["c1", "w"])
        self.assertEqual(os.listdir(os.path.join(self.repository, "refs")), ["v1"])
        self.assertEqual([row["commit"] for row in self.rows()], [ONE])
        self.rm(f"our/tiny@{ONE}")  # the last one: nothing remains
        self.assertFalse(os.path.exists(self.repository))

    def test_rm_of_a_branch_beside_another(self):
        self.ref("latest", TWO)
        self.assertEqual(self.rm("our/tiny@latest"), "removed our/tiny@latest: 0 files, 0.0 MB freed\n")
        self.assertEqual(len(self.rows()), 2)
        self.rm(f"our/tiny@{TWO}")  # by its commit: with all branches that stand there
        self.assertEqual(os.listdir(os.path.join(self.repository, "refs")), ["v1"])

    def test_rm_of_what_is_not_there(self):
        self.fails(3, "rm", "our/tiny@v9", says=["our/tiny@v9", self.repository], env=self.env)
        self.fails(3, "rm", "data:piqa", says="data:piqa", env=self.env)
        for name in ("tiny", "../tiny", "our/..", "our/tiny@../..", "/etc/passwd", "data:../x", ""):
            done = self.run_command("rm", name, env=self.env)
            self.assertEqual(done.returncode, 2, (name, done.stderr))
        self.assertEqual(len(self.rows()), 2)

    def test_rm_leaves_what_is_outside(self):
        outside = os.path.join(self.home, "outside")
        self.write_file(os.path.join(outside, "snapshots", ONE, "config.json"), b"{}")
        self.write_file(os.path.join(outside, "keep"), b"keep")
        os.symlink(outside, os.path.join(self.cache, "models--our--link"))
        self.fails(7, "rm", "our/link", says="link", env=self.env)
        os.symlink(outside, os.path.join(self.repository, ".no_exist"))
        self.fails(7, "rm", "our/tiny", says=".no_exist", env=self.env)
        os.remove(os.path.join(self.repository, ".no_exist"))
        os.symlink(outside, os.path.join(self.repository, "snapshots", ONE, "folder"))
        os.symlink(os.path.join(outside, "keep"), os.path.join(self.repository, "snapshots", ONE, "file"))
        self.rm("our/tiny")
        with open(os.path.join(outside, "keep")) as file:
            self.assertEqual(file.read(), "keep")

    def test_rm_while_a_pull_runs(self):
        gate = os.path.join(self.cache, ".locks", "models--our--tiny", "tinyllm.lock")
        self.write_file(gate, b"")
        with open(gate) as file:
            fcntl.flock(file, fcntl.LOCK_SH)  # as a pull does
            self.fails(1, "rm", "our/tiny", says="running", env=self.env)
        self.rm("our/tiny")

    def test_rm_of_several(self):
        folder = os.path.join(self.home, "assets", "tinyllm", "data", "piqa")
        self.write_file(os.path.join(folder, "valid.jsonl"), b"{}\n")
        row = self.rows()[-1]
        self.assertEqual((row["name"], row["bytes"], row["complete"]), ("data:piqa", 3, True))
        self.assertEqual(len(self.rm("our/tiny", "data:piqa").splitlines()), 2)
        self.assertFalse(os.path.exists(folder))
        self.assertEqual(self.rows(), [])
        self.setUp()
        done = self.run_command("rm", "our/tiny", "our/none", env=self.env)
        self.assertEqual((done.returncode, done.stdout), (3, b"removed our/tiny: 4 files, 0.0 MB freed\n"))


class HuggingfaceHubTest(harness.CommandTest):
    """The cache that `pull` writes is the one that huggingface_hub reads."""

    PYTHON = "/opt/oracle/venv/bin/python"

    def test_cache_is_readable(self):
        python = next((p for p in (sys.executable, self.PYTHON) if os.path.exists(p) and
                       subprocess.run([p, "-c", "import huggingface_hub"], capture_output=True, check=False).returncode == 0), None)
        if python is None:
            self.skipTest("no huggingface_hub")
        if b"pull" not in self.output("--help"):
            self.skipTest("built without libcurl")
        files = {}
        for name in os.listdir(self.model):
            with open(os.path.join(self.model, name), "rb") as file:
                files[name] = file.read()
        home = self.path("hf")
        with hub_server.Hub() as hub:
            hub.models["our/tiny"] = hub_server.Model({**files, "onnx/m.onnx": b"x" * 5000})
            env = {"HF_HOME": home, "HF_HUB_CACHE": "", "HF_ENDPOINT": hub.url, "HF_TOKEN": "", "no_proxy": "*"}
            path = self.output("pull", "our/tiny", "--file", "*", env=env).decode().strip()
        script = """
import json, sys
from huggingface_hub import scan_cache_dir, snapshot_download, try_to_load_from_cache
cache = sys.argv[1]
info = scan_cache_dir(cache)
repo, = info.repos
revision, = repo.revisions
print(json.dumps({
    "warnings": [str(w) for w in info.warnings], "id": repo.repo_id, "size": repo.size_on_disk, "commit": revision.commit_hash,
    "refs": sorted(revision.refs), "files": sorted(str(f.file_path.relative_to(revision.snapshot_path)) for f in revision.files),
    "snapshot": snapshot_download("our/tiny", cache_dir=cache, local_files_only=True),
    "config": try_to_load_from_cache("our/tiny", "config.json", cache_dir=cache)}))
"""
        cache = os.path.join(home, "hub")
        done = subprocess.run([python, "-c", script, cache], capture_output=True, check=False, env={**os.environ, "HF_HUB_OFFLINE": "1"})
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        seen = json.loads(done.stdout)
        self.assertEqual(seen, {"warnings": [], "id": "our/tiny", "size": sum(map(len, files.values())) + 5000, "commit": ONE, "refs": ["main"],
                                "files": sorted([*files, "onnx/m.onnx"]), "snapshot": path, "config": os.path.join(path, "config.json")})


if __name__ == "__main__":
    harness.main()
