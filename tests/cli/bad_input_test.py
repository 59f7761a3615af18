"""Models that are not there, not known, damaged or too large: one line, and the exit code that says which."""
import json
import os
import resource
import struct

import harness
import tiny_model


class BadInputTest(harness.CommandTest):
    def test_missing_model_says_where_it_looked(self):
        for command in ("run", "generate", "score", "tokenize"):
            self.fails(3, command, self.path("nowhere"), "text", says=self.path("nowhere"))
        self.fails(3, "run", "some-org/some-model", "text", says=["some-org/some-model", self.path("no-cache")])
        self.fails(3, "info", "some-org/some-model@v2", says="some-org/some-model")
        self.fails(3, "run", "../../etc@main", "text")

    def test_hub_cache(self):
        cache = self.path("hub")
        snapshot = os.path.join(cache, "models--our--tiny", "snapshots", "0123abcd")
        tiny_model.write_folder(snapshot)
        os.makedirs(os.path.join(cache, "models--our--tiny", "refs"), exist_ok=True)
        with open(os.path.join(cache, "models--our--tiny", "refs", "main"), "w") as file:
            file.write("0123abcd")
        for name in ("our/tiny", "our/tiny@main", "our/tiny@0123abcd"):
            self.assertEqual(self.json("tokenize", name, "a", "--json", env={"TINYLLM_CACHE": cache})["tokens"], [97])
            self.assertEqual(self.json("tokenize", name, "a", "--json", env={"HF_HUB_CACHE": cache})["tokens"], [97])
        self.fails(3, "tokenize", "our/tiny@v9", "a", env={"TINYLLM_CACHE": cache}, says=["v9", cache])

    def test_folder_with_one_gguf_is_that_file(self):
        os.makedirs(self.path("one"), exist_ok=True)
        tiny_model.write_gguf(self.path("one", "m.gguf"))
        self.assertEqual(self.json("tokenize", self.path("one"), "a", "--json")["tokens"], [97])

    def test_missing_text_file(self):
        for words in (["run", self.model, "-f"], ["generate", self.model, "--text-file"], ["tokenize", self.model, "--text-file"]):
            self.fails(3, *words, self.path("no.txt"), says=self.path("no.txt"))

    def test_unknown_architecture(self):
        folder = tiny_model.write_folder(self.path("alien"), model_type="alien", architectures=["AlienForCausalLM"])
        self.fails(4, "run", folder, "a", says="alien")
        self.fails(4, "run", tiny_model.write_gguf(self.path("alien.gguf"), architecture="alien"), "a", says="alien")

    def test_unknown_activation_and_tokenizer_node(self):
        folder = tiny_model.write_folder(self.path("activation"), activation_function="snake")
        self.fails(4, "run", folder, "a", says="snake")
        folder = tiny_model.write_folder(self.path("node"))
        rules = tiny_model.tokenizer()
        rules["pre_tokenizer"] = {"type": "Whimsical"}
        with open(os.path.join(folder, "tokenizer.json"), "w") as file:
            json.dump(rules, file)
        self.fails(4, "tokenize", folder, "a", says="Whimsical")

    def test_truncated_files(self):
        with open(self.gguf, "rb") as file:
            whole = file.read()
        for keep in (0, 3, 4, 20, 1000, len(whole) // 2, len(whole) - 1):
            path = self.write(f"cut{keep}.gguf", whole[:keep])
            self.fails(7, "run", path, "a", says=path)
        folder = tiny_model.write_folder(self.path("cut"))
        weights = os.path.join(folder, "model.safetensors")
        with open(weights, "rb") as file:
            whole = file.read()
        for keep in (0, 7, 100, len(whole) - 1):
            with open(weights, "wb") as file:
                file.write(whole[:keep])
            self.fails(7, "run", folder, "a", says="model.safetensors")

    def test_lying_lengths(self):
        with open(self.gguf, "rb") as file:
            whole = bytearray(file.read())
        for place in (8, 16):  # number of tensors, number of keys
            broken = bytearray(whole)
            struct.pack_into("<Q", broken, place, 2**62)
            self.fails(7, "run", self.write("lying.gguf", bytes(broken)), "a")

    def test_contradictory_and_broken_config(self):
        self.fails(7, "run", tiny_model.write_folder(self.path("wide"), n_embd=64), "a")
        self.fails(7, "run", tiny_model.write_folder(self.path("heads"), n_head=5), "a")
        folder = tiny_model.write_folder(self.path("broken"))
        with open(os.path.join(folder, "config.json"), "w") as file:
            file.write('{"model_type": "gpt2", ')
        self.fails(7, "run", folder, "a", says="config.json")

    def test_missing_and_left_over_tensors(self):
        weights = tiny_model.tensors()
        del weights["h.0.mlp.c_fc.bias"]
        self.fails(7, "run", tiny_model.write_folder(self.path("missing"), weights), "a", says="c_fc")
        weights = tiny_model.tensors()
        weights["h.0.extra.weight"] = ((tiny_model.DIM,), [0.0] * tiny_model.DIM)
        done = self.run_command("run", tiny_model.write_folder(self.path("extra"), weights), "a")
        self.assertIn(done.returncode, (4, 7))
        self.assertIn(b"extra", done.stderr)

    def test_weights_that_are_no_numbers(self):
        for bad in (float("nan"), float("inf")):
            weights = tiny_model.tensors()
            weights["h.0.mlp.c_fc.weight"][1][5] = bad
            self.fails(7, "run", tiny_model.write_folder(self.path("nan"), weights), "a", says="c_fc")
            self.fails(7, "score", tiny_model.write_gguf(self.path("nan.gguf"), weights), "a", says="ffn_up")

    def test_quantized_weights_that_are_none(self):
        def q5_0(scale):
            """The embeddings as blocks of 32: a scale, the fifth bits, the nibbles."""
            whole = struct.pack("<e", 0.01) + bytes(range(20))
            return {"wte.weight": (6, struct.pack("<e", scale) + bytes(20) + whole * (tiny_model.VOCAB - 1))}

        good = tiny_model.write_gguf(self.path("q5_0.gguf"), stored=q5_0(0.02))
        self.assertEqual(len(self.json("run", good, "a", "-n", "1", "--ignore-eos", "--json")["tokens"]), 1)
        for scale in (float("nan"), float("inf"), float("-inf")):
            self.fails(7, "run", tiny_model.write_gguf(self.path("scale.gguf"), stored=q5_0(scale)), "a", says=["token_embd", "element 0", "finite"])
            self.fails(7, "quantize", self.path("scale.gguf"), self.path("out.gguf"), "--type", "q8_0", says=["token_embd", "element 0"])
        # Rows of 32, and types whose blocks hold 256.
        for kind, name in ((10, "q2_k"), (11, "q3_k"), (12, "q4_k"), (13, "q5_k"), (14, "q6_k")):
            path = tiny_model.write_gguf(self.path("narrow.gguf"), stored={"wte.weight": (kind, bytes(1 << 14))})
            self.fails(7, "run", path, "a", says=[path, "token_embd", "32", "256", name])
        with open(good, "rb") as file:
            whole = file.read()
        cut = self.write("cut.gguf", whole[:-1])
        self.fails(7, "run", cut, "a", says=[cut, "ends at byte"])

    def test_no_weights_or_no_tokenizer(self):
        folder = tiny_model.write_folder(self.path("bare"))
        os.remove(os.path.join(folder, "model.safetensors"))
        self.fails(3, "run", folder, "a", says="safetensors")
        folder = tiny_model.write_folder(self.path("mute"))
        os.remove(os.path.join(folder, "tokenizer.json"))
        self.fails(3, "tokenize", folder, "a")

    def test_questions_nested_deep(self):
        row = '{"goal": "a", "sol1": "b", "sol2": "c", "label": 0, "more": %s}'
        deep = self.write("deep.jsonl", row % "[]" + "\n" + row % ("[" * 100000 + "]" * 100000) + "\n")
        self.fails(7, "eval", self.model, "-t", "piqa", "--data", f"piqa={deep}", "-s", "-o", self.path("results"), says=["deep.jsonl:2", "64 levels"])

    def test_device_asked_for_is_a_demand(self):
        if self.json("info", "--json")["gpu"]["devices"]:
            self.skipTest("there is a GPU")
        self.fails(9, "run", self.model, "a", "--device", "cuda", says="cuda")
        self.fails(2, "run", self.model, "a", "--device", "abacus", says="abacus")

    def test_model_that_would_not_fit(self):
        proc = self.path("tree", "proc")
        os.makedirs(proc, exist_ok=True)
        with open(os.path.join(proc, "meminfo"), "w") as file:
            file.write("MemTotal:       64 kB\nMemAvailable:   64 kB\n")
        self.fails(5, "run", self.model, "a", env={"TINYLLM_SYSFS_ROOT": self.path("tree")}, says=["memory", "KiB"])

    def test_memory_that_runs_out(self):
        """Limits the address space a little above what starting takes, until loading meets the limit."""
        def limited(kib):
            return self.run_command("score", self.model, "a", "--json", "-t", "1",
                                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (kib << 10, kib << 10)))

        enough = 1 << 21
        if limited(enough).returncode:
            self.skipTest("needs more than 2 GiB of address space, as sanitizers do")
        few = 1 << 10
        while enough - few > 64:
            middle = (enough + few) // 2
            few, enough = (few, middle) if limited(middle).returncode == 0 else (middle, enough)
        done = limited(few)
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertEqual(done.stdout, b"")


if __name__ == "__main__":
    harness.main()
