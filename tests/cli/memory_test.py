"""What loading a large model takes, what info says of it before, and what is refused because it would not fit."""
import os
import shutil

import harness
import large_model

MB = 1_000_000


def available_memory():
    with open("/proc/meminfo") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


class LargeModelTest(harness.CommandTest):
    def setUp(self):
        if os.environ.get("TINYLLM_SKIP_LARGE"):
            self.skipTest("TINYLLM_SKIP_LARGE is set")
        if os.environ.get("TINYLLM_SANITIZE"):
            self.skipTest("a sanitizer's own memory would count")
        if shutil.disk_usage(self.scratch.name).free < 2000 * MB:
            self.skipTest(f"{self.scratch.name} has less than 2 GB left for models")
        if available_memory() < 2000 * MB:
            self.skipTest("less than 2 GB of memory are available")

    def peak(self, model, threads, *more):
        memory = self.json("run", model, "The", "-n", "4", "-c", "64", "--temp", "0", "--ignore-eos", "-t", threads, "--json", *more)["memory"]
        return memory["rss_peak"], memory

    def test_file_pages_are_dropped_as_weights_are_packed(self):
        model = large_model.write_gguf(self.path("large.gguf"))
        size = os.path.getsize(model)
        self.assertGreater(size, 400 * MB)
        for threads in (1, 2):
            peak, memory = self.peak(model, threads)
            self.assertLessEqual(peak, size + memory["kv"] + 40 * MB)
            told = self.json("info", model, "-c", "64", "--json")["memory"]["peak_bytes"]
            self.assertLess(abs(told - peak), 0.05 * peak)
        os.remove(model)

    def test_of_unaligned_safetensors_too(self):
        model = large_model.write_folder(self.path("large"))
        size = os.path.getsize(os.path.join(model, "model.safetensors"))
        for threads in (1, 2):
            peak, memory = self.peak(model, threads)
            self.assertLessEqual(peak, size + memory["kv"] + 40 * MB)
        shutil.rmtree(model)


class RefusalTest(harness.CommandTest):
    def tree(self, name, files):
        for path, text in files.items():
            full = self.path(name, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w") as file:
                file.write(text)
        return {"TINYLLM_SYSFS_ROOT": self.path(name)}

    def commands(self):
        text = self.write("text", "abc")
        rows = self.path("data", "piqa")
        os.makedirs(rows, exist_ok=True)
        yield "run", self.model, "abc", "-n", "1"
        yield "generate", self.model, "abc", "-n", "1"
        yield "score", self.model, "--text-file", text
        yield "bench", self.model, "-p", "4", "-n", "0", "-r", "1"

    def test_what_would_not_fit_is_not_loaded(self):
        env = self.tree("little", {"proc/meminfo": "MemTotal: 8000 kB\nMemAvailable: 2000 kB\n"})
        for words in self.commands():
            line = self.fails(5, *words, env=env, says=["needs", "available are 2.0 MiB", "--no-memory-check"])
            self.assertIn("take", line)
            self.output(*words, "--no-memory-check", env=env)
            self.output(*words, env={**env, "TINYLLM_NO_MEMORY_CHECK": "1"})
        self.fails(5, "run", self.model, "abc", "-c", "96", env=env, says=["a smaller -c", "-ctk q8_0"])

    def test_eval_too(self):
        env = self.tree("little2", {"proc/meminfo": "MemAvailable: 2000 kB\n"})
        source = os.environ["TINYLLM_SOURCE_DIR"] + "/tools/embedded/"
        words = ["eval", source + "models/tiny-llama", "-t", "piqa", "--data", source + "questions", "-L", "2"]
        self.fails(5, *words, env=env, says="needs")
        self.output(*words, "--no-memory-check", env=env)

    def test_what_a_control_group_has_left_counts(self):
        group = "sys/fs/cgroup/box/inner/"
        tree = {"proc/meminfo": "MemAvailable: 8000000 kB\n", "proc/self/cgroup": "0::/box/inner\n", group + "memory.max": "max\n",
                "sys/fs/cgroup/box/memory.max": "100000000\n", "sys/fs/cgroup/box/memory.current": "99000000\n"}
        self.fails(5, "run", self.model, "abc", "-n", "1", env=self.tree("box", tree), says="available are 976.6 KiB")
        # File pages are dropped at need.
        tree["sys/fs/cgroup/box/memory.stat"] = "anon 1000\ninactive_file 60000000\nactive_file 30000000\n"
        self.output("run", self.model, "abc", "-n", "1", env=self.tree("box", tree))
        old = {"proc/meminfo": "MemAvailable: 8000000 kB\n", "proc/self/cgroup": "4:cpu,memory:/box\n",
               "sys/fs/cgroup/memory/box/memory.limit_in_bytes": "100000000\n", "sys/fs/cgroup/memory/box/memory.usage_in_bytes": "99000000\n"}
        self.fails(5, "run", self.model, "abc", "-n", "1", env=self.tree("old", old), says="976.6 KiB")
        # Where nothing is known nothing is refused.
        os.makedirs(self.path("bare"), exist_ok=True)
        self.output("run", self.model, "abc", "-n", "1", env={"TINYLLM_SYSFS_ROOT": self.path("bare")})


class PackedCacheTest(harness.CommandTest):
    def test_the_second_start_maps(self):
        words = ["generate", self.model, "abc", "-n", "8", "--json"]
        plain = self.json(*words)["tokens"]
        env = {"TINYLLM_PACKED_CACHE": self.path("cache")}
        self.assertEqual(self.json(*words, env=env)["tokens"], plain)
        done = self.run_command(*words, "-v", env=env)
        self.assertIn(b".packed", done.stderr)
        self.assertEqual(self.json(*words, env=env)["tokens"], plain)
        name, = os.listdir(self.path("cache"))
        with open(self.path("cache", name), "r+b") as file:
            file.truncate(100)
        done = self.run_command(*words, env=env)
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"not used as packed weights", done.stderr)
        self.assertEqual(self.run_command(*words, env=env).stderr, b"")


if __name__ == "__main__":
    harness.main()
