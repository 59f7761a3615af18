#!/usr/bin/env python3
"""Trains the model of docs/quality.md: a llama of width 256, so that every storage type fits its rows, on the text of the embedded models' world.

  python bench/train_quality.py OUT --minutes 42         (writes a Hugging Face folder, fp32; at most so many minutes of one thread)
  python bench/train_quality.py OUT --last --minutes 8   (goes on from there with what was learned least: yes and no)

Needs torch, transformers, tokenizers, and tiny-llama's tokenizer. The documents are those of tools/embedded/train.py's stages 1, 2 and 4, of stage 3 for --last,
without the questions by letter, each seen once; multiplications in bf16, weights and sums in fp32. Where the time ends before
the documents do, the learning rate falls the earlier: the model is then another one, no broken one."""

import argparse
import json
import os
import random
import shutil
import sys
import time

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tools/embedded"))
import train  # noqa: E402
import world  # noqa: E402

SEED = 21
STAGES, LAST_STAGES = (1, 2, 4), (3,)
PAGE_SHARE = 0.008  # twice train.py's: bench/quality.py asks behind four other questions
RATES = (0.02, 0.003)  # matrices by Muon, the rest by Adam
LAST_SCALE = 0.4  # of the rates
BATCH_TOKENS = 2048
YES_NO_WEIGHT = 4.0
SAVE_EVERY = 300  # steps
CONFIG = dict(hidden_size=256, intermediate_size=1024, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=2,
              max_position_embeddings=train.CONTEXT, rms_norm_eps=1e-5, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2)


class Muon(train.Muon):
    """As train.py's, its products in bf16."""

    @torch.no_grad()
    def step(self):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            super().step()


def rate_scale(done):
    """Warms up, holds, falls to zero over the second half; `done` is the share of the run that is over."""
    return min(1.0, done / 0.03 + 0.01, max(0.0, 1 - done) / 0.5)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--last", action="store_true")
    parser.add_argument("--minutes", type=float, default=42)
    a = parser.parse_args()
    start = time.time()
    torch.set_num_threads(1)
    torch.manual_seed(SEED + a.last)
    rng = random.Random(SEED + a.last)
    source = os.path.join(ROOT, "tools/embedded/models/tiny-llama")
    os.makedirs(a.out, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(os.path.join(source, name), a.out)
    tokenizer = AutoTokenizer.from_pretrained(source)
    docs = [d for stage in (LAST_STAGES if a.last else STAGES) for d in world.documents(stage) if d[2] != "letter"]
    rows = train.encode(tokenizer, docs, YES_NO_WEIGHT)
    plan = train.batches(rng, rows + train.pages(rng, rows, int(len(rows) * PAGE_SHARE)), BATCH_TOKENS)
    model = LlamaForCausalLM.from_pretrained(a.out) if a.last else LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **CONFIG))
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    optimizers = [Muon(matrices, RATES[0]), torch.optim.Adam(others, RATES[1], betas=(0.9, 0.98))]
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(docs)} documents, {sum(len(r[0]) for r in rows)} tokens, {len(plan)} steps, "
          f"prepared in {time.time() - start:.0f} s", flush=True)
    recent, log, begin = [], [], time.time()
    for step, batch in enumerate(plan):
        done = max(step / len(plan), (time.time() - begin) / (60 * a.minutes))
        if done >= 1:
            break
        for optimizer, rate in zip(optimizers, RATES):
            optimizer.param_groups[0]["lr"] = rate * rate_scale(done) * (LAST_SCALE if a.last else 1)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss, answer_loss = train.loss_of(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        recent.append((loss.item(), answer_loss.item()))
        if (step + 1) % 50 == 0:
            log.append([step + 1] + [round(sum(r[i] for r in recent) / len(recent), 4) for i in (0, 1)] + [round(time.time() - begin)])
            print(*log[-1], f"{done:.2f}", flush=True)
            recent = []
        if (step + 1) % SAVE_EVERY == 0:
            train.save(model, a.out)
    train.save(model, a.out)
    with open(os.path.join(a.out, f"training_log{'_last' if a.last else ''}.json"), "w") as f:
        json.dump({"seed": SEED, "columns": ["step", "loss, weighted", "loss of the answers", "seconds"], "steps": log}, f)


if __name__ == "__main__":
    main()
