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
    """A family and the arguments of its configuration class."""
    family = draw.choice(list(golden_lib.FAMILIES))
    heads = draw.choice([1, 2, 3, 4, 6])
    head_dim = draw.choice([2, 4, 8, 10, 16, 20])
    dim = heads * head_dim
    common = dict(vocab_size=draw.choice([33, 80, 257]), bos_token_id=0, eos_token_id=1)
    layers, context = draw.choice([1, 2, 4]), draw.choice([30, 70, 200])
    eps = draw.choice([1e-6, 1e-5, 1e-2])
    activation = draw.choice(["gelu", "gelu_new", "relu", "silu", "swish", "gelu_pytorch_tanh", "gelu_fast"])
    divisors = [n for n in range(1, heads + 1) if heads % n == 0]

    def chance(p):
        return draw.random() < p

    if family == "gpt2":
        return family, dict(
            common, n_embd=dim, n_layer=layers, n_head=heads, n_positions=context, n_inner=draw.choice([None, 16, dim + 1, 3 * dim]),
            layer_norm_epsilon=eps, activation_function=activation, scale_attn_weights=chance(0.7),
            scale_attn_by_inverse_layer_idx=chance(0.3), reorder_and_upcast_attn=chance(0.3), tie_word_embeddings=chance(0.6))
    if family == "bloom":
        return family, dict(common, hidden_size=dim, n_layer=layers, n_head=heads, seq_length=context, layer_norm_epsilon=eps,
                            slow_but_exact=chance(0.3))
    common |= dict(hidden_size=dim, num_hidden_layers=layers, num_attention_heads=heads, max_position_embeddings=context)
    if family == "opt":
        before = chance(0.6)
        return family, dict(common, ffn_dim=draw.choice([8, 33, 64]), do_layer_norm_before=before, activation_function=activation,
                            word_embed_proj_dim=draw.choice([dim, 8, 33]), enable_bias=chance(0.7),
                            _remove_final_layer_norm=before and chance(0.3), tie_word_embeddings=chance(0.7))
    common |= dict(intermediate_size=draw.choice([8, 33, 64]), hidden_act=activation, tie_word_embeddings=chance(0.5))
    theta = draw.choice([100.0, 10000.0, 1e6])
    if family == "gpt_neox":
        return family, dict(common, rotary_pct=draw.choice([p for p in (0.25, 0.5, 1.0) if head_dim * p % 2 == 0]), rotary_emb_base=theta, use_parallel_residual=chance(0.5),
                            attention_bias=chance(0.7), layer_norm_eps=eps)
    common |= dict(num_key_value_heads=draw.choice(divisors), rms_norm_eps=eps, rope_theta=theta)
    if family == "stablelm":
        common.pop("rms_norm_eps")
        return family, dict(common, layer_norm_eps=eps, use_qkv_bias=chance(0.5), use_parallel_residual=chance(0.5),
                            partial_rotary_factor=draw.choice([p for p in (0.25, 0.5, 1.0) if head_dim * p % 2 == 0]))
    if family == "phonelm":
        return family, dict(common, attention_bias=chance(0.4))
    common |= dict(rope_scaling=random_rope(draw))
    if family == "qwen2":
        return family, common
    common |= dict(head_dim=head_dim, hidden_size=dim if chance(0.6) else draw.choice([12, 32, 50]))
    if family == "llama":
        return family, dict(common, attention_bias=chance(0.4), mlp_bias=chance(0.4))
    return family, dict(common, sliding_window=draw.choice([None, 1, 5, 64, 100]))


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
            context = golden_lib.context_of(model.config)
            expected, lead = golden_lib.expectations(model, seed, draw.choice([5, context - 8]), 6)
            if lead < 0.005:
                continue
            folder = pathlib.Path(place) / f"{made:03}-{family}"
            form = draw.choice(["safetensors", "safetensors", "bin", "legacy"])
            golden_lib.save(model, folder, dtype, form=form, shard=draw.choice(["10GB", "20KB"]))
            (folder / "expected.json").write_text(json.dumps(expected))
            print(folder.name, dtype, json.dumps(settings), file=sys.stderr)
            made += 1
        run = subprocess.run([program, "--gtest_brief=1", "--gtest_filter=Models/*"],
                             env={**os.environ, "TINYLLM_GOLDEN_MODELS": place})
        sys.exit(run.returncode)


if __name__ == "__main__":
    main()
