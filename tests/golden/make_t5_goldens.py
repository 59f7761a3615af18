#!/usr/bin/env python3
"""Writes models/t5-*/: small random encoder-decoders as transformers saves them, and expected.json with what transformers computes.

    make_t5_goldens.py [NAME ...]            # the committed ones; with transformers 4.57
    make_t5_goldens.py --random DIR N SEED   # N random ones in DIR, for the golden tests' TINYLLM_GOLDEN_MODELS
"""
import json
import pathlib
import random
import shutil
import sys

import torch
import transformers
from safetensors.torch import save_file

from golden_lib import DTYPES

HERE = pathlib.Path(__file__).parent
SMALL = dict(vocab_size=70, d_model=20, d_kv=5, d_ff=24, num_layers=2, num_heads=4, n_positions=40, decoder_start_token_id=0,
             pad_token_id=0, eos_token_id=1)
FLAN = {**SMALL, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}


def old_checkpoint(state):
    """The embedding under all its names, and a table that cross attention never used."""
    state = dict(state)
    unused = state["decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
    state["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"] = torch.ones_like(unused)
    return state


def encoder_name_only(state):
    state = {name: t for name, t in state.items() if name not in ("shared.weight", "decoder.embed_tokens.weight", "lm_head.weight")}
    return state


def original_config(config):
    """config.json of t5-small has neither the derived keys nor the tie."""
    for key in ("is_gated_act", "dense_act_fn", "num_decoder_layers", "tie_word_embeddings", "classifier_dropout",
                "relative_attention_max_distance", "feed_forward_proj"):
        config.pop(key, None)
    config["output_past"] = True
    config["task_specific_params"] = {"summarization": {"early_stopping": True, "prefix": "summarize: "}}


# name: (settings, how it is saved)
CASES = {
    "t5-flan": (FLAN, dict(dtype="f16")),
    "t5-flan-bin": ({**FLAN, "d_kv": 4, "num_heads": 5}, dict(form="bin", dtype="bf16", edit_tensors=old_checkpoint)),
    "t5-original": (SMALL, dict(dtype="f16", edit_config=original_config)),
    "t5-original-bin": ({**SMALL, "num_layers": 1, "d_ff": 12}, dict(form="bin", edit_tensors=old_checkpoint, edit_config=original_config)),
    "t5-wide-heads": ({**FLAN, "d_kv": 9, "num_heads": 3, "num_layers": 1, "num_decoder_layers": 3, "relative_attention_num_buckets": 7,
                       "relative_attention_max_distance": 20, "layer_norm_epsilon": 1e-3, "decoder_start_token_id": 5}, dict(dtype="bf16")),
    "t5-silu-tied": ({**SMALL, "feed_forward_proj": "gated-silu", "num_decoder_layers": 1, "relative_attention_num_buckets": 13,
                      "relative_attention_max_distance": 9}, dict(dtype="f16", edit_tensors=encoder_name_only)),
    "t5-blocks": ({**FLAN, "n_positions": 200, "num_layers": 1}, dict(dtype="f16", n_context=170, n_target=90)),
}


def make_model(settings, seed, dtype):
    """An fp32 model whose weights are those a file of `dtype` holds."""
    config = transformers.T5Config(**settings)
    config._attn_implementation = "eager"
    model = transformers.T5ForConditionalGeneration(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if name.endswith(".q.weight"):  # scores are not scaled
                noise *= 1.4 / (weight.shape[-1] * config.d_kv) ** 0.5
            elif "relative_attention_bias" in name:
                pass
            elif weight.dim() == 2:
                noise *= 1.2 if "shared" in name and config.tie_word_embeddings else 1.4 / weight.shape[-1] ** 0.5
            else:
                noise = 1 + 0.3 * noise
            weight.copy_(noise.to(DTYPES[dtype]).float())
    model.tie_weights()
    return model


@torch.no_grad()
def run(model, context, decoder):
    """The encoder's output and the logits of every position of the decoder."""
    encoded = model.encoder(input_ids=torch.tensor([context])).last_hidden_state
    out = model(encoder_outputs=(encoded,), decoder_input_ids=torch.tensor([decoder]), use_cache=False)
    return encoded[0], out.logits[0]


def greedy(model, context, count):
    """The text, and the smallest lead of a chosen token over the next best."""
    ids, lead = [model.config.decoder_start_token_id], float("inf")
    for _ in range(count):
        top = run(model, context, ids)[1][-1].topk(2)
        lead = min(lead, float(top.values[0] - top.values[1]))
        ids.append(int(top.indices[0]))
    return ids[1:], lead


def score(model, context, targets, limit):
    """As lm-evaluation-harness: the encoder reads the last `limit` tokens."""
    rows = torch.log_softmax(run(model, context[-limit:], [model.config.decoder_start_token_id] + targets[:-1])[1], dim=-1)
    wanted = torch.tensor(targets)
    picked = rows.gather(1, wanted[:, None])[:, 0]
    return {"logprob": float(picked.double().sum()), "is_greedy": bool((rows.argmax(-1) == wanted).all())}


def expectations(model, seed, n_context, n_target, n_greedy):
    generator = torch.Generator().manual_seed(seed + 1)
    vocab, limit = model.config.vocab_size, model.config.n_positions

    def tokens(n):
        return torch.randint(0, vocab, (n,), generator=generator).tolist()

    def rows(matrix):
        return [[float(f"{x:.7g}") for x in row] for row in matrix[-20:].tolist()]

    context, targets = tokens(n_context), tokens(n_target)
    encoded, logits = run(model, context, [model.config.decoder_start_token_id] + targets)
    text, lead = greedy(model, context, n_greedy)
    shared = tokens(2)
    requests = []
    for length in (1, 7, limit, limit + 5):  # the last is cut from the left
        asked = tokens(length)
        best, own_lead = greedy(model, asked[-limit:], 3)
        lead = min(lead, own_lead)
        choices = [best, best[:1], tokens(1), shared + tokens(1), shared + tokens(1), tokens(9)]
        requests.append({"context": asked, "continuations": choices, "scores": [score(model, asked, k, limit) for k in choices]})
    return {"encoder": context, "prompt": targets, "encoded": rows(encoded), "logits": rows(logits), "greedy": text,
            "requests": requests}, lead


def save(model, folder, dtype="f32", form="safetensors", edit_tensors=None, edit_config=None):
    folder.mkdir(parents=True, exist_ok=True)
    copy = transformers.T5ForConditionalGeneration(transformers.T5Config(**model.config.to_dict()))
    copy.load_state_dict(model.state_dict())
    copy = copy.to(DTYPES[dtype])
    if form == "safetensors" and not edit_tensors:
        copy.save_pretrained(folder)
    else:
        copy.config.save_pretrained(folder)
        state = edit_tensors(copy.state_dict())
        if form == "safetensors":
            save_file({name: t.contiguous().clone() for name, t in state.items()}, folder / "model.safetensors", metadata={"format": "pt"})
        else:
            torch.save(state, folder / "pytorch_model.bin")
    if edit_config:
        path = folder / "config.json"
        config = json.loads(path.read_text())
        edit_config(config)
        path.write_text(json.dumps(config, indent=2) + "\n")


def make(folder, settings, form, seed, n_greedy=16):
    form = dict(form)
    sizes = form.pop("n_context", 20), form.pop("n_target", 20)
    dtype = form.get("dtype", "f32")
    for attempt in range(30):  # greedy text must not hang on rounding, nor be one word; of what cannot else, the first will do
        model = make_model(settings, seed, dtype)
        expected, lead = expectations(model, seed, *sizes, n_greedy)
        if lead > 0.005 and (len(set(expected["greedy"])) > n_greedy // 4 or attempt > 10):
            break
        seed += 1000
    shutil.rmtree(folder, ignore_errors=True)
    save(model, folder, **form)
    (folder / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")


def random_case(draw):
    heads, head_dim = draw.choice([1, 2, 3, 4, 6]), draw.choice([2, 4, 7, 8, 16])
    buckets = draw.choice([4, 5, 8, 13, 32, 33])
    settings = dict(
        vocab_size=draw.choice([33, 80, 257]), d_model=draw.choice([12, heads * head_dim, 31]), d_kv=head_dim, num_heads=heads,
        d_ff=draw.choice([8, 33, 64]), num_layers=draw.choice([1, 2, 3]), num_decoder_layers=draw.choice([None, 1, 2, 4]),
        n_positions=draw.choice([30, 100, 200]), relative_attention_num_buckets=buckets,
        relative_attention_max_distance=draw.choice([buckets // 2 + 1, 20, 128, 300]),
        feed_forward_proj=draw.choice(["relu", "gated-gelu", "gated-silu", "gelu", "gated-relu", "gelu_new"]),
        tie_word_embeddings=draw.random() < 0.5, layer_norm_epsilon=draw.choice([1e-6, 1e-2]), eos_token_id=1, pad_token_id=0,
        decoder_start_token_id=draw.choice([0, 7]))
    form = dict(dtype=draw.choice(list(DTYPES)), form=draw.choice(["safetensors", "bin"]), n_context=draw.choice([1, 20, settings["n_positions"] - 1]),
                n_target=draw.choice([8, 20, 27]))
    if form["form"] == "bin":
        form["edit_tensors"] = old_checkpoint
    return settings, form


def main():
    if sys.argv[1:2] == ["--random"]:
        draw = random.Random(int(sys.argv[4]))
        for i in range(int(sys.argv[3])):
            settings, form = random_case(draw)
            name = f"{i:03}-t5"
            print(name, settings, {k: v for k, v in form.items() if k != "edit_tensors"}, file=sys.stderr)
            make(pathlib.Path(sys.argv[2]) / name, settings, form, draw.randrange(1 << 30), 6)
        return
    for name in sys.argv[1:] or list(CASES):
        folder = HERE / "models" / name
        make(folder, *CASES[name], seed=sum(name.encode()))
        size = sum(f.stat().st_size for f in folder.iterdir())
        print(f"{name}: {size / 1000:.0f} KB")
        assert size <= 100_000, name


if __name__ == "__main__":
    main()
