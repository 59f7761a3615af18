"""PyTorch on transformers' Llama-like models with all that helps: the context once and the choices behind it as one sequence each question (a mask keeps the
choices apart), questions of like length in one batch, the head and its softmax at the rows that are asked about only."""
from peers.common import Unavailable

from . import batches

NAME = "PyTorch bf16, packed"


def score(request, dtype="bfloat16"):
    if not request.get("folder"):
        raise Unavailable("needs the Hugging Face folder")
    try:
        import torch
        import transformers
    except ImportError as error:
        raise Unavailable(f"{error.name} is not installed") from None
    torch.set_num_threads(request["threads"])
    transformers.utils.logging.set_verbosity_error()
    model = transformers.AutoModelForCausalLM.from_pretrained(request["folder"], dtype=getattr(torch, dtype), attn_implementation="sdpa").eval()

    def run(batch):
        lengths = [len(q["context"]) + sum(len(c) - 1 for c in q["choices"]) for q in batch]
        width = max(lengths)
        ids = torch.zeros(len(batch), width, dtype=torch.long)
        positions = torch.zeros(len(batch), width, dtype=torch.long)
        mask = torch.zeros(len(batch), 1, width, width, dtype=torch.bool)
        mask[:, 0].diagonal(dim1=1, dim2=2).fill_(True)
        rows, targets, owner = [], [], []
        for b, question in enumerate(batch):
            n = len(question["context"])
            ids[b, :n] = torch.tensor(question["context"])
            positions[b, :n] = torch.arange(n)
            mask[b, 0, :n, :n] = torch.ones(n, n, dtype=torch.bool).tril()
            at = n
            for c, choice in enumerate(question["choices"]):
                m = len(choice) - 1
                ids[b, at:at + m] = torch.tensor(choice[:-1], dtype=torch.long)
                positions[b, at:at + m] = torch.arange(n, n + m)
                mask[b, 0, at:at + m, :n] = True
                mask[b, 0, at:at + m, at:at + m] = torch.ones(m, m, dtype=torch.bool).tril()
                at += m
                for row, token in batches.targets_of(question, c):
                    rows.append(b * width + row)
                    targets.append(token)
                    owner.append((b, c))
        hidden = model.model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).last_hidden_state
        logits = model.lm_head(hidden.reshape(-1, hidden.shape[-1])[rows]).float()
        picked = (logits.gather(-1, torch.tensor(targets)[:, None])[:, 0] - logits.logsumexp(-1)).tolist()
        scores = [[0.0] * len(question["choices"]) for question in batch]
        for (b, c), value in zip(owner, picked):
            scores[b][c] += value
        return scores

    with torch.inference_mode():
        return batches.timed(batches.split(request["questions"], request["batch"]), run)
