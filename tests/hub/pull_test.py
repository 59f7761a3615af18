"""tinyllm pull against a hub of our own: what comes in, what is refused, and what a broken transfer leaves."""
import hashlib
import json
import os
import pty
import random
import resource
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import harness
import hub_server
import tiny_model

TOKEN = "hf_notARealTokenButASecret"
COMMIT = "1" * 40


def read(path):
    with open(path, "rb") as file:
        return file.read()


class PullTest(harness.CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if b"pull" not in subprocess.run([harness.COMMAND, "--help"], capture_output=True, check=True).stdout:
            print("built without libcurl")
            sys.exit(77)
        cls.files = {name: read(os.path.join(cls.model, name)) for name in os.listdir(cls.model)}
        cls.weights = cls.files["model.safetensors"]
        cls.weights_id = hashlib.sha256(cls.weights).hexdigest()
        cls.gguf_bytes = read(cls.gguf)

    def setUp(self):
        self.hub = hub_server.Hub().__enter__()
        self.addCleanup(self.hub.__exit__)
        self.home = tempfile.mkdtemp(dir=self.scratch.name)
        self.cache = os.path.join(self.home, "hub")
        self.repository = os.path.join(self.cache, "models--our--tiny")
        self.snapshot = os.path.join(self.repository, "snapshots", COMMIT)
        self.tiny = self.hub.models["our/tiny"] = hub_server.Model({**self.files, "README.md": b"# Tiny", "onnx/model.onnx": b"x" * 9000})

    def env(self, **more):
        return {"HF_HOME": self.home, "HF_HUB_CACHE": "", "HF_ENDPOINT": self.hub.url, "HF_TOKEN": "", "HF_HUB_OFFLINE": "", "no_proxy": "*", "CURL_CA_BUNDLE": "", "SSL_CERT_FILE": "",
                "TINYLLM_RETRY_DELAY": "0.01", **more}

    def pull(self, *words, code=0, says=(), env=(), **options):
        """Standard output; or with a code the one line."""
        env = self.env(**dict(env))
        if code:
            return self.fails(code, "pull", *words, says=says, env=env, **options)
        done = self.run_command("pull", *words, env=env, **options)
        errors = done.stderr.decode()
        self.assertEqual(done.returncode, 0, errors)
        for word in [says] if isinstance(says, str) else says:
            self.assertIn(word, errors)
        return done.stdout.decode()

    def fault(self, pattern, act, times=1):
        self.hub.faults.append(hub_server.Fault(pattern, act, times))

    def blob(self, name=None):
        return os.path.join(self.repository, "blobs", name or self.weights_id)

    def leave_incomplete(self, data):
        os.makedirs(os.path.join(self.repository, "blobs"), exist_ok=True)
        with open(self.blob() + ".incomplete", "wb") as file:
            file.write(data)

    def check_whole(self):
        for name, data in self.files.items():
            self.assertEqual(read(os.path.join(self.snapshot, name)), data, name)
        self.assertEqual([n for n in os.listdir(os.path.join(self.repository, "blobs")) if n.endswith(".incomplete")], [])

    # What comes in

    def test_layout_and_use(self):
        out = self.pull("our/tiny", says=["left out 2 files", "README.md", "onnx/model.onnx"])
        self.assertEqual(out, self.snapshot + "\n")
        self.check_whole()
        self.assertEqual(sorted(os.listdir(self.snapshot)), sorted(self.files))
        link = os.path.join(self.snapshot, "model.safetensors")
        self.assertEqual(os.readlink(link), f"../../blobs/{self.weights_id}")
        config = os.path.join(self.snapshot, "config.json")
        self.assertEqual(os.readlink(config), "../../blobs/" + hub_server.blob_id(self.files["config.json"]))
        self.assertEqual(read(os.path.join(self.repository, "refs", "main")), COMMIT.encode())
        self.assertEqual(self.hub.asked("hub", "README.md"), [])
        env = self.env(HF_HUB_OFFLINE="1", HF_ENDPOINT="http://127.0.0.1:9")
        self.assertEqual(self.json("info", "our/tiny", "--json", env=env)["model"]["architecture"], "gpt2")
        self.assertEqual(self.json("tokenize", "our/tiny", "a", "--json", env=env)["tokens"], [97])
        self.assertEqual(self.pull("our/tiny", env=env), self.snapshot + "\n")

    def test_second_pull_downloads_nothing(self):
        self.pull("our/tiny")
        self.hub.requests.clear()
        result = json.loads(self.pull("our/tiny", "--json"))
        self.assertEqual(len(self.hub.requests), 1)  # the list of files
        self.assertEqual(result["schema"], "tinyllm.pull/1")
        pulled = result["pulled"][0]
        self.assertEqual((pulled["downloaded"], pulled["commit"], pulled["path"]), (0, COMMIT, self.snapshot))
        self.assertEqual({f["name"] for f in pulled["files"]}, set(self.files))

    def test_list_of_names_alone(self):
        self.tiny.names_alone = True
        self.fault("model.safetensors", hub_server.status(429, Retry_After=0))
        result = json.loads(self.pull("our/tiny", "--json"))["pulled"][0]
        self.check_whole()
        self.assertEqual({f["name"]: f["blob"] for f in result["files"]}["model.safetensors"], self.weights_id)
        self.assertEqual({f["bytes"] for f in result["left_out"]}, {None})
        heads = [path for role, path, headers in self.hub.requests if headers["Method"] == "HEAD"]
        self.assertEqual({path.rsplit("/", 1)[1] for path in heads}, set(self.files))
        self.assertEqual({headers["Method"] for _, headers in self.hub.asked("cdn")}, {"GET"})
        self.assertEqual(json.loads(self.pull("our/tiny", "--json"))["pulled"][0]["downloaded"], 0)

    def test_names_alone_are_checked_too(self):
        self.tiny.names_alone = True
        self.fault("cdn", hub_server.instead(b"x" * len(self.weights)))
        self.pull("our/tiny", code=7, says=["model.safetensors", "expected sha256", self.weights_id])
        for headers, says in (({}, 'found ""'), ({"ETag": '"abc"'}, 'found "abc"'), ({"ETag": f'"{"a" * 40}"', "X_Linked_Size": "-1"}, "expected a size")):
            self.fault("config.json", hub_server.status(200, **headers))
            self.pull("our/tiny", code=7, says=["our/tiny: config.json", says])

    def test_where_the_cache_is(self):
        for number, (env, root) in enumerate((({"TINYLLM_CACHE": "{}/a"}, "a"), ({"HF_HUB_CACHE": "{}/b"}, "b"), ({"HF_HOME": "{}/c"}, "c/hub"),
                                              ({"HF_HOME": "", "XDG_CACHE_HOME": "{}/d"}, "d/huggingface/hub"),
                                              ({"HF_HOME": "", "XDG_CACHE_HOME": "", "HOME": "{}/e"}, "e/.cache/huggingface/hub"))):
            env = {name: value.format(self.home) for name, value in env.items()}
            out = self.pull("our/tiny", env=env)
            self.assertTrue(out.startswith(f"{self.home}/{root}/models--our--tiny/snapshots/"), f"{number}: {out}")

    def test_revisions(self):
        self.tiny.branches = ("main", "refs/pr/7", "v1")
        self.pull("our/tiny@refs/pr/7")
        self.assertEqual(read(os.path.join(self.repository, "refs", "refs", "pr", "7")), COMMIT.encode())
        self.assertTrue(any("/revision/refs%2Fpr%2F7?" in path for path, _ in self.hub.asked("hub")))
        self.pull(f"our/tiny@{COMMIT}")
        self.assertEqual(os.listdir(os.path.join(self.repository, "refs")), ["refs"])
        self.pull("our/tiny@v9", code=3, says=["our/tiny@v9", "no such revision"])

    def test_new_commit_shares_blobs(self):
        self.pull("our/tiny")
        self.tiny.commit, self.tiny.files["config.json"] = "2" * 40, self.files["config.json"] + b"\n"
        self.hub.requests.clear()
        self.pull("our/tiny")
        self.assertEqual(len(self.hub.asked("hub", "/resolve/")), 1)
        self.assertEqual(read(os.path.join(self.repository, "refs", "main")), b"2" * 40)
        self.assertEqual(sorted(os.listdir(os.path.join(self.repository, "snapshots"))), [COMMIT, "2" * 40])

    def test_shards_and_pickles(self):
        one, two = self.weights, self.weights[:5000]
        index = {"metadata": {}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "parts/two.safetensors", "c": "parts/two.safetensors"}}
        files = {"config.json": b"{}", "model.safetensors.index.json": json.dumps(index).encode(), "model-00001-of-00002.safetensors": one,
                 "parts/two.safetensors": two, "model-00003-of-00009.safetensors": two + b"other", "pytorch_model.bin": b"p" * 5000}
        self.hub.models["our/shards"] = hub_server.Model(files)
        path = self.pull("our/shards").strip()
        self.assertEqual(read(os.path.join(path, "parts/two.safetensors")), two)
        self.assertFalse(os.path.exists(os.path.join(path, "model-00003-of-00009.safetensors")))
        self.assertFalse(os.path.exists(os.path.join(path, "pytorch_model.bin")))
        del files["model.safetensors.index.json"]
        self.hub.models["our/bin"] = hub_server.Model(files)
        self.assertEqual(sorted(os.listdir(self.pull("our/bin").strip())), ["config.json", "pytorch_model.bin"])
        index["weight_map"]["d"] = "../../../../evil"
        files["model.safetensors.index.json"] = json.dumps(index).encode()
        self.hub.models["our/index"] = hub_server.Model(files)
        self.pull("our/index", code=7, says=["model.safetensors.index.json", "not among"])

    def test_gguf(self):
        self.hub.models["our/gguf"] = hub_server.Model({"config.json": b"{}", "tiny.gguf": self.gguf_bytes, "README.md": b"#"})
        path = self.pull("our/gguf").strip()
        self.assertEqual(os.path.basename(path), "tiny.gguf")
        self.assertEqual(self.json("info", "our/gguf", "--json", env=self.env())["model"]["architecture"], "gpt2")
        self.hub.models["our/two"] = hub_server.Model({"q4.gguf": self.gguf_bytes, "q8.gguf": self.gguf_bytes + b"\0"})
        self.pull("our/two", code=2, says=["--file", "q4.gguf, q8.gguf"])
        self.assertEqual(os.path.basename(self.pull("our/two", "--file", "*q8*").strip()), "q8.gguf")
        self.assertEqual(os.path.basename(self.pull("our/two", "--file", "q4.gguf").strip()), "q4.gguf")
        offline = {"HF_HUB_OFFLINE": "1"}
        self.assertEqual(os.path.basename(self.pull("our/two", "--file", "q4.gguf", env=offline).strip()), "q4.gguf")

    def test_chosen_files(self):
        self.pull("our/tiny", "--file", "README.md", "--file", "*.onnx")
        self.assertEqual(sorted(os.listdir(self.snapshot)), ["README.md", "onnx"])
        link = os.path.join(self.snapshot, "onnx", "model.onnx")
        self.assertEqual(read(link), b"x" * 9000)
        self.assertTrue(os.readlink(link).startswith("../../../blobs/"))
        self.pull("our/tiny", "--file", "no*", code=3, says=["--file no*", "config.json"])
        self.hub.models["our/none"] = hub_server.Model({"README.md": b"#"})
        self.pull("our/none", code=3, says=["config.json", "README.md"])

    def test_names_that_are_none(self):
        for name in ("tiny", "our/../tiny", "our/tiny@../x", "/our/tiny", "our/tiny/file", "our/ti\nny", "data:nothing", ""):
            done = self.run_command("pull", name, env=self.env())
            self.assertEqual(done.returncode, 2, (name, done.stderr))
        self.assertEqual(self.hub.requests, [])

    # Broken transfers

    def test_cut_connection_goes_on(self):
        self.fault("cdn", hub_server.cut_after(1000), times=3)
        self.pull("our/tiny")
        self.check_whole()
        ranges = [headers.get("Range") for _, headers in self.hub.asked("cdn")]
        self.assertEqual(ranges, [None, "bytes=1000-", "bytes=2000-", "bytes=3000-"])
        signatures = {path for path, _ in self.hub.asked("cdn")}
        self.assertEqual(len(signatures), 4)  # each by a fresh redirect

    def test_cut_without_a_length(self):
        self.fault("cdn", hub_server.cut_after(1000, whole_length=False))
        self.fault("config.json", hub_server.cut_after(10, whole_length=False))
        self.pull("our/tiny")
        self.check_whole()

    def test_server_that_ignores_ranges(self):
        self.fault("cdn", hub_server.cut_after(1000))
        self.fault("cdn", hub_server.ignore_range)
        self.pull("our/tiny")
        self.check_whole()

    def test_always_cut(self):
        self.fault("cdn", hub_server.cut_after(0), times=100)
        self.pull("our/tiny", "--retries", "3", code=3, says=["model.safetensors", "given up after 4 tries"])
        self.assertEqual(len(self.hub.asked("cdn")), 4)

    def test_resumes_what_was_left(self):
        self.leave_incomplete(self.weights[:7777])
        pulled = json.loads(self.pull("our/tiny", "--json"))["pulled"][0]
        self.check_whole()
        self.assertEqual([headers.get("Range") for _, headers in self.hub.asked("cdn")], ["bytes=7777-"])
        self.assertEqual([f["downloaded"] for f in pulled["files"] if f["name"] == "model.safetensors"], [len(self.weights) - 7777])

    def test_whole_but_not_renamed(self):
        self.leave_incomplete(self.weights)
        self.pull("our/tiny")
        self.check_whole()
        self.assertEqual(self.hub.asked("cdn"), [])

    def test_rubbish_that_was_left(self):
        for left in (b"z" * 500, b"z" * len(self.weights), b"z" * (len(self.weights) + 1)):
            shutil.rmtree(self.repository, ignore_errors=True)
            self.leave_incomplete(left)
            self.pull("our/tiny")
            self.check_whole()

    def test_wrong_sum(self):
        wrong = bytes([self.weights[0] ^ 1]) + self.weights[1:]
        self.fault("cdn", hub_server.instead(wrong))
        self.pull("our/tiny", code=7, says=["model.safetensors", self.weights_id, hashlib.sha256(wrong).hexdigest()])
        self.assertFalse(os.path.exists(self.blob()) or os.path.exists(self.blob() + ".incomplete"))
        self.assertFalse(os.path.exists(os.path.join(self.repository, "refs", "main")))
        self.fault("resolve.*config.json", hub_server.instead(b"!" * len(self.files["config.json"])))
        shutil.rmtree(self.repository)
        self.pull("our/tiny", code=7, says=["config.json", "git blob id"])
        self.pull("our/tiny")
        self.check_whole()

    def test_wrong_size(self):
        for other in (self.weights + b"x", self.weights[:-1], b""):
            self.fault("cdn", hub_server.instead(other))
            self.pull("our/tiny", code=7, says=["model.safetensors", str(len(self.weights))])

        def endless(handler, data):  # says nothing of its length
            handler.send_file(data + b"more", length=False)

        self.fault("cdn", endless)
        self.pull("our/tiny", code=7, says="more")
        self.assertFalse(os.path.exists(self.blob()))
        self.pull("our/tiny")
        self.check_whole()

    def test_another_file_behind_the_redirect(self):
        self.fault("resolve.*safetensors", hub_server.status(302, Location="http://127.0.0.1:9/x", X_Linked_Etag='"' + "0" * 64 + '"'))
        self.pull("our/tiny", code=7, says="another file")
        self.fault("resolve.*safetensors", hub_server.status(302, Location="http://127.0.0.1:9/x", X_Linked_Size=12))
        self.pull("our/tiny", code=7, says=["12", str(len(self.weights))])

    def test_busy_server(self):
        self.fault("api", hub_server.status(429, Retry_After=1))
        for code in (500, 502, 503, 504, 408):
            self.fault("resolve", hub_server.status(code))
        self.fault("cdn", hub_server.status(403))  # a signature that expired
        start = time.monotonic()
        self.pull("our/tiny")
        self.assertGreaterEqual(time.monotonic() - start, 1)  # as it was asked to
        self.check_whole()
        self.fault("api", hub_server.status(429, Retry_After=100000))
        self.pull("our/tiny", code=3, says=["429", "100000 s"])
        self.fault("api", hub_server.status(503), times=100)
        self.pull("our/tiny", "--retries", "2", code=3, says=["503", "3 tries"])

    def test_refusals(self):
        self.pull("our/nothing", code=3, says=["our/nothing", "401", "HF_TOKEN"])
        self.tiny.token = TOKEN
        self.pull("our/tiny", code=3, says=["our/tiny", "401", "gated", "HF_TOKEN"])
        self.pull("our/tiny", code=3, says=["403", "terms"], env={"HF_TOKEN": "hf_wrong"})
        for code in (400, 404, 410, 418):
            self.fault("api", hub_server.status(code))
            self.pull("our/tiny", code=3, says=str(code), env={"HF_TOKEN": TOKEN})
        self.assertFalse(os.path.exists(self.repository))

    def test_no_network(self):
        start = time.monotonic()
        self.pull("our/tiny", "--endpoint", "http://127.0.0.1:9", "--retry-delay", "100", code=3, says=["http://127.0.0.1:9", "cannot be reached"])
        self.pull("our/tiny", "--endpoint", "https://hub.invalid", "--retry-delay", "100", code=3, says=["hub.invalid", "cannot be reached"])
        self.assertLess(time.monotonic() - start, 100)  # not waited for

    def test_endpoints_that_are_none(self):
        for endpoint in ("file:///etc", "ftp://x", "nothing at all", "http://user:secret@127.0.0.1"):
            line = self.pull("our/tiny", "--endpoint", endpoint, code=2, says="--endpoint")
            self.assertNotIn("secret", line)

    def test_answers_that_are_none(self):
        for answer in (b"", b"<html>", b"[]", b"{}", b'{"sha": "' + b"1" * 40 + b'", "siblings": {}}', b'{"sha": "main", "siblings": []}', b"[" * 100000):
            self.fault("api", hub_server.instead(answer))
            self.pull("our/tiny", code=7, says="our/tiny")
        for row in ({"rfilename": "a", "blobId": "xyz", "size": 1}, {"size": 1, "blobId": "0" * 40},
                    {"rfilename": "a", "blobId": "0" * 40, "size": -1}, {"rfilename": "a", "blobId": "0" * 40, "size": 1e30}, "a", 7, None,
                    {"rfilename": "a", "blobId": "0" * 40, "size": 1, "lfs": {}}, {"rfilename": "a", "blobId": "../../../../x", "size": 1},
                    {"rfilename": "config.json", "blobId": "0" * 40, "size": 1}):
            self.tiny.extra = [row]
            self.pull("our/tiny", code=7, says="our/tiny")
        self.assertFalse(os.path.exists(self.repository))

    def test_evil_names(self):
        for name in ("../evil", "/etc/evil", "a/../../evil", "a//b", "a/", ".", "..", "", "a\x1b[2J", "a\nb", "a\0b", "a\x7f", "a\u009bb", "x" * 300,
                     "y/" * 600 + "y"):
            self.tiny.extra = [{"rfilename": name, "blobId": "0" * 40, "size": 1}]
            for words in ((), ("--file", "*")):
                line = self.pull("our/tiny", *words, code=7, says="our/tiny")
                self.assertTrue(line.isprintable(), repr(line))
        self.tiny.extra = []
        # A file in the place of a folder, and a link that would lead out of the cache.
        self.tiny.files.update({"a": b"file", "a/b": b"below a file"})
        self.pull("our/tiny", "--file", "a", "--file", "a/b", code=7, says="expected a folder")
        outside = os.path.join(self.home, "outside")
        os.makedirs(outside)
        os.symlink(outside, os.path.join(self.snapshot, "onnx"))
        self.pull("our/tiny", "--file", "*.onnx", code=7, says="expected a folder")
        self.assertEqual(os.listdir(outside), [])
        os.symlink(os.path.join(outside, "file"), self.blob() + ".incomplete")
        self.pull("our/tiny", code=3, says=".incomplete")
        self.assertEqual(os.listdir(outside), [])

    def test_redirects(self):
        self.hub.models["new/tiny"] = self.tiny  # a model that was renamed
        del self.hub.models["our/tiny"]
        self.fault("api/models/our/tiny", hub_server.status(307, Location="/api/models/new/tiny/revision/main?blobs=true"), times=100)
        for name in self.files:
            self.fault(f"our/tiny/resolve/{COMMIT}/{name}", hub_server.status(307, Location=f"/new/tiny/resolve/{COMMIT}/{name}"), times=100)
        self.pull("our/tiny")
        self.check_whole()
        for location in ("file:///etc/passwd", "gopher://127.0.0.1/", "http://user:word@127.0.0.1/", "", "http://"):
            self.hub.faults.clear()
            self.fault("api", hub_server.status(302, Location=location))
            self.pull("our/tiny", code=7, says="redirect")
        self.fault("api", hub_server.status(302, Location="/api/models/our/tiny/revision/main?again"), times=1000)
        self.pull("our/tiny", code=3, says="redirects")

    # The token

    def check_token_stays(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn(TOKEN.encode(), done.stdout + done.stderr)
        self.assertNotIn(b"secret-", done.stdout + done.stderr)  # a signature
        self.assertTrue(all(headers.get("Authorization") == f"Bearer {TOKEN}" for _, headers in self.hub.asked("hub")))
        self.assertTrue(self.hub.asked("cdn"))
        self.assertTrue(all("Authorization" not in headers and TOKEN not in path for path, headers in self.hub.asked("cdn")))

    def test_token_goes_to_the_hub_alone(self):
        self.tiny.token = TOKEN
        with open(os.path.join(self.home, "token"), "w") as file:
            file.write(TOKEN + "\n")
        for words, env in (((), {"HF_TOKEN": TOKEN}), (("--token", TOKEN), {"HF_TOKEN": "hf_other"}), ((), {})):
            shutil.rmtree(self.cache, ignore_errors=True)
            self.hub.requests.clear()
            self.fault("cdn", hub_server.status(500))
            self.check_token_stays(self.run_command("-v", "pull", "our/tiny", *words, env=self.env(**env)))
        # A CDN on the hub's own address but another port is another host; so is another name of it.
        self.hub.cdn_host, self.hub.cdn_port = "localhost", self.hub.port
        shutil.rmtree(self.cache)
        self.hub.requests.clear()
        self.run_command("pull", "our/tiny", "--retries", "0", env=self.env(HF_TOKEN=TOKEN))
        elsewhere = self.hub.asked("hub", "/store/")
        self.assertTrue(elsewhere and all("Authorization" not in headers for _, headers in elsewhere))

    def test_token_never_unencrypted(self):
        env = {"HF_TOKEN": TOKEN, "http_proxy": self.hub.url, "no_proxy": ""}
        done = self.run_command("pull", "our/tiny", "--endpoint", "http://hub.example", "--retries", "0", env=self.env(**env))
        self.assertIn(b"not encrypted", done.stderr)
        self.assertTrue(self.hub.requests)
        self.assertTrue(all("Authorization" not in headers for _, _, headers in self.hub.requests))

    def test_token_in_error_lines(self):
        self.fault("api", hub_server.status(404), times=100)
        line = self.pull("our/tiny", code=3, env={"HF_TOKEN": TOKEN})
        self.assertNotIn(TOKEN, line)
        line = self.pull("our/tiny", "--token", TOKEN + "\nX-Evil: 1", code=2)
        self.assertNotIn(TOKEN, line)

    # More than one, and being stopped

    def start(self, *words, **env):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TINYLLM")}
        clean.update(self.env(**env))
        return subprocess.Popen([harness.COMMAND, "pull", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean)

    def large_model(self):
        """One whose weights take a while on a slow server."""
        self.large = random.Random(1).randbytes(4 << 20)
        self.hub.models["our/large"] = hub_server.Model({"config.json": b"{}", "model.safetensors": self.large})
        self.hub.slow = 0.02
        self.large_blob = os.path.join(self.cache, "models--our--large", "blobs", hashlib.sha256(self.large).hexdigest())

    def wait_for(self, what):
        end = time.monotonic() + 60
        while not what():
            self.assertLess(time.monotonic(), end, "waited in vain")
            time.sleep(0.01)

    def incomplete_bytes(self):
        path = self.large_blob + ".incomplete"
        return os.path.getsize(path) if os.path.exists(path) else 0

    def test_two_at_once(self):
        self.large_model()
        first = self.start("our/large")
        self.wait_for(lambda: self.incomplete_bytes() > 0)
        second = self.start("our/large")
        out = [process.communicate(timeout=120) for process in (first, second)]
        self.assertEqual((first.returncode, second.returncode), (0, 0), out)
        self.assertEqual(out[0][0], out[1][0])
        self.assertEqual(len(self.hub.asked("cdn")), 1)
        self.assertIn(b"waiting", out[1][1])
        self.assertEqual(read(self.large_blob), self.large)

    def test_killed_then_resumed(self):
        self.large_model()
        process = self.start("our/large")
        self.wait_for(lambda: self.incomplete_bytes() > 100000)
        process.kill()
        process.communicate()
        left = self.incomplete_bytes()
        self.assertLess(left, len(self.large))
        self.fails(3, "info", "our/large", env=self.env())  # what is not whole is not found
        self.hub.slow = 0
        self.hub.requests.clear()
        pulled = json.loads(self.pull("our/large", "--json"))["pulled"][0]
        self.assertEqual(read(self.large_blob), self.large)
        self.assertEqual([headers.get("Range") for _, headers in self.hub.asked("cdn")], [f"bytes={left}-"])
        self.assertEqual(sum(f["downloaded"] for f in pulled["files"]), len(self.large) - left)

    def test_stopped_by_a_signal(self):
        self.large_model()
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process = self.start("our/large")
            before = self.incomplete_bytes()
            self.wait_for(lambda: self.incomplete_bytes() > before + 100000)
            process.send_signal(number)
            out, errors = process.communicate(timeout=60)
            self.assertEqual((process.returncode, out), (code, b""), errors)
            self.assertIn(b"goes on where it was", errors)
            self.assertGreater(self.incomplete_bytes(), before)
        # While it waits for a server that is busy.
        self.fault("api", hub_server.status(503, Retry_After=500), times=100)
        process = self.start("our/tiny")
        self.wait_for(lambda: self.hub.asked("hub", "our/tiny"))
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)

    def test_disk_full(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))

        self.pull("our/tiny", code=3, says=["model.safetensors", "cannot be written"], preexec_fn=limit)
        self.assertEqual(os.path.getsize(self.blob() + ".incomplete"), 10000)
        self.pull("our/tiny")
        self.check_whole()
        self.assertEqual(self.hub.asked("cdn")[-1][1]["Range"], "bytes=10000-")

    def test_larger_than_the_disk(self):
        self.tiny.extra = [{"rfilename": "big.gguf", "blobId": "0" * 40, "size": 1 << 45}]
        self.pull("our/tiny", "--file", "big.gguf", code=3, says=["MB are to be written", "MB free"])

    def test_folder_that_cannot_be(self):
        with open(self.cache, "w"):
            pass
        done = self.run_command("pull", "our/tiny", env=self.env())
        self.assertIn(done.returncode, (1, 3))
        self.assertIn(self.cache.encode(), done.stderr)

    def test_progress_is_for_terminals(self):
        try:
            main, side = pty.openpty()
        except OSError as error:  # a chroot without /dev/pts
            self.skipTest(str(error))
        self.large_model()
        process = subprocess.Popen([harness.COMMAND, "pull", "our/large"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=side,
                                   env={**os.environ, **self.env()})
        os.close(side)
        seen = b""
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:  # the other side closed it
                break
            if not part:
                break
            seen += part
        self.assertEqual(process.wait(60), 0)
        process.stdout.close()
        os.close(main)
        self.assertRegex(seen, rb"model\.safetensors \d/4 MB")
        self.hub.slow = 0
        shutil.rmtree(self.cache)
        self.assertEqual(self.run_command("pull", "our/large", env=self.env()).stderr, b"")

    # Encrypted

    def test_certificates(self):
        if not shutil.which("openssl"):
            self.skipTest("no openssl")
        key, certificate = os.path.join(self.home, "key.pem"), os.path.join(self.home, "certificate.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.hub.servers[0].socket = context.wrap_socket(self.hub.servers[0].socket, server_side=True)
        endpoint = self.hub.url.replace("http:", "https:")
        self.pull("our/tiny", "--endpoint", endpoint, code=3, says=["cannot be reached", "certificate"])
        self.assertEqual(self.hub.requests, [])
        trust = {"SSL_CERT_FILE": certificate, "HF_TOKEN": TOKEN}
        small = ["--file", "*.json"]
        self.pull("our/tiny", "--endpoint", endpoint, *small, env=trust)
        self.assertTrue(all(headers["Authorization"] == f"Bearer {TOKEN}" for _, headers in self.hub.asked("hub")))
        # From https no redirect leads to http.
        self.pull("our/tiny", "--endpoint", endpoint, code=3, says="not encrypted", env=trust)
        self.assertEqual(self.hub.asked("cdn"), [])

    # Offline

    def test_offline(self):
        for words, env in (((), {"HF_HUB_OFFLINE": "1"}), (("--offline",), {})):
            self.pull("our/tiny", *words, code=3, says="HF_HUB_OFFLINE", env=env)
            self.assertEqual(self.hub.requests, [])
        self.pull("our/tiny")
        os.remove(os.path.join(self.snapshot, "model.safetensors"))
        self.hub.requests.clear()
        self.pull("our/tiny", "--offline", code=3, says="lacks")
        self.assertEqual(self.hub.requests, [])

    def test_quiet_without_a_terminal(self):
        done = self.run_command("-q", "pull", "our/tiny", env=self.env())
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_message_of_other_commands_names_pull(self):
        self.fails(3, "info", "our/other", says="tinyllm pull our/other", env=self.env())


if __name__ == "__main__":
    harness.main()
