"""predict's known shapes beside bench/checkpoints.py, and its GPU beside bench/roofline.py, which count in their own ways."""
import json
import os
import subprocess
import sys
import unittest

ROOT, COMMAND = os.environ.get("TINYLLM_SOURCE_DIR", ""), os.environ.get("TINYLLM", "")
sys.path.insert(0, os.path.join(ROOT, "bench"))

import checkpoints  # noqa: E402
import roofline  # noqa: E402


def predict(*words):
    env = {**os.environ, "HF_HUB_CACHE": "/nonexistent"}
    done = subprocess.run([COMMAND, "predict", *words, "--json"], capture_output=True, text=True, check=True, timeout=60, env=env)
    return json.loads(done.stdout)


class ShapesTest(unittest.TestCase):
    def test_every_checkpoint(self):
        for name, checkpoint in checkpoints.CHECKPOINTS.items():
            kinds = ("f16", "q8_0", "q4_0", "q4_k_m")
            found = predict(name, "--board", "orin-nano", "--device", "cuda", "--type", ",".join(kinds), "-p", "100", "-n", "1", "--protocol", "study")
            self.assertEqual(found["parameters"], checkpoints.parameters(checkpoint), name)
            weights, vectors = roofline.weights_of(checkpoint)
            flops = sum(2 * w.in_prompt * w.rows * w.cols for w in weights)
            # roofline.py has T5's decoder stand as far as its encoder; here it generates its first token.
            far = 0.07 if checkpoint.config["model_type"] == "t5" else 0.02
            stored = "f32" if checkpoint.dtype == "float32" else "f16"
            for i, kind in enumerate(kinds):
                types = roofline.types_of(weights, kind, roofline.shape_of(checkpoint.config)[0], stored)
                held = sum(roofline.weight_bytes(w, t) for w, t in zip(weights, types)) + 4 * vectors
                for mode, row in enumerate(found["rows"][2 * i:2 * i + 2]):
                    guess = roofline.estimate(checkpoint, kind, roofline.BOARDS[mode], roofline.Assumed())
                    where = f"{name} {kind} {row['gpu_mode']}"
                    self.assertAlmostEqual(row["prompt_flops_estimated"] / flops, 1, 3, where)
                    self.assertAlmostEqual(row["weights_bytes_estimated"] / held, 1, delta=0.02, msg=where)
                    self.assertAlmostEqual(row["question_ms_estimated"] / guess.question_tensor_ms, 1, delta=0.03, msg=where)
                    self.assertAlmostEqual(row["decode_tokens_per_s_estimated"] / guess.tokens_per_s, 1, delta=far, msg=where)
                    self.assertAlmostEqual(row["peak_bytes_estimated"] / guess.memory, 1, delta=0.15, msg=where)  # logits of one row there


if __name__ == "__main__":
    if not ROOT or not COMMAND:
        sys.exit(77)
    unittest.main()
