"""OpenVINO GenAI on the same GGUF file. It turns the file into a graph of its own once, which is kept in the work folder and is what loads
in the rounds. Every run has another prompt, so that no cache of prompts can answer."""
import pathlib
import time

from .common import Unavailable, run_tests, status_bytes, tokens

NAME = "OpenVINO GenAI"


def graph(file, work, genai):
    folder = pathlib.Path(work) / ("openvino-" + pathlib.Path(file).stem)
    if not (folder / "openvino_model.bin").exists():
        folder.mkdir(parents=True, exist_ok=True)
        link = folder / pathlib.Path(file).name
        if not link.exists():
            link.symlink_to(pathlib.Path(file).resolve())
        try:
            genai.LLMPipeline(str(link), "CPU", enable_save_ov_model=True)
        except RuntimeError as error:
            raise Unavailable("cannot read the file: " + str(error).strip().splitlines()[-1].strip()) from None
    return folder


def measure(request):
    try:
        import numpy as np
        import openvino
        import openvino_genai as genai
    except ImportError as error:
        raise Unavailable(f"{error.name} is not installed") from None
    folder = graph(request["file"], request["work"], genai)
    if request.get("prepare"):
        return {}
    before = status_bytes("VmRSS")
    start = time.perf_counter()
    pipe = genai.LLMPipeline(str(folder), "CPU", INFERENCE_NUM_THREADS=request["threads"])
    load_ms = (time.perf_counter() - start) * 1e3
    seed = 0

    def run(n, new):
        nonlocal seed
        seed += 1
        ids = np.array([tokens(n, 30000, seed)], dtype=np.int64)
        config = genai.GenerationConfig(max_new_tokens=new, min_new_tokens=new, ignore_eos=True, do_sample=False)
        return pipe.generate(genai.TokenizedInputs(openvino.Tensor(ids), openvino.Tensor(np.ones_like(ids))), config).perf_metrics

    def median(values):
        return sorted(values)[len(values) // 2]

    def prompt(test):
        if test["depth"]:
            raise Unavailable("a prompt behind others is not in its interface")
        return median([run(test["n"], 1).get_ttft().mean for _ in range(request["repetitions"] + 1)][1:])

    def generate(test):
        prompt_length = max(1, test["depth"])
        return median([run(prompt_length, test["n"] + 1).get_tpot().mean for _ in range(request["repetitions"] + 1)][1:])

    reply = run_tests(request["tests"], {"prompt": prompt, "generate": generate})
    return {"load_ms": load_ms, "rss_bytes": status_bytes("VmHWM") - before, **reply}
