"""tokenize, run, generate and score on a small random model."""
import json
import math
import os

import harness
import tiny_model


class TokenizeTest(harness.CommandTest):
    def test_bytes_of_a_file_are_untouched(self):
        text = b"  a\r\nb\t\xc3\xa9 \n\n"
        got = self.json("tokenize", self.model, "--text-file", self.write("t.txt", text), "--json")
        self.assertEqual(set(got), {"tokens", "pieces"})
        self.assertEqual(got["tokens"], list(text))
        pieces = tiny_model.byte_pieces()
        self.assertEqual(got["pieces"], [pieces[b] for b in text])

    def test_gguf_equals_folder(self):
        text = self.write("t2.txt", "One two <|endoftext|> three é")
        self.assertEqual(self.json("tokenize", self.gguf, "--text-file", text, "--json"), self.json("tokenize", self.model, "--text-file", text, "--json"))

    def test_special_tokens_in_the_text(self):
        self.assertEqual(self.json("tokenize", self.model, "a<|endoftext|>", "--json")["tokens"], [97, 256])

    def test_empty_text(self):
        self.assertEqual(self.json("tokenize", self.model, "--text-file", self.write("empty", ""), "--json"), {"tokens": [], "pieces": []})
        self.assertEqual(self.json("tokenize", self.model, "", "--json")["tokens"], [])

    def test_decode(self):
        self.assertEqual(self.output("tokenize", self.model, "--decode", "104,105"), b"hi")
        self.assertEqual(self.output("tokenize", self.model, "--decode", "--text-file", self.write("ids", "[104, 105,\n 256]")), b"hi<|endoftext|>")
        self.assertEqual(self.output("tokenize", self.model, "--decode", "--no-special", "104 256 105"), b"hi")
        self.assertEqual(self.json("tokenize", self.model, "--decode", "104", "--json"), {"tokens": [104], "text": "h"})
        self.fails(2, "tokenize", self.model, "--decode", "104,x", says="x")
        self.fails(2, "tokenize", self.model, "--decode", "104,99999", says="99999")

    def test_needs_no_weights(self):
        import os
        import shutil
        folder = self.path("tokenizer-only")
        os.makedirs(folder, exist_ok=True)
        shutil.copy(os.path.join(self.model, "tokenizer.json"), folder)
        self.assertEqual(self.json("tokenize", folder, "ab", "--json")["tokens"], [97, 98])


class GenerateTest(harness.CommandTest):
    def generate(self, *words, model=None):
        return self.json("generate", model or self.model, *words, "--json")

    def test_keys_and_greedy_repeatability(self):
        got = self.generate("Hello", "--max-tokens", "12", "--greedy", "--exact", "--ignore-eos")
        self.assertEqual(set(got), {"prompt_tokens", "tokens", "text", "timings"})
        self.assertEqual(got["prompt_tokens"], list(b"Hello"))
        self.assertEqual(len(got["tokens"]), 12)
        for key in ("load_ms", "prompt_n", "prompt_ms", "predicted_n", "predicted_ms", "predicted_per_second"):
            self.assertGreaterEqual(got["timings"][key], 0)
        again = self.generate("Hello", "--max-tokens", "12", "--exact", "--ignore-eos", "-t", "1")
        self.assertEqual(again["tokens"], got["tokens"])
        as_gguf = self.generate("Hello", "--max-tokens", "12", "--exact", "--ignore-eos", model=self.gguf)
        self.assertEqual(as_gguf["tokens"], got["tokens"])
        self.assertEqual(self.output("tokenize", self.model, "--decode", "--no-special", ",".join(map(str, got["tokens"]))).decode(), got["text"])

    def test_ids_and_text_agree(self):
        by_text = self.generate("abc", "--max-tokens", "5")
        for words in (["--ids", "97,98,99"], ["--ids", "97", "98", "99"], ["--ids=[97, 98, 99]"]):
            self.assertEqual(self.generate("--max-tokens", "5", *words)["tokens"], by_text["tokens"])
        self.fails(2, "generate", self.model, "--ids", "97,300", says="300")

    def test_greedy_follows_the_scores(self):
        tokens = list(b"abc")
        for token in self.generate("--ids", "97,98,99", "--max-tokens", "4", "--exact", "--ignore-eos")["tokens"]:
            text = self.output("tokenize", self.model, "--decode", ",".join(map(str, tokens)))
            if b"\xef\xbf\xbd" in text:
                break  # the bytes so far are no text of their own
            logits = self.json("score", self.model, "--text-file", self.write("prefix", text), "--exact", "--logits", "--json")["next_logits"]
            self.assertEqual(token, logits.index(max(logits)))
            tokens.append(token)

    def test_seed_repeats_and_matters(self):
        def draw(seed):
            return self.generate("x", "--max-tokens", "24", "--temp", "1.5", "--seed", seed, "--ignore-eos")["tokens"]

        self.assertEqual(draw(7), draw(7))
        self.assertTrue(any(draw(7) != draw(seed) for seed in (8, 9, 10)))

    def test_stop_string_ends_the_text_before_it(self):
        whole = self.generate("q", "--max-tokens", "30", "--ignore-eos")["text"]
        stop = whole[3:5]
        got = self.generate("q", "--max-tokens", "30", "--ignore-eos", "--stop", stop)
        self.assertEqual(got["text"], whole[:whole.index(stop)])

    def test_empty_prompt_starts_from_bos(self):
        got = self.generate("--text-file", self.write("nothing", ""), "--max-tokens", "3")
        self.assertEqual(got["prompt_tokens"], [256])

    def test_prompt_longer_than_the_context(self):
        long = self.write("long", "a" * 100)
        self.fails(2, "generate", self.model, "--text-file", long, says=["100", "96"])
        self.fails(2, "run", self.model, "-f", long, says=["100", "96"])
        self.fails(2, "run", self.model, "abcdef", "-c", "4", says=["6", "4"])
        self.fails(2, "score", self.model, "--text-file", long, says=["100", "96"])

    def test_full_context_ends_the_text(self):
        got = self.generate("a" * 90, "--max-tokens", "50", "--ignore-eos")
        self.assertLessEqual(len(got["prompt_tokens"]) + len(got["tokens"]), 97)
        self.assertGreaterEqual(len(got["tokens"]), 6)

    def test_zero_tokens(self):
        self.assertEqual(self.generate("a", "--max-tokens", "0")["tokens"], [])


class RunTest(harness.CommandTest):
    def test_streamed_text_is_generates_text(self):
        text = self.json("generate", self.model, "Hi", "--max-tokens", "20", "--json", "--ignore-eos")["text"]
        for words in (["Hi"], ["-p", "Hi"], ["-f", self.write("p", "Hi")]):
            got = self.output("run", self.model, *words, "-n", "20", "--temp", "0", "--ignore-eos").decode()
            self.assertEqual(got, text + "\n")

    def test_json(self):
        got = self.json("run", self.model, "Hi", "-n", "6", "--seed", "3", "--json")
        for key in ("text", "prompt_tokens", "tokens", "timings", "memory", "stop", "seed"):
            self.assertIn(key, got)
        self.assertEqual(got["seed"], 3)
        for key in ("weights", "kv", "scratch"):
            self.assertGreater(got["memory"][key], 0)

    def test_cache_types(self):
        for kind in ("f32", "f16"):
            self.output("run", self.model, "Hi", "-n", "4", "-ctk", kind, "-ctv", kind)
        self.fails(2, "run", self.model, "Hi", "--exact", "-ctk", "f16", says="--exact")
        for flag in ("-ctk", "-ctv"):  # heads of 16: no blocks of 32
            self.fails(4, "run", self.model, "Hi", flag, "q8_0", says=[self.model, "q8_0", "16"])
        self.fails(4, "run", self.model, "Hi", "-ctk", "bf16", says="bf16")

    def test_quantized_cache(self):
        model = os.path.join(os.environ["TINYLLM_SOURCE_DIR"], "tools/embedded/models/tiny-llama")  # heads of 32
        text = self.write("s", "the cat and the dog and the bird and the cat")
        plain = self.json("score", model, "--text-file", text, "-ctk", "f32", "-ctv", "f32", "--json")
        for k, v in (("q8_0", "q8_0"), ("q4_0", "q8_0"), ("f16", "q4_0")):
            self.output("run", model, "the", "-n", "4", "-ctk", k, "-ctv", v)
            got = self.json("score", model, "--text-file", text, "-ctk", k, "-ctv", v, "--json")
            self.assertNotEqual(got, plain)
            self.assertAlmostEqual(sum(got["logprobs"][1:]), sum(plain["logprobs"][1:]), delta=0.3 * len(got["logprobs"]))
        context, more = self.write("c", "the cat"), self.write("d", " and the dog")
        pair = ["score", model, "--context-file", context, "--continuation-file", more, "--json"]
        self.assertNotEqual(self.json(*pair, "-ctk", "q4_0", "-ctv", "q4_0"), self.json(*pair))


class ScoreTest(harness.CommandTest):
    def test_text(self):
        got = self.json("score", self.model, "--text-file", self.write("s", "Score me"), "--logits", "--exact", "--json")
        self.assertEqual(set(got), {"tokens", "logprobs", "next_logits"})
        self.assertEqual(got["tokens"], list(b"Score me"))
        self.assertIsNone(got["logprobs"][0])
        self.assertTrue(all(value < 0 for value in got["logprobs"][1:]))
        self.assertEqual(len(got["logprobs"]), len(got["tokens"]))
        self.assertEqual(len(got["next_logits"]), tiny_model.VOCAB)
        self.assertNotIn("next_logits", self.json("score", self.model, "Score me", "--json"))

    def test_log_probabilities_are_the_logits_softmax(self):
        logits = self.json("score", self.model, "ab", "--logits", "--exact", "--json")["next_logits"]
        most = max(logits)
        total = most + math.log(sum(math.exp(value - most) for value in logits))
        logprob = self.json("score", self.model, "abc", "--exact", "--json")["logprobs"][2]
        self.assertAlmostEqual(logprob, logits[ord("c")] - total, delta=1e-4)

    def test_pair_is_the_sum_of_the_continuation(self):
        logprobs = self.json("score", self.model, "The end is near", "--exact", "--json")["logprobs"]
        got = self.json("score", self.model, "--context-file", self.write("c", "The end "), "--continuation-file", self.write("d", "is near"), "--exact",
                        "--json")
        # The space at the context's end is scored with the continuation.
        self.assertEqual(got["n_tokens"], 8)
        self.assertEqual(got["tokens"], list(b" is near"))
        self.assertAlmostEqual(got["logprob"], sum(logprobs[7:]), delta=1e-3)
        self.assertIs(got["is_greedy"], False)

    def test_empty_context_is_the_end_token(self):
        got = self.json("score", self.model, "--context-file", self.write("e", ""), "--continuation-file", self.write("d2", "x"), "--exact", "--json")
        self.assertEqual((got["context_tokens"], got["tokens"]), ([256], [120]))

    def test_bad_input(self):
        self.fails(2, "score", self.model, "--text-file", self.write("empty", ""))
        self.fails(2, "score", self.model, "--context-file", self.path("c"))
        self.fails(3, "score", self.model, "--text-file", self.path("none"), says=self.path("none"))


if __name__ == "__main__":
    harness.main()
