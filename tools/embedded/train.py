#!/usr/bin/env python3
"""Trains the embedded models on the text of world.py: tiny-gpt2 (fp32) or tiny-llama (bf16).

  train.py tiny-gpt2|tiny-llama [--stage 1|2|3|4] [--out DIR]      (writes models/NAME beside this script by default)

Stage 1 begins from random weights; the later ones go on from what is there, on other documents and with more weight on yes and no.

Needs torch, transformers, tokenizers. Seeded and on one thread: the same versions on the same kind of CPU give the same file. A document is
one row of a batch, starting at position 0 as it does when a question is asked; the loss weighs answers above prompts (WEIGHTS), since most of
a prompt is drawn at random and cannot be foreseen.
"""

import argparse
import json
import math
import os
import random
import sys
import time

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import world  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
CONTEXT = 512
BATCH_TOKENS = {1: 2048, 2: 2048, 3: 2048, 4: 1024}  # by stage
PAGE_SHARE = 0.004  # of the documents are pages: several documents in a row, so that later positions are learned, too
WEIGHTS = {"statement": (0.3, 1.0), "plain": (0.2, 1.0), "letter": (0.0, 3.0)}  # of a prompt's and an answer's token
YES_NO_WEIGHT = {1: 1.0, 2: 4.0, 3: 4.0, 4: 4.0}  # by stage: a passage's question has but one token to learn from
RATE_SCALE = {1: 1.0, 2: 0.6, 3: 0.4, 4: 0.6}
TOKENIZER_TEXTS = 20_000


def byte_level_tokenizer(texts):
    """GPT-2's kind: bytes as characters, merged within words."""
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=True)
    t.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=1024, special_tokens=["<|endoftext|>"], show_progress=False,
                                                     initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<|endoftext|>", eos_token="<|endoftext|>", unk_token="<|endoftext|>",
                                   model_max_length=CONTEXT), "GPT2Tokenizer"


def sentencepiece_tokenizer(texts):
    """Llama's kind: a space is U+2581, one is put in front, unknown characters (the newline, too) fall back to their bytes."""
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    # Merges are learned within words and not across punctuation; so none across them exists, and encoding needs no such rule.
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split("\u2581", "merged_with_next"),
                                               pre_tokenizers.Split(Regex(r"[.,?!:()\[\]_]"), "isolated")])
    lines = (("\u2581" if i == 0 else "") + line.replace(" ", "\u2581") for text in texts for i, line in enumerate(text.split("\n")))
    t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=1280, special_tokens=special, show_progress=False))
    saved = json.loads(t.to_str())
    saved["pre_tokenizer"] = None
    saved["added_tokens"] = [a for a in saved["added_tokens"] if a["content"] in special[:3]]
    t = Tokenizer.from_str(json.dumps(saved))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>", eos_token="</s>", unk_token="<unk>", model_max_length=CONTEXT), "LlamaTokenizer"


def tiny_gpt2(tokenizer):
    return GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_positions=CONTEXT, n_embd=96, n_layer=4, n_head=3, bos_token_id=0, eos_token_id=0,
                                      embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0))


def tiny_llama(tokenizer):
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), hidden_size=128, intermediate_size=512, num_hidden_layers=4, num_attention_heads=4,
                                        num_key_value_heads=2, max_position_embeddings=CONTEXT, rms_norm_eps=1e-5, tie_word_embeddings=True,
                                        bos_token_id=1, eos_token_id=2))


# name -> tokenizer, model, type of the saved weights, seed, learning rates (matrices by Muon, the rest by Adam),
# share of the documents asked by letter that are kept (tiny-gpt2 sees none, as most base models have not)
MODELS = {
    "tiny-gpt2": (byte_level_tokenizer, tiny_gpt2, torch.float32, 11, (0.02, 0.004), 0.0),
    "tiny-llama": (sentencepiece_tokenizer, tiny_llama, torch.bfloat16, 12, (0.02, 0.004), 1.0),
}


class Muon(torch.optim.Optimizer):
    """Momentum whose matrix updates are made nearly orthogonal (Jordan et al. 2024, the quintic Newton-Schulz iteration)."""

    def __init__(self, params, lr):
        super().__init__(params, dict(lr=lr))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                m.mul_(0.95).add_(p.grad)
                x = p.grad.add(m, alpha=0.95)
                tall = x.shape[0] > x.shape[1]
                x = (x.T if tall else x) / (x.norm() + 1e-7)
                for _ in range(5):
                    a = x @ x.T
                    x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
                p.mul_(1 - group["lr"] * 0.1)
                p.add_(x.T if tall else x, alpha=-group["lr"] * math.sqrt(max(1, p.shape[0] / p.shape[1])))


def encode(tokenizer, docs, yes_no):
    """[(ids, weight of each id as a target)], one per document; an answer ends in the end token, except a bare letter's."""
    backend = tokenizer.backend_tokenizer
    prompts = [e.ids for e in backend.encode_batch([d[0] for d in docs])]
    whole = [e.ids for e in backend.encode_batch([d[0] + d[1] for d in docs])]
    out = []
    for p, w, (_, answer, form) in zip(prompts, whole, docs):
        low, high = WEIGHTS[form]
        if answer in (" yes", " no"):
            high = yes_no
        ids = w if form == "letter" else w + [tokenizer.eos_token_id]
        out.append((ids, [low] * len(p) + [high] * (len(w) - len(p)) + [0.3] * (len(ids) - len(w))))
    return out


def pages(rng, rows, n):
    """n rows of up to CONTEXT tokens, each several rows joined."""
    out = []
    for _ in range(n):
        ids, weights, size = [], [], rng.randrange(128, CONTEXT)
        while len(ids) < size:
            more = rng.choice(rows)
            ids, weights = ids + more[0], weights + more[1]
        out.append((ids[:CONTEXT], weights[:CONTEXT]))
    return out


def batches(rng, rows, tokens):
    """Rows of like length together, that many tokens a batch, in random order."""
    rows = sorted(rows, key=lambda r: (len(r[0]), rng.random()))
    out, batch = [], []
    for row in rows:
        if batch and len(row[0]) * (len(batch) + 1) > tokens:
            out.append(batch)
            batch = []
        batch.append(row)
    out.append(batch)
    rng.shuffle(out)
    return out


def loss_of(model, batch):
    """(weighted mean loss, mean loss of the answers). The head is computed where there is a weight only."""
    width = max(len(ids) for ids, _ in batch)
    x = torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in batch])
    w = torch.tensor([weights + [0.0] * (width - len(weights)) for _, weights in batch])[:, 1:].reshape(-1)
    asked = w.nonzero().squeeze(1)
    hidden = model.base_model(input_ids=x).last_hidden_state[:, :-1]
    logits = model.lm_head(hidden.reshape(-1, hidden.shape[-1])[asked])
    losses = torch.nn.functional.cross_entropy(logits, x[:, 1:].reshape(-1)[asked], reduction="none")
    w = w[asked]
    answers = w >= 1.0
    return (losses * w).sum() / w.sum(), losses[answers].mean() if answers.any() else losses.mean()


def train(name, stage, out):
    make_tokenizer, make_model, dtype, seed, rates, letters = MODELS[name]
    rates = [r * RATE_SCALE[stage] for r in rates]
    torch.set_num_threads(1)
    torch.manual_seed(seed + stage - 1)
    torch.use_deterministic_algorithms(True)
    rng = random.Random(seed + stage - 1)
    docs = [d for d in world.documents(stage) if d[2] != "letter" or rng.random() < letters]
    if stage == 1:
        save_tokenizer(*make_tokenizer([p + a for p, a, _ in docs[:TOKENIZER_TEXTS]]), out)
    tokenizer = AutoTokenizer.from_pretrained(out)
    rows = encode(tokenizer, docs, YES_NO_WEIGHT[stage])
    model = make_model(tokenizer) if stage == 1 else AutoModelForCausalLM.from_pretrained(out, torch_dtype=torch.float32)
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "wte" not in n and "wpe" not in n and "embed" not in n]
    ids = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in ids]
    optimizers = [Muon(matrices, rates[0]), torch.optim.Adam(others, rates[1], betas=(0.9, 0.98))]
    plan = batches(rng, rows + pages(rng, rows, int(len(rows) * PAGE_SHARE)), BATCH_TOKENS[stage])
    print(f"{name}, stage {stage}: {sum(p.numel() for p in model.parameters())} parameters, {len(docs)} documents, {sum(len(r[0]) for r in rows)} tokens, {len(plan)} steps",
          flush=True)
    start, log, recent = time.time(), [], []
    for step, batch in enumerate(plan):
        scale = min(1.0, (step + 1) / 100, (len(plan) - step) / (0.5 * len(plan)))  # warm up, hold, fall to zero over the second half
        for optimizer, rate in zip(optimizers, rates):
            optimizer.param_groups[0]["lr"] = rate * scale
        loss, answer_loss = loss_of(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        recent.append((loss.item(), answer_loss.item()))
        if (step + 1) % 100 == 0 or step + 1 == len(plan):
            log.append([step + 1] + [round(sum(r[i] for r in recent) / len(recent), 4) for i in (0, 1)])
            print(*log[-1], f"{time.time() - start:.0f} s", flush=True)
            recent = []
    save(model.to(dtype), out)
    with open(os.path.join(out, f"training_log_{stage}.json"), "w") as f:
        json.dump({"documents": len(docs), "stage": stage, "seed": seed, "world_seed": world.SEED, "seconds": round(time.time() - start),
                   "columns": ["step", "loss, weighted", "loss of the answers"], "steps": log[-1:] if len(log) < 2 else log[:: max(1, len(log) // 20)] + log[-1:]}, f)


def save(model, out):
    """A Hugging Face folder, its tokenizer excepted."""
    model.generation_config.pad_token_id = None
    model.save_pretrained(out)
    os.chmod(os.path.join(out, "model.safetensors"), 0o644)


def save_tokenizer(tokenizer, tokenizer_class, out):
    tokenizer.save_pretrained(out)
    os.remove(os.path.join(out, "special_tokens_map.json"))
    path = os.path.join(out, "tokenizer_config.json")
    with open(path, encoding="utf-8") as f:
        config = json.load(f)
    config["tokenizer_class"] = tokenizer_class
    config.pop("extra_special_tokens", None)
    if tokenizer_class == "LlamaTokenizer":
        config.update(add_bos_token=True, add_eos_token=False, legacy=False)
    with open(path, "w", encoding="utf-8", newline="\n") as f:
        json.dump(config, f, indent=2)
    if tokenizer_class == "GPT2Tokenizer":
        tokenizer.backend_tokenizer.model.save(out)  # vocab.json, merges.txt


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--stage", type=int, choices=RATE_SCALE, default=1)
    parser.add_argument("--out")
    a = parser.parse_args()
    train(a.model, a.stage, a.out or os.path.join(HERE, "models", a.model))


if __name__ == "__main__":
    main()
