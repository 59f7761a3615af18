"""`check`: the same model answers as recorded on every instruction set, in any file form; another one does not, and broken files are named."""
import json
import os

import harness
import tiny_model


class CheckTest(harness.CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.answers = cls.path("answers.json")

    def setUp(self):
        if not os.path.exists(self.answers):
            self.assertEqual(self.output("check", self.model, "--record", "--answers", self.answers).decode(), self.answers + "\n")

    def result(self, *arguments, code=0, **options):
        done = self.run_command("check", *arguments, "--json", **options)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        result = json.loads(done.stdout)
        self.assertEqual(result["schema"], "tinyllm.check_result/1")
        self.assertEqual(result["equal"], code == 0)
        return result, done.stderr.decode()

    def recorded(self):
        with open(self.answers) as file:
            return json.load(file)

    def test_answers_hold_what_the_model_says(self):
        answers = self.recorded()
        self.assertEqual([run["exact"] for run in answers["runs"]], [True, False])
        prompts = answers["runs"][0]["prompts"]
        self.assertEqual(len(prompts), 6)
        for prompt in prompts:
            self.assertEqual(prompt["tokens"], list(prompt["text"].encode())[:len(prompt["tokens"])])
        short = prompts[0]
        self.assertEqual(len(short["greedy"]), 16)
        text = self.write("prompt.txt", bytes(short["tokens"]))
        scored = self.json("score", self.model, "--text-file", text, "--logits", "--json", "--exact")
        logits = scored["next_logits"]
        self.assertEqual(short["top"], sorted(range(len(logits)), key=lambda i: -logits[i])[:64])
        written = self.json("generate", self.model, "--text-file", text, "--max-tokens", 16, "--greedy", "--ignore-eos", "--exact", "--json")
        self.assertEqual(short["greedy"], written["tokens"])

    def test_the_same_model_passes_wherever_it_runs(self):
        for arguments, isa in ((["--exact"], "scalar"), ([], "scalar"), (["--exact", "--device", "ref"], ""), ([], "")):
            result, errors = self.result(self.model, "--answers", self.answers, *arguments, env={"TINYLLM_CPU_ISA": isa} if isa else {})
            self.assertEqual(errors, "")
            self.assertEqual({p["verdict"] for p in result["prompts"]}, {"equal"})
            self.assertEqual({p["greedy"] for p in result["prompts"]}, {"16 of 16"})
        self.result(self.gguf, "--answers", self.answers, "--exact")

    def test_the_file_stands_with_the_model(self):
        self.fails(3, "check", self.gguf, says=[self.path("model.check.json"), "--record"])
        self.output("check", self.gguf, "--record", "--exact")
        self.assertTrue(os.path.exists(self.path("model.check.json")))
        self.result(self.gguf, "--exact")
        self.fails(2, "check", self.gguf, says=[self.path("model.check.json"), "with --exact alone"])
        os.remove(self.path("model.check.json"))

    def test_another_model_fails(self):
        other = tiny_model.write_gguf(self.path("other.gguf"), weights=tiny_model.tensors(seed=2))
        result, errors = self.result(other, "--answers", self.answers, code=8)
        self.assertEqual(len(errors.splitlines()), 1)
        self.assertIn("6 of 6 prompts", errors)
        self.assertEqual({p["verdict"] for p in result["prompts"]}, {"differs"})

    def test_other_numbers_fail_by_more_than_the_tolerance(self):
        for key, name in (("top_logprobs", "prompt_difference"), ("logprobs", "text_difference")):
            answers = self.recorded()
            answers["runs"][0]["prompts"][2][key][5] += 0.01
            changed = self.write("changed.json", json.dumps(answers))
            result, _ = self.result(self.model, "--answers", changed, "--exact", code=8)
            self.assertEqual([p["verdict"] for p in result["prompts"]], ["equal"] * 2 + ["differs"] + ["equal"] * 3)
            self.assertAlmostEqual(result["prompts"][2][name], 0.01, delta=1e-4)
            self.result(self.model, "--answers", changed, "--exact", "--tolerance", 0.02)

    def test_another_greedy_token_passes_only_at_a_tie(self):
        answers = self.recorded()
        prompt = answers["runs"][0]["prompts"][0]
        # What a board would have recorded that takes the second likeliest for the first.
        prompt.update(greedy=prompt["top"][1:2], logprobs=prompt["top_logprobs"][1:2], margins=[0])
        for margin, code in ((1e-4, 0), (0.5, 8)):
            prompt["margins"] = [margin]
            result, _ = self.result(self.model, "--answers", self.write("tie.json", json.dumps(answers)), "--exact", code=code)
            self.assertEqual(result["prompts"][0]["greedy"], "0 of 1")
            self.assertAlmostEqual(result["prompts"][0]["margin"], margin)

    def test_another_tokenizer_fails(self):
        folder = tiny_model.write_folder(self.path("renamed"))
        path = os.path.join(folder, "tokenizer.json")
        with open(path) as file:
            tokenizer = json.load(file)
        vocab = tokenizer["model"]["vocab"]
        vocab["a"], vocab["b"] = vocab["b"], vocab["a"]
        with open(path, "w") as file:
            json.dump(tokenizer, file)
        result, _ = self.result(folder, "--answers", self.answers, "--exact", code=8)
        self.assertIn("other tokens", {p["verdict"] for p in result["prompts"]})

    def test_own_prompts_and_ids(self):
        prompts = self.write("prompts.txt", 'How do\n"two\\nlines"\n\nI am\n')
        self.output("check", self.model, "--record", "--answers", self.path("own.json"), "--prompt-file", prompts)
        with open(self.path("own.json")) as file:
            self.assertEqual([p["text"] for p in json.load(file)["runs"][1]["prompts"]], ["How do", "two\nlines", "I am"])
        self.result(self.model, "--answers", self.path("own.json"))
        self.fails(2, "check", self.model, "--prompt-file", prompts, says="--record")
        self.fails(2, "check", self.model, "--record", "--prompt-file", self.write("none.txt", "\n\n"), says="none.txt")

    def test_broken_files(self):
        def broken(change):
            answers = self.recorded()
            change(answers)
            return self.write("broken.json", json.dumps(answers))

        def prompt(answers):
            return answers["runs"][0]["prompts"][1]

        self.fails(7, "check", self.model, "--answers", self.write("no.json", "{"), says="expected JSON")
        self.fails(7, "check", self.model, "--answers", self.write("deep.json", "[" * 200000), says=["deep.json", "64 levels"])
        cases = ((lambda a: a.update(schema="tinyllm.check/9"), "schema"),
                 (lambda a: a["model"].update(vocab_size=0), "model.vocab_size"),
                 (lambda a: a.pop("runs"), "runs"),
                 (lambda a: a["runs"][0].update(exact=1), "runs[0].exact"),
                 (lambda a: a["runs"][0].update(prompts=[]), "runs[0].prompts"),
                 (lambda a: prompt(a)["tokens"].__setitem__(2, 257), "runs[0].prompts[1].tokens[2]"),
                 (lambda a: prompt(a)["tokens"].__setitem__(2, 18446744073709551615), "runs[0].prompts[1].tokens[2]"),
                 (lambda a: prompt(a).update(tokens=[1] * 97), "runs[0].prompts[1].tokens"),
                 (lambda a: prompt(a).update(greedy=[1] * 90), "runs[0].prompts[1].greedy"),
                 (lambda a: prompt(a)["margins"].pop(), "runs[0].prompts[1].margins"),
                 (lambda a: prompt(a)["logprobs"].__setitem__(0, None), "runs[0].prompts[1].logprobs[0]"))
        for change, place in cases:
            self.fails(7, "check", self.model, "--answers", broken(change), says=["broken.json", place, "expected", "found"])
        larger = broken(lambda a: a["model"].update(parameters=1))
        self.fails(8, "check", self.model, "--answers", larger, says=["parameters", "broken.json"])


harness.main()
