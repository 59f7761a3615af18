"""lm-evaluation-harness's own class for transformers models, given the token ids: batches, sorting and softmax are its own."""
from peers.common import Unavailable

NAME = "lm-evaluation-harness fp32"


def score(request, dtype="float32"):
    if not request.get("folder"):
        raise Unavailable("needs the Hugging Face folder")
    import os
    import time
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
    try:
        import torch
        from lm_eval.models.huggingface import HFLM
    except ImportError as error:
        raise Unavailable(f"{error.name} is not installed") from None
    torch.set_num_threads(request["threads"])
    lm = HFLM(pretrained=request["folder"], dtype=dtype, device="cpu", batch_size=8)
    requests = [(None, q["context"], choice) for q in request["questions"] for choice in q["choices"]]
    lm._loglikelihood_tokens(requests[:16], disable_tqdm=True)
    start = time.perf_counter()
    scores = iter(lm._loglikelihood_tokens(requests, disable_tqdm=True))
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "scores": [[next(scores)[0] for _ in q["choices"]] for q in request["questions"]]}
