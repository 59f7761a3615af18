"""CTranslate2 in int8, on its own conversion of the Hugging Face folder, made once in the work folder."""
import pathlib
import time

from .common import Unavailable, median_ms, run_tests, status_bytes, tokens

NAME = "CTranslate2 int8"


def converted(folder, work, ctranslate2):
    out = pathlib.Path(work) / ("ctranslate2-" + pathlib.Path(folder).name)
    if not (out / "model.bin").exists():
        try:
            ctranslate2.converters.TransformersConverter(folder).convert(str(out), quantization="int8", force=True)
        except Exception as error:  # whatever the converter meets: the reason is the row
            raise Unavailable("cannot convert the folder: " + (str(error).strip().splitlines() or [type(error).__name__])[-1]) from None
    return out


def measure(request):
    if not request.get("folder"):
        raise Unavailable("needs the Hugging Face folder (--folder)")
    try:
        import ctranslate2
    except ImportError:
        raise Unavailable("ctranslate2 is not installed") from None
    model = converted(request["folder"], request["work"], ctranslate2)
    if request.get("prepare"):
        return {}
    import json
    vocabulary = json.loads((model / "vocabulary.json").read_text())
    before = status_bytes("VmRSS")
    start = time.perf_counter()
    generator = ctranslate2.Generator(str(model), device="cpu", compute_type="int8", inter_threads=1, intra_threads=request["threads"])
    load_ms = (time.perf_counter() - start) * 1e3

    def words(n, seed=0):
        return [vocabulary[i] for i in tokens(n, len(vocabulary), seed)]

    def run(prompt, new):
        generator.generate_batch([prompt], max_length=new, min_length=new, include_prompt_in_result=False, sampling_topk=1)

    def prompt(test):
        if test["depth"]:
            raise Unavailable("a prompt behind others is not in its interface")
        text = words(test["n"])
        return median_ms(request["repetitions"], lambda: run(text, 1))

    def generate(test):
        text = words(max(1, test["depth"]))
        more, one = (median_ms(request["repetitions"], lambda: run(text, n)) for n in (test["n"] + 1, 1))
        return (more - one) / test["n"]

    def answers(test):
        """Each answer with the whole context: it shares none."""
        ids = words(test["n"] + test["answers"] * test["answer"])
        context, rest = ids[:test["n"]], ids[test["n"]:]
        rows = [context + rest[a * test["answer"]:(a + 1) * test["answer"]] for a in range(test["answers"])]
        return median_ms(request["repetitions"], lambda: generator.score_batch(rows))

    reply = run_tests(request["tests"], {"prompt": prompt, "generate": generate, "answers": answers})
    return {"load_ms": load_ms, "rss_bytes": status_bytes("VmHWM") - before, **reply}
