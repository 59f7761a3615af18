#!/usr/bin/env python3
"""Times llama.cpp (through llama-cpp-python) and tinyllm on the same GGUF file and prints the ratios.

    compare_peers.py --tinyllm build/tools/tinyllm MODEL.gguf [MODEL2.gguf …] [-t 1,2] [-p 512] [-n 128] [--rounds 5]

Run it with a Python that has llama_cpp. Each round starts both programs anew, one after the other, the first one changing from
round to round; within a process a warm-up run comes first. Both compute the logits of the last token of a prompt and of every
generated token, and both have the same number of threads. Ratios above 1 mean tinyllm is faster (or smaller).
"""
import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import time


def status_bytes(field):
    with open("/proc/self/status") as lines:
        for line in lines:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    return 0


def clear_cache(llama_cpp, context):
    """The name of this call changed between versions of llama.cpp."""
    if hasattr(llama_cpp, "llama_memory_clear"):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
    elif hasattr(llama_cpp, "llama_kv_self_clear"):
        llama_cpp.llama_kv_self_clear(context)
    else:
        llama_cpp.llama_kv_cache_clear(context)


def run_llama_cpp(path, threads, n_prompt, n_gen):
    """One process's worth of measurement: {pp_ts, tg_ts, load_ms, rss_bytes}."""
    import llama_cpp

    quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p())
    llama_cpp.llama_backend_init()
    before = status_bytes("VmRSS")
    start = time.perf_counter()
    model_params = llama_cpp.llama_model_default_params()
    model_params.n_gpu_layers = 0
    load = getattr(llama_cpp, "llama_model_load_from_file", None) or llama_cpp.llama_load_model_from_file
    model = load(path.encode(), model_params)
    if not model:
        sys.exit(f"llama.cpp cannot load {path}")
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = max(n_prompt, n_gen) + 1
    params.n_batch = params.n_ubatch = max(n_prompt, 1)
    params.n_threads = params.n_threads_batch = threads
    make = getattr(llama_cpp, "llama_init_from_model", None) or llama_cpp.llama_new_context_with_model
    context = make(model, params)
    if not context:
        sys.exit(f"llama.cpp cannot make a context for {path}")
    load_ms = (time.perf_counter() - start) * 1e3

    vocab = llama_cpp.llama_model_get_vocab(model)
    n_vocab = llama_cpp.llama_vocab_n_tokens(vocab)
    tokens = (llama_cpp.llama_token * max(n_prompt, n_gen, 1))(*[(i * 7919 + 13) % n_vocab for i in range(max(n_prompt, n_gen, 1))])

    def decode(begin, n):
        part = (llama_cpp.llama_token * n).from_buffer(tokens, begin * ctypes.sizeof(llama_cpp.llama_token))
        if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(part, n)) != 0:
            sys.exit("llama_decode failed")
        llama_cpp.llama_get_logits(context)

    def prompt():
        clear_cache(llama_cpp, context)
        begin = time.perf_counter()
        decode(0, n_prompt)
        return n_prompt / (time.perf_counter() - begin)

    def generate():
        clear_cache(llama_cpp, context)
        begin = time.perf_counter()
        for i in range(n_gen):
            decode(i, 1)
        return n_gen / (time.perf_counter() - begin)

    result = {"load_ms": load_ms, "pp_ts": None, "tg_ts": None}
    if n_prompt:
        prompt()
        result["pp_ts"] = prompt()
    if n_gen:
        generate()
        result["tg_ts"] = generate()
    # Python and the imported package are not llama.cpp's memory.
    result["rss_bytes"] = status_bytes("VmHWM") - before
    return result


def run_tinyllm(command, path, threads, n_prompt, n_gen):
    out = subprocess.run([command, "-q", "bench", path, "-p", str(n_prompt), "-n", str(n_gen), "-t", str(threads), "-r", "1", "--json"],
                         check=True, capture_output=True, text=True).stdout
    result = {"pp_ts": None, "tg_ts": None}
    for row in json.loads(out):
        result["pp_ts" if row["n_prompt"] else "tg_ts"] = row["avg_ts"]
        result["load_ms"] = row["load_ms"]
        result["rss_bytes"] = row["rss_peak_bytes"]
    return result


def run_peer(path, threads, n_prompt, n_gen):
    out = subprocess.run([sys.executable, os.path.abspath(__file__), "--worker", path, "-t", str(threads), "-p", str(n_prompt), "-n", str(n_gen)],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out)


def spread(values):
    return f"{statistics.median(values):.3g} [{min(values):.3g}, {max(values):.3g}]"


def compare(arguments, path, threads):
    rounds = []
    for i in range(arguments.rounds):
        pair = {}
        for who in (("ours", "peer"), ("peer", "ours"))[i % 2]:
            if who == "ours":
                pair[who] = run_tinyllm(arguments.tinyllm, path, threads, arguments.n_prompt, arguments.n_gen)
            else:
                pair[who] = run_peer(path, threads, arguments.n_prompt, arguments.n_gen)
        rounds.append(pair)
        print(f"  round {i + 1}/{arguments.rounds}", file=sys.stderr)

    rows = []
    for name, key, better in ((f"pp{arguments.n_prompt} t/s", "pp_ts", 1), (f"tg{arguments.n_gen} t/s", "tg_ts", 1),
                              ("load ms", "load_ms", -1), ("peak RSS MiB", "rss_bytes", -1)):
        scale = 2**-20 if key == "rss_bytes" else 1
        ours = [r["ours"][key] for r in rounds]
        peer = [r["peer"][key] for r in rounds]
        if None in ours or None in peer or min(peer) <= 0:
            continue
        ratios = [(a / b) ** better for a, b in zip(ours, peer)]
        rows.append({"model": os.path.basename(path), "threads": threads, "what": name,
                     "tinyllm": spread([v * scale for v in ours]), "llama.cpp": spread([v * scale for v in peer]),
                     "ratio": spread(ratios), "ratios": ratios})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL.gguf")
    parser.add_argument("--tinyllm", help="the tinyllm command")
    parser.add_argument("-t", "--threads", default="1,2", help="thread counts, separated by commas")
    parser.add_argument("-p", "--n-prompt", type=int, default=512)
    parser.add_argument("-n", "--n-gen", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", metavar="PATH", help="also write the rows there")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps(run_llama_cpp(arguments.models[0], int(arguments.threads), arguments.n_prompt, arguments.n_gen)))
        return
    if not arguments.tinyllm:
        parser.error("--tinyllm is needed: the command to compare")

    rows = []
    for path in arguments.models:
        for threads in (int(t) for t in arguments.threads.split(",")):
            print(f"{os.path.basename(path)}, {threads} threads", file=sys.stderr)
            rows += compare(arguments, path, threads)
    titles = ["model", "threads", "what", "tinyllm", "llama.cpp", "ratio"]
    print("| " + " | ".join(titles) + " |\n|" + " --- |" * len(titles))
    for row in rows:
        print("| " + " | ".join(str(row[t]) for t in titles) + " |")
    print("\nMedian [least, most] of the rounds; ratio above 1: tinyllm is faster or smaller.")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"schema": "tinyllm.compare_peers/1", "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()
