"""Writes GGUF files that hold a vocabulary alone, with llama.cpp's keys only, and compares ids with llama.cpp's own.

python3 differential_gguf.py PROBE [STRINGS] [SEED] [KIND ...]     kinds: t5_... and the names of tokenizer.ggml.pre
"""

import json
import random
import subprocess
import sys
import tempfile

import oracle

PRE = ["default", "gpt-2", "mpt", "olmo", "phi-2", "llama-bpe", "smaug-bpe", "qwen2", "stablelm2", "smollm", "starcoder", "refact",
       "falcon", "bloom", "viking"]
UGM = {"t5_merge": (True, True), "t5_prefix": (True, False), "t5_bare": (False, False), "t5_merge_bare": (False, True)}


def unigram(root, name):
    import gguf
    from sentencepiece import sentencepiece_model_pb2
    folder = f"{root}/{name}_source"
    oracle.oracle_unigram.train(root, folder, oracle, False, user_defined_symbols=["ADD", "<mask>"], control_symbols=["<ctl>"])
    model = sentencepiece_model_pb2.ModelProto.FromString(open(f"{folder}/spiece.model", "rb").read())
    prefix, merge = UGM[name]
    w = gguf.GGUFWriter(f"{root}/{name}.gguf", "t5")
    w.add_tokenizer_model("t5")
    w.add_tokenizer_pre("default")
    pad = [f"[PAD{i}]" for i in range(5)]
    w.add_token_list([p.piece for p in model.pieces] + pad)
    w.add_token_scores([p.score for p in model.pieces] + [-1000.0] * 5)
    w.add_token_types([p.type for p in model.pieces] + [5] * 5)
    w.add_add_space_prefix(prefix)
    w.add_remove_extra_whitespaces(merge)
    w.add_precompiled_charsmap(model.normalizer_spec.precompiled_charsmap)
    w.add_eos_token_id(1)
    w.add_unk_token_id(2)
    w.add_pad_token_id(0)
    w.add_add_bos_token(False)
    w.add_add_eos_token(True)
    return w


def bpe(root, name):
    import gguf
    t = oracle.byte_level_bpe(800, special=("<|endoftext|>", "<s>"))
    data = json.loads(t.to_str())["model"]
    vocab = sorted(data["vocab"], key=data["vocab"].get)
    w = gguf.GGUFWriter(f"{root}/{name}.gguf", "gpt2")
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre(name)
    w.add_token_list(vocab)
    w.add_token_types([3 if v in ("<|endoftext|>", "<s>") else 1 for v in vocab])
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in data["merges"]])
    w.add_bos_token_id(1)
    w.add_eos_token_id(0)
    return w


def main():
    import llama_cpp
    probe, count, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 300, int(sys.argv[3]) if len(sys.argv) > 3 else 1
    root = tempfile.mkdtemp(prefix="tok_gguf_")
    bad = 0
    for name in sys.argv[4:] or [*UGM, *PRE]:
        w = unigram(root, name) if name in UGM else bpe(root, name)
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.close()
        model = llama_cpp.Llama(model_path=f"{root}/{name}.gguf", vocab_only=True, verbose=False)
        rng = random.Random(seed)
        texts = oracle.nasty_corpus() + [oracle.random_text(rng) for _ in range(count)]
        texts = [t for t in texts if t and "\0" not in t]
        run = subprocess.run([probe, f"{root}/{name}.gguf"], input="".join(f"e {t.encode().hex()}\n" for t in texts),
                             capture_output=True, text=True)
        lines = run.stdout.split("\n")
        assert lines[0].startswith("ok"), (name, lines[0], run.stderr)
        wrong = 0
        for text, line in zip(texts, lines[1:]):
            want, got = model.tokenize(text.encode(), add_bos=True, special=True), [int(x) for x in line.split()]
            if want != got:
                wrong += 1
                if wrong <= 3:
                    print(f"{name} {text!r}\n   want {want}\n   got  {got}")
        print(f"{name}: {len(texts)} texts, {wrong} differ", flush=True)
        bad += wrong
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
