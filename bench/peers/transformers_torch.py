"""transformers on the Hugging Face folder of the same shape, as lm-evaluation-harness runs it: scaled-dot-product attention, a dynamic cache."""
import time

from .common import Unavailable, median_ms, run_tests, status_bytes, tokens

NAME = "transformers fp32"


def measure(request, dtype="float32"):
    if not request.get("folder"):
        raise Unavailable("needs the Hugging Face folder (--folder)")
    try:
        import torch
        import transformers
    except ImportError as error:
        raise Unavailable(f"{error.name} is not installed") from None
    torch.set_num_threads(request["threads"])
    transformers.utils.logging.set_verbosity_error()
    before = status_bytes("VmRSS")
    start = time.perf_counter()
    model = transformers.AutoModelForCausalLM.from_pretrained(request["folder"], dtype=getattr(torch, dtype)).eval()
    load_ms = (time.perf_counter() - start) * 1e3
    vocabulary = model.config.vocab_size

    def forward(ids, cache=None, keep=1):
        return model(input_ids=torch.tensor(ids), past_key_values=cache, use_cache=True, logits_to_keep=keep)

    def setting(test):
        """The test's tokens, a cache that holds its depth, and what takes the cache back to it."""
        ids = tokens(test["depth"] + test["n"], vocabulary)
        cache = transformers.DynamicCache()
        if test["depth"]:
            forward([ids[:test["depth"]]], cache)
        return ids[test["depth"]:], cache, lambda: cache.get_seq_length() > test["depth"] and cache.crop(test["depth"])

    def prompt(test):
        ids, cache, back = setting(test)
        if test["depth"] == 0:
            return median_ms(request["repetitions"], lambda: forward([ids]))
        return median_ms(request["repetitions"], lambda: forward([ids], cache), back)

    def generate(test):
        ids, cache, back = setting(test)

        def run():
            own = cache if test["depth"] else transformers.DynamicCache()
            for token in ids:
                forward([[token]], own)

        return median_ms(request["repetitions"], run, back) / test["n"]

    def answers(test):
        """The context once, its cache repeated for the answers, which are one batch."""
        n, count, length = test["n"], test["answers"], test["answer"]
        ids = tokens(n + count * length, vocabulary)
        rows = [ids[n + a * length:n + (a + 1) * length] for a in range(count)]

        def run():
            first = forward([ids[:n]])
            first.past_key_values.batch_repeat_interleave(count)
            more = forward([row[:-1] for row in rows], first.past_key_values, keep=0)
            torch.log_softmax(first.logits[:, -1].float(), -1)[0, [row[0] for row in rows]]
            torch.log_softmax(more.logits.float(), -1).gather(-1, torch.tensor([row[1:] for row in rows]).unsqueeze(-1))

        return median_ms(request["repetitions"], run)

    with torch.inference_mode():
        reply = run_tests(request["tests"], {"prompt": prompt, "generate": generate, "answers": answers})
    return {"load_ms": load_ms, "rss_bytes": status_bytes("VmHWM") - before, **reply}
