"""bench/roofline.py: its arithmetic on a model small enough for paper, the shapes of all checkpoints, and that docs/jetson.md holds its tables."""
import os
import subprocess
import sys
import unittest

ROOT = os.environ.get("TINYLLM_SOURCE_DIR", "")
sys.path.insert(0, os.path.join(ROOT, "bench"))

import checkpoints  # noqa: E402
import roofline  # noqa: E402

# Two layers of Llama, 256 wide, two heads of 128 of which one has keys; a head of its own.
TINY = checkpoints.Checkpoint({"model_type": "llama", "hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
                               "intermediate_size": 512, "vocab_size": 1000, "tie_word_embeddings": False}, "safetensors", "float16", "llama")
PER_LAYER = 2 * 256 * 256 + 2 * 128 * 256 + 3 * 512 * 256
HEAD = 1000 * 256
SLOW = roofline.Board("", 1e6, 1e30, 1e30)   # bytes alone count
WEAK = roofline.Board("", 1e30, 1e9, 1e10)   # operations alone
FREE = roofline.Assumed(1, 1, 1, 0)


class RooflineTest(unittest.TestCase):
    def test_every_element_is_counted_once(self):
        for name, checkpoint in checkpoints.CHECKPOINTS.items():
            weights, vectors = roofline.weights_of(checkpoint)
            self.assertEqual(sum(w.rows * w.cols for w in weights) + vectors, checkpoints.parameters(checkpoint), name)
            self.assertEqual(sum(w.kind == "head" for w in weights), 1, name)
            layers, dim, heads, kv_heads, head, ff, vocab = roofline.shape_of(checkpoint.config)
            by_kind = {w.kind: w for w in weights}
            self.assertEqual(by_kind["head"].rows, vocab, name)
            self.assertEqual((by_kind["down"].rows, by_kind["down"].cols), (dim, ff), name)
            self.assertIn(by_kind["values"].rows, (kv_heads * head, 3 * dim), name)
            self.assertEqual(heads * head, dim, name)

    def test_bytes_of_a_generated_token(self):
        for kind, bytes_each in (("f32", 4), ("f16", 2), ("q8_0", 34 / 32), ("q4_0", 18 / 32)):
            cache = 2 * 2 * 2 * 128 * 100  # keys and values, two bytes, two layers, a head of 128, 100 positions
            expected = 1e6 / ((2 * PER_LAYER + HEAD) * bytes_each + cache)
            self.assertAlmostEqual(roofline.estimate(TINY, kind, SLOW, FREE).tokens_per_s / expected, 1, 12)
            half = roofline.Assumed(0.5, 1, 1, 0)
            self.assertAlmostEqual(roofline.estimate(TINY, kind, SLOW, half).tokens_per_s / expected, 0.5, 12)

    def test_operations_of_a_question(self):
        attention = 4 * 2 * 2 * 128 * (100 * 101 // 2)
        products = 2 * 100 * 2 * PER_LAYER
        told = roofline.estimate(TINY, "f16", WEAK, FREE)
        self.assertAlmostEqual(told.question_ms, (products + 2 * HEAD + attention) / 1e9 * 1e3, 9)
        # One row of the head is nothing for tensor cores, attention has none.
        self.assertAlmostEqual(told.question_tensor_ms, (products / 1e10 + (2 * HEAD + attention) / 1e9) * 1e3, 9)
        told = roofline.estimate(TINY, "f32", WEAK, FREE)
        self.assertEqual(told.question_tensor_ms, told.question_ms)

    def test_the_longer_of_both_and_launches(self):
        weight = roofline.Weight("other", 10, 20, 7, 1)
        board = roofline.Board("", 100, 1000, 1000)
        self.assertEqual(roofline.product_s(weight, "f32", 1, board, FREE, False), 8)      # 800 bytes, 400 operations
        self.assertEqual(roofline.product_s(weight, "f32", 30, board, FREE, False), 12)    # 12,000 operations
        self.assertEqual(roofline.product_s(weight, "f32", 0, board, FREE, False), 0)
        endless = roofline.Board("", 1e30, 1e30, 1e30)
        told = roofline.estimate(TINY, "f16", endless, roofline.Assumed(1, 1, 1, 1e-3))
        self.assertAlmostEqual(told.question_ms, 22, 9)  # nine a layer, four more
        self.assertAlmostEqual(told.tokens_per_s, 1000 / 15, 9)

    def test_types_of_a_mixture(self):
        weights, _ = roofline.weights_of(TINY)
        types = roofline.types_of(weights, "q4_k_m", 2, "f16")
        found = {}
        for weight, held in zip(weights, types):
            found.setdefault(weight.kind, []).append(held)
        # Of two layers the last one is sensitive (7 * 2 / 8 = 1).
        self.assertEqual((found["head"], found["values"], found["down"]), (["q6_k"], ["q4_k", "q6_k"], ["q4_k", "q6_k"]))
        self.assertEqual(set(found["other"]), {"q4_k"})
        narrow = [roofline.Weight("head", 5, 96, 1, 1), roofline.Weight("other", 5, 96, 1, 1), roofline.Weight("positions", 5, 96, 0, 0)]
        self.assertEqual(roofline.types_of(narrow, "q4_k_m", 2, "f16"), ["q8_0", "q5_0", "f16"])

    def test_t5_encodes_once(self):
        weights, _ = roofline.weights_of(checkpoints.CHECKPOINTS["google/flan-t5-base"])
        for weight in weights:
            self.assertIn((weight.in_prompt, weight.in_decode), ((100, 0), (1, 1), (0, 0)))
        # 12 encoder layers of 7 matrices, and of the decoder's the keys and values of what was read.
        self.assertEqual(sum(w.in_prompt == 100 for w in weights), 12 * 7 + 12 * 2)

    def test_the_document_has_these_tables(self):
        def rows(text):
            """Cells by model and place; the study's own figures aside."""
            found, heading, skip = {}, "", 0
            for line in text.splitlines():
                if line.startswith("### "):
                    heading = line
                cells = [cell.strip() for cell in line.strip("|").split("|")]
                if cells[0] == "model" and heading:
                    skip = [i for i, cell in enumerate(cells) if "published" in cell]
                elif cells[0] in checkpoints.CHECKPOINTS and heading:
                    found[heading, cells[0]] = [cell for i, cell in enumerate(cells) if i not in skip]
            return found
        done = subprocess.run([sys.executable, os.path.join(ROOT, "bench", "roofline.py")], capture_output=True, text=True, check=True, timeout=60)
        with open(os.path.join(ROOT, "docs", "jetson.md")) as file:
            document = file.read()
        made = rows(done.stdout)
        self.assertEqual(len(made), 4 * 20)
        self.assertEqual(rows(document), made)
        # No column without the word but names and what the study published.
        for line in document.splitlines():
            if line.startswith("| model"):
                for cell in line.strip("|").split("|")[1:]:
                    self.assertTrue("estimated" in cell or "published" in cell, cell)


if __name__ == "__main__":
    if not ROOT:
        sys.exit(77)
    unittest.main()
