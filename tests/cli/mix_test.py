"""`quantize` by a goal: the smallest mix that keeps an accuracy is just that, no file exceeds its target size, and what cannot be had is refused."""
import json
import os
import re
import shutil
import struct

import harness

EMBEDDED = os.path.join(os.environ.get("TINYLLM_SOURCE_DIR", ""), "tools", "embedded")
TASK, QUESTIONS, SHARE = "arc_easy", 40, 0.95
OUTLIER = 4  # powers of two, so that nothing is rounded


def write_hard_model(source, target):
    """The trained model at `source` as another that computes the same and loses more by rounding: before each projection the norm makes every
    32nd element smaller by as much as the projection's column is made larger, and a block's scale then follows that one element."""
    os.makedirs(target)
    for name in os.listdir(source):
        shutil.copy(os.path.join(source, name), target)
    path = os.path.join(target, "model.safetensors")
    with open(path, "rb") as file:
        data = bytearray(file.read())
    length = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8 : 8 + length])
    for name, tensor in header.items():
        norm = name.endswith("layernorm.weight")
        if not norm and not re.search(r"(q|k|v|gate|up)_proj\.weight$", name):
            continue
        assert tensor["dtype"] == "BF16", tensor
        begin, end = (8 + length + offset for offset in tensor["data_offsets"])
        numbers = list(struct.unpack_from(f"<{(end - begin) // 2}H", data, begin))
        for at in range(0, len(numbers), 32):  # of rows of 128
            if numbers[at] & 0x7FFF:
                numbers[at] += (-OUTLIER if norm else OUTLIER) << 7  # the exponent
        struct.pack_into(f"<{len(numbers)}H", data, begin, *numbers)
    with open(path, "wb") as file:
        file.write(data)
    return target


class MixTest(harness.CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hard = write_hard_model(os.path.join(EMBEDDED, "models", "tiny-llama"), cls.path("hard"))

    def accuracy(self, model):
        data = os.path.join(EMBEDDED, "questions")
        return self.json("eval", model, "-t", TASK, "--data", data, "-L", QUESTIONS, "--json")["results"][TASK]["acc,none"]

    def keeping(self, *arguments):
        return ["quantize", self.hard, *arguments, "--min-accuracy", SHARE, "--on", TASK, "-L", QUESTIONS, "-q"]

    def test_the_smallest_mix_that_keeps_an_accuracy(self):
        out, smaller = self.path("out.gguf"), self.path("smaller.gguf")
        search = self.json(*self.keeping(out), "--json")["search"]
        found = os.path.getsize(out)
        bound = SHARE * self.accuracy(self.hard)
        self.assertEqual(search["bytes"], found)
        self.assertEqual([SHARE * value for value in search["stored_accuracy"]], [bound])
        self.assertGreaterEqual(self.accuracy(out), bound)
        for mix in search["tried"]:
            self.assertEqual(mix["keeps"], mix["accuracy"][0] >= bound, mix)
        keeping = [mix["bytes"] for mix in search["tried"] if mix["keeps"]]
        losing = [mix["bytes"] for mix in search["tried"] if not mix["keeps"]]
        self.assertEqual(min(keeping), found)
        # The next mix on the way down is the largest that a size of a hundredth less allows. It loses.
        report = self.json("quantize", self.hard, smaller, "--target-size", int(0.99 * found), "-q", "--json")
        self.assertEqual(report["bytes"], os.path.getsize(smaller))
        self.assertEqual(max(losing), report["bytes"])
        self.assertLess(self.accuracy(smaller), bound)
        self.assertEqual([name for name in os.listdir(self.path()) if name.endswith(".trial")], [])

        # Both goals at once: one byte less than that is no size to keep the accuracy in.
        self.fails(8, *self.keeping("--dry-run"), "--target-size", found - 1, says=[self.hard, "the smallest mix that keeps 0.95", f"{found} bytes", f"{found - 1}"])

    def test_an_accuracy_that_no_mix_keeps_is_refused(self):
        out = self.path("none.gguf")
        self.fails(8, *self.keeping(out), "--tensor-type", "attn_[qkv]|ffn_(gate|up)=q4_0",
                   says=[self.hard, "even the most accurate mix", "keeps less than 0.95 of the accuracy", TASK])
        self.assertFalse(os.path.exists(out))
        self.assertEqual([name for name in os.listdir(self.path()) if name.endswith(".trial")], [])

    def test_no_file_is_larger_than_its_target(self):
        text, matrix, out = self.path("text"), self.path("imatrix.gguf"), self.path("sized.gguf")
        with open(text, "w") as file:
            file.write("a cat and a dog " * 8)
        self.output("imatrix", self.gguf, "-f", text, "-c", "16", "-o", matrix)
        for flags in ([], ["--tensor-type", "ffn_up=q5_1"], ["--imatrix", matrix]):
            words = ["quantize", self.gguf, out, "-q", "--text-file", text, *flags]
            line = self.fails(8, *words, "--target-size", 100, says=[self.gguf, "the smallest mix has", "the target is 100"])
            self.assertFalse(os.path.exists(out))
            smallest = int(re.search(r"has (\d+) bytes", line)[1])
            self.fails(8, *words, "--target-size", smallest - 1, says=f"{smallest} bytes")
            largest = self.json("quantize", self.gguf, "--dry-run", "--type", "f16", *flags, "--json")["bytes"]
            sizes = set()
            for target in [smallest + (largest - smallest) * i // 12 for i in range(13)] + [smallest + 1, largest - 1, 2 * largest]:
                report = self.json(*words, "--target-size", target, "--json")
                self.assertEqual(report["bytes"], os.path.getsize(out))
                self.assertLessEqual(report["bytes"], target)
                sizes.add(report["bytes"])
                if target == smallest:
                    self.assertEqual(report["bytes"], smallest)
            self.assertEqual(max(sizes), largest)
            self.assertGreater(len(sizes), 5)
            os.remove(out)


if __name__ == "__main__":
    harness.main()
