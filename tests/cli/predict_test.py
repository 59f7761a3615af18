"""predict: what it says, of which models and boards, and that every figure is called estimated. No timing is judged."""
import csv
import io
import json
import os

import harness

FIGURES = ("peak_bytes", "weights_bytes", "kv_bytes", "scratch_bytes", "fits", "question_ms", "prompt_ms", "prefill_tokens_per_s", "token_ms",
           "decode_tokens_per_s", "load_ms", "prompt_flops", "token_bytes")
SETTINGS = {"type", "device", "gpu_mode", "n_threads", "n_prompt", "n_gen", "n_depth", "question_contexts", "question_tokens", "question_answers",
            "question_answer_tokens"}
KNOWN = "HuggingFaceTB/SmolLM-135M"


class PredictTest(harness.CommandTest):
    def test_schema(self):
        for model, source in ((self.model, "file"), (self.gguf, "file"), (KNOWN, "shape")):
            found = self.json("predict", model, "--board", "pi5", "-p", "20", "-n", "4", "--json")
            self.assertEqual((found["schema"], found["figures"], found["facts_from"]), ("tinyllm.predict/1", "estimated", source))
            self.assertEqual(found["board"]["schema"], "tinyllm.board/1")
            self.assertFalse(found["board"]["measured"])
            for row in found["rows"]:
                self.assertEqual(set(row), SETTINGS | {key + "_estimated" for key in FIGURES})
                self.assertGreater(row["question_ms_estimated"], 0)
                self.assertAlmostEqual(row["prefill_tokens_per_s_estimated"], 20e3 / row["prompt_ms_estimated"], 3)
                self.assertTrue(row["fits_estimated"])

    def test_tables_say_estimated(self):
        for form in ("table", "md"):
            head = self.output("predict", KNOWN, "--board", "pi4", "--format", form).decode().splitlines()[0]
            self.assertEqual(head.count("estimated"), 6, head)
        rows = list(csv.DictReader(io.StringIO(self.output("predict", KNOWN, "--board", "pi4", "--format", "csv").decode())))
        self.assertEqual(set(rows[0]), SETTINGS | {key + "_estimated" for key in FIGURES})

    def test_rows_are_the_product_of_the_lists(self):
        rows = self.json("predict", KNOWN, "--board", "orin-nano", "--type", "f16,q4_0,q4_k_m", "-t", "1,6", "--json")["rows"]
        places = [(row["device"], row["n_threads"], row["gpu_mode"]) for row in rows]
        self.assertEqual(places, [("cpu", 1, None), ("cpu", 6, None), ("cuda", None, "68"), ("cuda", None, "102")] * 3)
        self.assertEqual([row["type"] for row in rows], ["f16"] * 4 + ["q4_0"] * 4 + ["q4_k_m"] * 4)
        self.assertEqual(len(self.json("predict", KNOWN, "--board", "orin-nano", "--gpu-mode", "102", "--device", "cuda", "--json")["rows"]), 1)

    def test_memory_is_what_info_says(self):
        told = self.json("info", self.gguf, "-c", "24", "--device", "cpu", "--json")["memory"]
        row = self.json("predict", self.gguf, "--board", "pi5", "-p", "20", "-n", "4", "--question-tokens", "4", "--answers", "1", "--answer-tokens", "1",
                        "--json")["rows"][0]
        self.assertEqual((row["peak_bytes_estimated"], row["kv_bytes_estimated"]), (told["peak_bytes"], told["kv_bytes"]))

    def test_says_that_no_file_was_at_hand(self):
        done = self.run_command("predict", KNOWN, "--board", "pi5")
        self.assertIn(b"not on this machine", done.stderr)
        self.assertNotIn(b"not on this machine", self.run_command("predict", self.gguf, "--board", "pi5", "-p", "9", "-n", "1").stderr)

    def test_protocols_and_tasks(self):
        def question(*words):
            return self.json("predict", KNOWN, "--board", "pi5", *words, "--json")["rows"][0]
        scored, letter = question("--task", "winogrande"), question("--task", "winogrande", "--protocol", "study")
        self.assertEqual((scored["question_contexts"], letter["question_contexts"], letter["question_answers"]), (2, 1, 0))
        self.assertLess(question("--protocol", "study")["question_ms_estimated"], question()["question_ms_estimated"])

    def test_free_memory(self):
        for gigabytes, fits in ((0.1, False), (1, True)):
            row = self.json("predict", KNOWN, "--board", "pi5", "--type", "q8_0", "--free-memory", gigabytes, "--json")["rows"][0]
            self.assertEqual(row["fits_estimated"], fits)

    def test_a_calibrated_board(self):
        board = self.path("here.json")
        self.assertEqual(self.output("predict", "--calibrate", board, "-t", "2"), b"")
        with open(board) as file:
            written = json.load(file)
        self.assertTrue(written["measured"])
        self.assertEqual([rates["threads"] for rates in written["cpu_rates"]], [1, 2])
        found = self.json("predict", self.model, "--board", board, "-p", "9", "-n", "1", "--json")
        self.assertEqual(found["board"]["cpu_rates"], written["cpu_rates"])

    def test_errors(self):
        self.fails(3, "predict", KNOWN, "--board", "pi99", says=["pi99", "pi4", "pi5", "orange-pi-5", "lattepanda", "orin-nano", "this"])
        self.fails(3, "predict", "nobody/nothing", "--board", "pi5", says=["nobody/nothing", KNOWN])
        self.fails(2, "predict", says=["MODEL"])
        self.fails(2, "predict", KNOWN, "--board", "pi5", "--type", "q9_0", says=["q9_0", "q4_0", "Q4_K_M"])
        self.fails(2, "predict", KNOWN, "--board", "pi5", "--task", "mmlu", says=["mmlu", "boolq"])
        self.fails(2, "predict", KNOWN, "--board", "pi5", "--device", "cuda", says=["pi5", "GPU"])
        self.fails(2, "predict", KNOWN, "--board", "orin-nano", "--gpu-mode", "50", says=["68", "102"])
        self.fails(7, "predict", KNOWN, "--board", self.write("bad.json", "{}"), says=["bad.json", "schema"])
        self.fails(7, "predict", KNOWN, "--board", self.write("deep.json", "[" * 100000), says="deep.json")


if __name__ == "__main__":
    harness.main()
