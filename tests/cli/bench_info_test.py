"""bench and info: the names others read, and figures that hang together. No timing is judged."""
import csv
import io
import os

import harness
import tiny_model


class BenchTest(harness.CommandTest):
    def test_rows_are_the_product_of_the_lists(self):
        rows = self.json("bench", self.model, "-p", "8,16", "-n", "4", "-d", "0,8", "-t", "1,2", "-r", "3", "-ctk", "f16,f32", "--json")
        self.assertEqual(len(rows), 3 * 2 * 2 * 2)
        tests = {row["test"] for row in rows}
        self.assertEqual(tests, {"pp8", "pp16", "tg4", "pp8 @ d8", "pp16 @ d8", "tg4 @ d8"})
        for row in rows:
            for key in ("n_prompt", "n_gen", "n_depth", "n_threads", "avg_ts", "stddev_ts", "samples_ts", "avg_ns", "stddev_ns", "samples_ns", "model_type",
                        "model_size", "model_n_params", "type_k", "type_v", "load_ms", "rss_peak_bytes"):
                self.assertIn(key, row)
            self.assertEqual(len(row["samples_ns"]), 3)
            self.assertAlmostEqual(row["avg_ts"], sum(row["samples_ts"]) / 3, delta=1e-6 * row["avg_ts"])
            n = row["n_prompt"] + row["n_gen"]
            for ns, ts in zip(row["samples_ns"], row["samples_ts"]):
                self.assertAlmostEqual(ts, n * 1e9 / ns, delta=1e-3 * ts)
            if row["n_gen"]:
                self.assertLessEqual(row["p50_ms"], row["p95_ms"])
                self.assertGreater(row["gb_per_s"], 0)
                self.assertAlmostEqual(row["bandwidth_share"], row["gb_per_s"] / row["bandwidth_gb_per_s"], delta=1e-6)
            else:
                self.assertIsNone(row["p50_ms"])
        self.assertEqual({row["n_threads"] for row in rows}, {1, 2})
        self.assertEqual({row["type_k"] for row in rows}, {"f16", "f32"})
        self.assertEqual({row["model_n_params"] for row in rows}, {sum(len(v) for _, v in tiny_model.tensors().values())})

    def test_a_model_may_follow_a_list(self):
        self.assertEqual(len(self.json("bench", "-p", "8", "-n", "2", "-r", "1", self.model, "--json")), 2)

    def test_table_and_csv(self):
        words = ["bench", self.model, "-p", "8", "-n", "2", "-r", "2", "-q"]
        table = self.output(*words).decode()
        self.assertIn("pp8", table)
        self.assertIn("±", table)
        rows = list(csv.DictReader(io.StringIO(self.output(*words, "--format", "csv").decode())))
        self.assertEqual([row["n_gen"] for row in rows], ["0", "2"])

    def test_quantized_caches(self):
        model = os.path.join(os.environ["TINYLLM_SOURCE_DIR"], "tools/embedded/models/tiny-llama")
        rows = self.json("bench", model, "-p", "0", "-n", "2", "-d", "64", "-r", "1", "-ctk", "f16,q8_0", "-ctv", "q4_0", "--json")
        self.assertEqual([(row["type_k"], row["type_v"]) for row in rows], [("f16", "q4_0"), ("q8_0", "q4_0")])
        self.assertIn("q8_0/q4_0", self.output("bench", model, "-p", "4", "-n", "0", "-r", "1", "-ctk", "q8_0", "-ctv", "q4_0", "-q").decode())
        each = 2 * 64 * 4 * 2  # blocks of 64 positions, layers, heads
        self.assertEqual([row["kv_bytes"] for row in rows], [each * (64 + 18), each * (34 + 18)])

    def test_profile(self):
        rows = self.json("bench", self.model, "-p", "6", "-n", "3", "-d", "4", "-r", "2", "--profile", "--json")
        self.assertEqual([row["test"] for row in rows], ["pp6 @ d4", "tg3 @ d4"])
        dim, ff, vocab = tiny_model.DIM, tiny_model.FF, tiny_model.VOCAB
        for row in rows:
            profile = row["profile"]
            stages = profile["stages"]
            self.assertEqual(profile["per"], "token" if row["n_gen"] else "run")
            self.assertAlmostEqual(profile["total_ms"], row["avg_ns"] / 1e6 / max(1, row["n_gen"]), delta=1e-5)
            self.assertEqual(stages[-1]["stage"], "rest")
            self.assertGreaterEqual(stages[-1]["ms"], 0)  # no stage's time lies outside the whole
            self.assertAlmostEqual(sum(stage["ms"] for stage in stages), profile["total_ms"], delta=1e-6 * profile["total_ms"])
            self.assertAlmostEqual(sum(stage["share"] for stage in stages), 1, delta=1e-6)
            for limit in ("bandwidth_gb_per_s", "f32_gflop_per_s", "int8_gflop_per_s", "meeting_us"):
                self.assertGreater(profile[limit], 0)
            # One layer, counted here once more: matrices for each row, the head for one, attention over what each row sees.
            n, seen = (6, sum(range(5, 11))) if row["n_prompt"] else (1, sum(range(5, 8)) / 3)
            self.assertAlmostEqual(sum(stage.get("flops", 0) for stage in stages), 2 * (n * (4 * dim * dim + 2 * dim * ff) + dim * vocab + 2 * dim * seen), places=6)
            by_name = {stage["stage"]: stage for stage in stages}
            self.assertEqual(by_name["norm, mlp up"]["weights"], "blk.#.ffn_up")
            for stage in stages[:-1]:
                if stage["gflop_per_s"]:
                    self.assertAlmostEqual(stage["gflop_per_s"], stage["flops"] / stage["ms"] / 1e6, delta=1e-6 * stage["gflop_per_s"])
                    self.assertAlmostEqual(stage["compute_share"], stage["gflop_per_s"] / profile["f32_gflop_per_s"], delta=1e-6)
        self.assertNotIn("profile", self.json("bench", self.model, "-p", "4", "-n", "0", "-r", "1", "--json")[0])

    def test_profile_as_tables(self):
        words = ["bench", self.model, "-p", "8", "-n", "2", "-r", "1", "-q", "--profile"]
        for table in (self.output(*words).decode(), self.output(*words, "--format", "md").decode()):
            for word in ("±", "mlp down", "rest", "GFLOP/s", "of peak"):
                self.assertIn(word, table)
        rows = list(csv.DictReader(io.StringIO(self.output(*words, "--format", "csv").decode())))
        for test in ("pp8", "tg2"):
            stages = [row for row in rows if row["test"] == test]
            self.assertEqual([row["stage"] for row in stages][-2:], ["rest", "all"])
            self.assertAlmostEqual(sum(float(row["ms"]) for row in stages[:-1]), float(stages[-1]["ms"]), delta=1e-6)

    def test_question(self):
        rows = self.json("bench", self.long_model(), "--question", "-r", "2", "--json")
        self.assertEqual([row["test"] for row in rows], ["pp100", "pp100+4x5"])
        self.assertEqual((rows[1]["n_answers"], rows[1]["n_answer"]), (4, 5))
        for ns, ts in zip(rows[1]["samples_ns"], rows[1]["samples_ts"]):
            self.assertAlmostEqual(ts, 120e9 / ns, delta=1e-3 * ts)
        rows = self.json("bench", self.long_model(), "--question", "-n", "2", "-p", "0", "-r", "1", "--json")
        self.assertEqual([row["test"] for row in rows], ["tg2", "pp100", "pp100+4x5"])
        self.fails(2, "bench", self.model, "--question", "-q", says="pp100")  # its context is 96

    def long_model(self):
        return os.path.join(os.environ["TINYLLM_SOURCE_DIR"], "tools/embedded/models/tiny-llama")

    def test_bad_flags(self):
        self.fails(2, "bench", self.model, "--profile=7x")
        self.fails(2, "bench", self.model, "--profiles")
        self.fails(2, "bench", self.model, "--question", "5")

    def test_bad_lists(self):
        self.fails(2, "bench", self.model, "-p", "8,x")
        self.fails(2, "bench", self.model, "-p", "0", "-n", "0", says="-p")
        self.fails(2, "bench", self.model, "-r", "0")
        done = self.run_command("bench", self.model, "-p", "500", "-n", "0", "-q")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"96", done.stderr)


class CoresTest(harness.CommandTest):
    cores = sorted(os.sched_getaffinity(0))

    def test_every_command_that_runs_a_model_takes_them(self):
        last = str(self.cores[-1])
        row, = self.json("bench", self.model, "-p", "0", "-n", "2", "-r", "1", "--cores", last, "--json", env={"TINYLLM_THREADS": ""})
        self.assertEqual((row["cores"], row["n_threads"]), (last, 1))
        row, = self.json("bench", self.model, "-p", "0", "-n", "2", "-r", "1", "-t", "3", "--cores", last, "--json")
        self.assertEqual((row["cores"], row["n_threads"]), (last, 3))
        text = self.json("generate", self.model, "abc", "--max-tokens", "8", "--json")["tokens"]
        for cores in (last, "big", "all"):
            self.assertEqual(self.json("generate", self.model, "abc", "--max-tokens", "8", "--cores", cores, "--json")["tokens"], text)
        self.output("run", self.model, "abc", "-n", "2", env={"TINYLLM_CORES": last})
        for command in ("run", "generate", "score", "eval", "study", "bench"):
            self.assertIn(b"--cores", self.output(command, "--help"))

    def test_cores_that_are_not_there(self):
        for words in (["run", self.model, "a"], ["generate", self.model, "a"], ["score", self.model, "a"], ["bench", self.model]):
            self.fails(2, *words, "--cores", "4000", says=["4000", "there are: "])
            self.fails(2, *words, "--cores", "0-", says=["0-", "big, all or a list"])
        self.fails(2, "study", "--models", self.model, "--cores", "4000", "-o", self.path("results"), says=["4000", "there are: "])
        self.fails(2, "run", self.model, "a", says=["cores 4000", "there are: "], env={"TINYLLM_CORES": "4000"})
        self.fails(2, "run", self.model, "a", "-t", "257")

    def test_info_says_where_and_why(self):
        got = self.json("info", "--json", env={"TINYLLM_THREADS": "", "TINYLLM_CORES": str(self.cores[0])})
        self.assertEqual(got["placement"], {"cores": str(self.cores[0]), "threads": 1, "one_each": True, "why": "as listed (TINYLLM_CORES); one thread per core"})
        self.assertIn(b"fastest of 2 clusters", self.output("info", env={"TINYLLM_SYSFS_ROOT": self.big_little()}))
        got = self.json("info", "--json", env={"TINYLLM_THREADS": "", "TINYLLM_SYSFS_ROOT": self.big_little()})
        self.assertEqual((got["placement"]["cores"], got["placement"]["threads"], got["quota_cpus"]), ("2-3", 2, 3.5))

    def big_little(self):
        """Two slow cores, two fast ones, a quota."""
        root = self.path("big-little")
        files = {"sys/devices/system/cpu/online": "0-3", "sys/fs/cgroup/cpu.max": "350000 100000"}
        files.update({f"sys/devices/system/cpu/cpu{i}/cpu_capacity": "400" if i < 2 else "1024" for i in range(4)})
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w") as file:
                file.write(text + "\n")
        return root


class InfoTest(harness.CommandTest):
    def test_board(self):
        got = self.json("info", "--json")
        self.assertEqual(got["schema"], "tinyllm.info/1")
        self.assertGreater(got["cores"], 0)
        self.assertTrue(got["gpu"]["status"])
        self.assertIn(got["kernels"]["live"], got["kernels"]["available"])
        # Faster kernels than the live ones are those that this CPU lacks something for.
        built, available = got["kernels"]["built"], got["kernels"]["available"]
        self.assertEqual([x["name"] for x in got["kernels"]["unused"]], built[built.index(got["kernels"]["live"]) + 1:])
        for unused in got["kernels"]["unused"]:
            self.assertNotIn(unused["name"], available)
            self.assertRegex(unused["why"], "this CPU does not have all of [A-Za-z]")
        self.assertNotIn("read_bandwidth", got)
        for reading in self.json("info", "--bandwidth", "--json")["read_bandwidth"]:
            self.assertGreater(reading["gb_per_s"], 0)

    def test_kernels_held_back(self):
        kernels = self.json("info", "--json", env={"TINYLLM_CPU_ISA": "scalar"})["kernels"]
        self.assertEqual(kernels["live"], "scalar")
        for unused in kernels["unused"]:
            if unused["name"] in kernels["available"]:
                self.assertEqual(unused["why"], "TINYLLM_CPU_ISA=scalar")
        self.assertEqual(["scalar"] + [x["name"] for x in kernels["unused"]], kernels["built"])

    def test_board_of_a_fake_tree(self):
        root = self.path("pi")
        for path, text in {"proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0", "proc/cpuinfo": "CPU implementer\t: 0x41\nCPU part\t: 0xd0b\n",
                           "proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 7000000 kB\n",
                           "sys/devices/system/cpu/cpu0/cpu_capacity": "400\n", "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "1800000\n",
                           "sys/devices/system/cpu/cpu1/cpu_capacity": "1024\n", "sys/devices/system/cpu/cpu1/cpufreq/cpuinfo_max_freq": "2400000\n",
                           "sys/devices/system/cpu/cpu2/cpu_capacity": "1024\n", "sys/devices/system/cpu/cpu2/cpufreq/cpuinfo_max_freq": "2400000\n"}.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w") as file:
                file.write(text)
        got = self.json("info", "--json", env={"TINYLLM_SYSFS_ROOT": root})
        self.assertEqual((got["board"], got["cpu"], got["cores"]), ("Raspberry Pi 5 Model B Rev 1.0", "Cortex-A76", 3))
        self.assertEqual([c["cores"] for c in got["clusters"]], ["1-2", "0"])
        self.assertEqual(got["memory_bytes"], 8000000 * 1024)
        # What the tree lacks is not known, never 0; the cores are those that the scheduler allows.
        os.makedirs(self.path("bare"), exist_ok=True)
        got = self.json("info", "--json", env={"TINYLLM_SYSFS_ROOT": self.path("bare")})
        self.assertIsNone(got["board"])
        self.assertIsNone(got["memory_bytes"])
        self.assertEqual((got["cores"], sum(c["count"] for c in got["clusters"])), (got["usable_cores"],) * 2)
        self.assertGreater(got["cores"], 0)

    def test_model(self):
        parameters = sum(len(values) for _, values in tiny_model.tensors().values())
        for model in (self.model, self.gguf):
            got = self.json("info", model, "--tensors", "--json")
            self.assertEqual(got["schema"], "tinyllm.info/1")
            self.assertEqual(got["model"]["architecture"], "gpt2")
            self.assertEqual(got["model"]["parameters"], parameters)
            self.assertEqual(got["model"]["main_type"], "f32")
            self.assertEqual(got["model"]["bits_per_weight"], 32)
            self.assertEqual(got["model"]["vocab_size"], tiny_model.VOCAB)
            self.assertEqual(got["model"]["context"], tiny_model.CONTEXT)
            self.assertEqual(len(got["tensors"]), len(tiny_model.tensors()))
            memory = got["memory"]
            self.assertEqual(memory["total_bytes"], memory["weights_bytes"] + memory["kv_bytes"] + memory["scratch_bytes"])
        self.assertNotIn("tensors", self.json("info", self.model, "--json"))

    def test_memory_on_a_gpu_is_told_without_one(self):
        cpu, gpu = (self.json("info", self.model, "-c", "64", "--device", device, "--json")["memory"] for device in ("cpu", "cuda"))
        self.assertEqual((cpu["device"], gpu["device"]), ("cpu", "cuda"))
        self.assertEqual(gpu["device_bytes"], gpu["weights_bytes"] + gpu["kv_bytes"] + gpu["scratch_bytes"])
        self.assertEqual(gpu["kv_bytes"], cpu["kv_bytes"])
        self.assertGreater(gpu["peak_bytes"], gpu["device_bytes"] + gpu["pinned_bytes"] + gpu["allowed_for_cuda_bytes"])
        self.assertNotIn("device_bytes", cpu)
        self.fails(2, "info", self.model, "--device", "tpu", says="expected auto, cpu, cuda or ref")

    def test_memory_of_a_cache_of_other_types(self):
        model = os.path.join(os.environ["TINYLLM_SOURCE_DIR"], "tools/embedded/models/tiny-llama")
        def kv_bytes(k, v):
            return self.json("info", model, "-c", "128", "-ctk", k, "-ctv", v, "--json")["memory"]["kv_bytes"]
        each = 128 * 4 * 2  # positions, layers, heads of 32 elements
        self.assertEqual(kv_bytes("f32", "f16"), each * 32 * (4 + 2))
        self.assertEqual(kv_bytes("q8_0", "q4_0"), each * (34 + 18))
        self.fails(4, "info", self.model, "-ctk", "q4_0", says=[self.model, "q4_0"])


if __name__ == "__main__":
    harness.main()
