# Small random models and what transformers computes with them in fp32. Shared by make_goldens.py and differential.py.
# Weights are large and every bias and norm weight is random, so that a term left out shows in the logits.
import json
import pathlib

import torch
import transformers

import phone_lm

FAMILIES = {
    "gpt2": (transformers.GPT2Config, transformers.GPT2LMHeadModel),
    "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
    "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM),
    "gpt_neox": (transformers.GPTNeoXConfig, transformers.GPTNeoXForCausalLM),
    "bloom": (transformers.BloomConfig, transformers.BloomForCausalLM),
    "opt": (transformers.OPTConfig, transformers.OPTForCausalLM),
    "mistral": (transformers.MistralConfig, transformers.MistralForCausalLM),
    "stablelm": (transformers.StableLmConfig, transformers.StableLmForCausalLM),
    "phonelm": (phone_lm.PhoneLmConfig, phone_lm.PhoneLMForCausalLM),
}
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def make_model(family, settings, seed, dtype="f32"):
    """An fp32 model whose weights are those a file of `dtype` holds."""
    config_class, model_class = FAMILIES[family]
    config = config_class(**settings)
    config._attn_implementation = "eager"
    model = model_class(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if weight.dim() == 2:
                noise *= 0.5 if "wte" in name or "embed" in name or "wpe" in name else 1.4 / weight.shape[-1] ** 0.5
            elif name.endswith("bias"):
                noise *= 0.3
            else:
                noise = 1 + 0.3 * noise
            weight.copy_(noise.to(DTYPES[dtype]).float())
    model.tie_weights()
    return model


@torch.no_grad()
def logits_of(model, ids):
    return model(torch.tensor([ids]), use_cache=False).logits[0].float()


def greedy(model, ids, count):
    """The continuation, and the smallest lead of a chosen token over the next best."""
    ids, out, lead = list(ids), [], float("inf")
    for _ in range(count):
        top = logits_of(model, ids)[-1].topk(2)
        lead = min(lead, float(top.values[0] - top.values[1]))
        out.append(int(top.indices[0]))
        ids.append(out[-1])
    return out, lead


def loglikelihood(model, context, continuation, limit):
    """As lm-evaluation-harness: (c + k) cut from the left to limit + 1 tokens."""
    ids = (context + continuation)[-(limit + 1):]
    rows = torch.log_softmax(logits_of(model, ids[:-1]), dim=-1)[-len(continuation):]
    targets = torch.tensor(continuation)
    picked = rows.gather(1, targets[:, None])[:, 0]
    return {
        "logprob": float(picked.double().sum()),
        "is_greedy": bool((rows.argmax(-1) == targets).all()),
    }


def context_of(config):
    for key in ("n_positions", "max_position_embeddings", "seq_length"):
        if getattr(config, key, None):
            return getattr(config, key)
    raise ValueError("a config without context")


def expectations(model, seed, n_prompt, n_greedy):
    """What the C++ side must find again, as plain data."""
    vocab = model.config.vocab_size
    limit = context_of(model.config)
    generator = torch.Generator().manual_seed(seed + 1)

    def tokens(n):
        return torch.randint(0, vocab, (n,), generator=generator).tolist()

    prompt = tokens(n_prompt)
    continuation, lead = greedy(model, prompt, n_greedy)
    shared = tokens(2)
    requests = []
    for length in (1, 7, limit - 2, limit + 5):  # the last two are cut from the left
        context = tokens(length)
        best, _ = greedy(model, context[-(limit - 2):], 2)
        choices = [best, best[:1], tokens(1), shared + tokens(1), shared + tokens(1), tokens(5)]
        requests.append({
            "context": context,
            "continuations": choices,
            "scores": [loglikelihood(model, context, k, limit) for k in choices],
        })
    return {
        "prompt": prompt,
        "logits": [[float(f"{x:.7g}") for x in row] for row in logits_of(model, prompt).tolist()],
        "greedy": continuation,
        "requests": requests,
    }, lead


def save(model, folder, dtype="f32", form="safetensors", shard="10GB", edit_config=None, edit_tensors=None):
    """save_pretrained in `dtype`; the edits take config.json's dict and the state dict. `form`: safetensors, bin (the ZIP of
    torch.save, where a tied head shares its storage with the embedding), legacy (torch.save before 1.6)."""
    folder = pathlib.Path(folder)
    config_class, model_class = type(model.config), type(model)
    copy = model_class(config_class(**model.config.to_dict()))
    copy.load_state_dict(model.state_dict())
    copy = copy.to(DTYPES[dtype])
    if edit_tensors is None and form != "legacy":
        copy.save_pretrained(folder, max_shard_size=shard, safe_serialization=form == "safetensors")
    else:
        state = copy.state_dict() if edit_tensors is None else edit_tensors(copy.state_dict())
        folder.mkdir(parents=True, exist_ok=True)
        copy.config.save_pretrained(folder)
        if form == "safetensors":
            from safetensors.torch import save_file

            state = {name: tensor.contiguous().clone() for name, tensor in state.items()}
            save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
        else:
            torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=form == "bin")
    if edit_config:
        path = folder / "config.json"
        config = json.loads(path.read_text())
        edit_config(config)
        path.write_text(json.dumps(config, indent=2) + "\n")
