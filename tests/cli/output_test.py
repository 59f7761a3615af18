"""Output forms, where they go, settings' precedence, help and usage errors."""
import csv
import io
import json
import os
import stat
import subprocess

import harness


class OutputTest(harness.CommandTest):
    def test_help_lists_commands_and_exits_0(self):
        text = self.output("--help").decode()
        for name in ("bench", "generate", "info", "run", "score", "tokenize"):
            self.assertIn(f"\n  {name} ", text)
            usage = self.output(name, "--help").decode()
            self.assertIn(f"tinyllm {name}", usage)
            self.assertIn("--json", usage)

    def test_version(self):
        self.assertRegex(self.output("--version").decode(), r"^tinyllm \d+\.\d+\.\d+\n$")

    def test_usage_errors_exit_2(self):
        self.fails(2)
        self.fails(2, "no-such-command")
        self.fails(2, "run")
        self.fails(2, "info", "--no-such-flag", says="--no-such-flag")
        self.fails(2, "info", "--format", "xml", says=["--format", "xml"])
        self.fails(2, "tokenize", self.model, says="text")
        self.fails(2, "tokenize", self.model, "a", "--text-file", self.model)
        self.fails(2, "run", self.model, "a", "-n", "many")
        self.fails(2, "run", self.model, "a", "-n", "-2")
        self.fails(2, "run", self.model, "a", "--top-p", "2", says="top_p")
        self.fails(2, "run", self.model, "a", "-ctk", "q9_9", says=["-ctk", "q9_9"])
        self.fails(2, "generate", self.model, "a", "--greedy", "--temp", "1", says="--greedy")

    def test_every_format_holds_the_same_rows(self):
        words = ["tokenize", self.model, "a|b,\"c\n"]
        self.assertEqual(self.output(*words, "--format", "json"), self.output(*words, "--json"))
        tokens = self.json(*words, "--json")["tokens"]
        self.assertEqual(tokens, list(b"a|b,\"c\n"))
        rows = list(csv.DictReader(io.StringIO(self.output(*words, "--format", "csv").decode())))
        self.assertEqual([int(r["token"]) for r in rows], tokens)
        self.assertEqual(rows[4]["piece"], '"')
        markdown = self.output(*words, "--format", "md").decode().splitlines()
        self.assertEqual(len(markdown), 2 + len(tokens))
        self.assertIn("\\|", markdown[3])
        table = self.output(*words).decode().splitlines()
        self.assertEqual([int(line.split()[0]) for line in table[1:]], tokens)

    def test_quantize_tells_type_bits_and_error_of_each_tensor(self):
        out = self.path("quantized.gguf")
        for flags, kind, bits in ((["--type", "q5_1"], "q5_1", 6), (["--type", "iq4_nl"], "iq4_nl", 4.5), (["--type", "q4_k"], "f16", 16),
                                  (["--type", "q4_k", "--fallback"], "q5_0", 5.5), (["--type", "q6_k", "--fallback"], "q8_0", 8.5)):
            report = self.json("quantize", self.gguf, out, *flags, "--json")
            by_name = {row["tensor"]: row for row in report["tensors"]}
            up = by_name["blk.0.ffn_up.weight"]
            self.assertEqual((up["from"], up["type"], up["bits_per_weight"]), ("f32", kind, bits))
            self.assertTrue(0 < up["rms_error"] < 0.1, up)
            self.assertEqual(by_name["blk.0.ffn_norm.weight"]["rms_error"], 0)
            self.assertEqual(up["note"] is None, kind == flags[1])
            self.assertEqual(report["bytes"], os.path.getsize(out))
            rows = {row["name"]: row for row in self.json("info", out, "--tensors", "--json")["tensors"]}
            self.assertEqual(rows["blk.0.ffn_up.weight"]["type"], kind)
            self.assertEqual(len(self.json("run", out, "a", "-n", "2", "--ignore-eos", "--json")["tokens"]), 2)
        table = self.output("quantize", self.gguf, "--dry-run", "--type", "q4_1").decode()
        self.assertIn("bits/weight", table)
        self.assertIn("rms error", table)

    def test_a_mix_of_a_size(self):
        mixes = []
        for name in ("a.gguf", "b.gguf"):
            out = self.path(name)
            report = self.json("quantize", self.gguf, out, "--target-size", "0.45", "--json")
            self.assertEqual(report["bytes"], os.path.getsize(out))
            self.assertEqual(report["bytes"], report["search"]["bytes"])
            self.assertLessEqual(report["bytes"], 0.45 * 4 * report["parameters"])
            self.assertTrue(all(kind["divergence"] > 0 for kind in report["search"]["kinds"]), report["search"])
            with open(out, "rb") as file:
                mixes.append(file.read())
        self.assertEqual(mixes[0], mixes[1])
        self.assertEqual([name for name in os.listdir(os.path.dirname(out)) if name.endswith(".trial")], [])
        larger = self.json("quantize", self.gguf, "--dry-run", "--target-size", "0.6", "--json")
        self.assertLess(larger["search"]["predicted_divergence"], report["search"]["predicted_divergence"])

    def test_importance_matrix(self):
        text, matrix = self.path("text"), self.path("imatrix.gguf")
        with open(text, "w") as file:
            file.write("a cat and a dog " * 8)
        report = self.json("imatrix", self.gguf, "-f", text, "-c", "16", "-o", matrix, "--json")
        self.assertEqual(report["chunk_size"], 16)
        self.assertIn("blk.0.ffn_down.weight", {row["tensor"] for row in report["tensors"]})
        for form in ("gguf", "dat"):
            self.output("imatrix", self.gguf, "-f", text, "-c", "16", "-o", matrix, "--output-format", form)
            quantized = self.json("quantize", self.gguf, "--dry-run", "--type", "q4_0", "--imatrix", matrix, "--json")
            down = next(row for row in quantized["tensors"] if row["tensor"] == "blk.0.ffn_down.weight")
            self.assertTrue(0 < down["weighted_error"] < down["rms_error"] * 1.5, down)

    def test_output_file(self):
        target = self.path("out.json")
        self.assertEqual(self.output("tokenize", self.model, "abc", "--json", "-o", target), b"")
        with open(target) as file:
            self.assertEqual(json.load(file)["tokens"], [97, 98, 99])
        self.output("tokenize", self.model, "abd", "--json", "-o", target)
        with open(target) as file:
            self.assertEqual(json.load(file)["tokens"], [97, 98, 100])
        self.assertEqual([n for n in os.listdir(self.path()) if "tmp" in n], [])

    def test_unwritable_output_exits_1_and_leaves_nothing(self):
        self.fails(1, "info", "-o", self.path("none", "out"), says=self.path("none", "out"))
        self.fails(1, "info", "-o", self.path(), says="directory")
        self.fails(1, "info", "-o", "/dev/full", says=["/dev/full", "No space left"])
        if os.geteuid() != 0:
            os.makedirs(self.path("locked"), exist_ok=True)
            os.chmod(self.path("locked"), stat.S_IRUSR | stat.S_IXUSR)
            self.fails(1, "info", "-o", self.path("locked", "out"), says="denied")

    def test_full_disk_behind_standard_output_exits_1(self):
        for words in (["info"], ["info", "--json"], ["--help"], ["tokenize", self.model, "abc"], ["run", self.model, "abc", "-n", "4"],
                      ["generate", self.model, "abc", "--max-tokens", "4", "--json"], ["score", self.model, "abc"]):
            with open("/dev/full", "wb") as full:
                self.fails(1, *words, stdout=full, says=["standard output", "No space left"])

    def test_reader_that_left_is_no_error(self):
        read, write = os.pipe()
        os.close(read)
        done = self.run_command("run", self.model, "abc", "-n", "8", stdout=write)
        os.close(write)
        self.assertEqual(done.stderr, b"")
        self.assertEqual(done.returncode, 0)

    def test_flag_beats_environment_beats_config_beats_default(self):
        config = self.write("c.toml", 'format = "csv"\n[tokenize]\nno-special = true\n[run]\ntemp = 0.1\n')
        words = ["tokenize", self.model, "a"]

        def first_line(*more, **env):
            return self.output(*words, *more, env=env).decode().splitlines()[0]

        self.assertEqual(first_line(), "token  piece")
        self.assertEqual(first_line("--config", config), "token,piece")
        self.assertEqual(first_line(TINYLLM_CONFIG=config), "token,piece")
        self.assertEqual(first_line("--config", config, TINYLLM_FORMAT="md")[0], "|")
        self.assertEqual(first_line("--config", config, "--format", "jsonl", TINYLLM_FORMAT="md")[0], "{")
        self.assertEqual(first_line("--config", config, "--json", TINYLLM_FORMAT="md")[0], "{")

    def test_bad_settings_are_named(self):
        self.fails(2, "info", "--config", self.write("bad.toml", "no-such-option = 1\n"), says="no-such-option")
        self.fails(2, "info", "--config", self.path("none.toml"), says="none.toml")
        self.fails(2, "run", self.model, "a", env={"TINYLLM_TEMP": "warm"}, says="warm")

    def test_quiet_and_verbose(self):
        done = self.run_command("run", self.model, "a", "-n", "2", "-v")
        self.assertIn(b"gpt2", done.stderr)
        self.assertEqual(self.run_command("run", self.model, "a", "-n", "2").stderr, b"")


if __name__ == "__main__":
    harness.main()
