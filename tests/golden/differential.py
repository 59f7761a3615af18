#!/usr/bin/env python3
"""Random configurations against transformers: makes COUNT models, then runs the golden tests on them.

    differential.py GOLDEN_TESTS [COUNT] [SEED]      # GOLDEN_TESTS: the built test program
"""
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

try:
    import golden_lib
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)


def random_rope(draw):
    kind = draw.choice([None, None, "default", "linear", "llama3"])
    if kind is None:
        return None
    scaling = {draw.choice(["type", "rope_type"]): kind}
    if kind != "default":
        scaling["factor"] = draw.choice([1.5, 2.0, 8.0])
    if kind == "llama3":
        low = draw.choice([1.0, 2.0])
        scaling |= {"low_freq_factor": low, "high_freq_factor": low * 4,
                    "original_max_position_embeddings": draw.choice([8, 32, 8192])}
    return scaling


def random_case(draw):
    family = draw.choice(list(golden_lib.FAMILIES))
    heads = draw.choice([1, 2, 3, 4, 6])
    head_dim = draw.choice([2, 4, 8, 10, 16, 20])
    context = draw.choice([30, 70, 200])
    common = dict(vocab_size=draw.choice([33, 80, 257]), bos_token_id=0, eos_token_id=1)
    if family == "gpt2":
        dim = heads * head_dim
        return family, dict(
            common, n_embd=dim, n_layer=draw.choice([1, 2, 4]), n_head=heads, n_positions=context,
            n_inner=draw.choice([None, 16, dim + 1, 3 * dim]), layer_norm_epsilon=draw.choice([1e-5, 1e-2]),
            activation_function=draw.choice(["gelu", "gelu_new", "relu", "silu", "swish", "gelu_pytorch_tanh", "gelu_fast"]),
            scale_attn_weights=draw.random() < 0.7, scale_attn_by_inverse_layer_idx=draw.random() < 0.3,
            reorder_and_upcast_attn=draw.random() < 0.3, tie_word_embeddings=draw.random() < 0.6)
    settings = dict(
        common, hidden_size=heads * head_dim if draw.random() < 0.6 else draw.choice([12, 32, 50]),
        num_hidden_layers=draw.choice([1, 2, 4]), num_attention_heads=heads,
        num_key_value_heads=draw.choice([n for n in range(1, heads + 1) if heads % n == 0]), head_dim=head_dim,
        intermediate_size=draw.choice([8, 33, 64]), max_position_embeddings=context,
        rms_norm_eps=draw.choice([1e-6, 1e-2]), rope_theta=draw.choice([100.0, 10000.0, 1e6]),
        hidden_act=draw.choice(["silu", "gelu", "relu", "gelu_new"]), tie_word_embeddings=draw.random() < 0.5,
        rope_scaling=random_rope(draw))
    if family == "llama":
        settings |= dict(attention_bias=draw.random() < 0.4, mlp_bias=draw.random() < 0.4)
    else:
        settings |= dict(sliding_window=draw.choice([None, 1, 5, 64, 100]))
    return family, settings


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    draw = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    with tempfile.TemporaryDirectory() as place:
        made = 0
        while made < count:
            family, settings = random_case(draw)
            dtype = draw.choice(list(golden_lib.DTYPES))
            seed = draw.randrange(1 << 30)
            model = golden_lib.make_model(family, settings, seed, dtype)
            context = settings.get("n_positions") or settings["max_position_embeddings"]
            expected, lead = golden_lib.expectations(model, seed, draw.choice([5, context - 8]), 6)
            if lead < 0.005:
                continue
            folder = pathlib.Path(place) / f"{made:03}-{family}"
            golden_lib.save(model, folder, dtype, shard=draw.choice(["10GB", "20KB"]))
            (folder / "expected.json").write_text(json.dumps(expected))
            print(folder.name, dtype, json.dumps(settings), file=sys.stderr)
            made += 1
        run = subprocess.run([program, "--gtest_brief=1", "--gtest_filter=Models/*"],
                             env={**os.environ, "TINYLLM_GOLDEN_MODELS": place})
        sys.exit(run.returncode)


if __name__ == "__main__":
    main()
