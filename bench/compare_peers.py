#!/usr/bin/env python3
"""Times tinyllm beside other engines on the same model and prints the ratios.

    compare_peers.py --tinyllm build/tools/tinyllm MODEL.gguf [MODEL2.gguf ...] [--peers llama.cpp,transformers-fp32] [--folder HF_FOLDER]
                     [--llama-bench PATH] [-t 1,2] [-p 100,512] [-n 32] [-d 0,1024] [--question] [--rounds 5] [--work FOLDER]

Peers: llama.cpp (llama-cpp-python), openvino (GenAI, on the same file), ctranslate2 (int8), transformers-fp32, transformers-bf16; the last three
read --folder, a Hugging Face folder of the same shape (bench/make_checkpoints.py). A llama-bench given by path is one more. Run it with a
Python that has them; one that is absent or cannot run the model is a row with the reason.

Each round starts every program anew, pinned to as many cores as it has threads, in an order that turns from round to round; within a process a warm-up
comes first. All compute the logits of a prompt's last token and of every generated token. Ratios above 1 mean tinyllm is faster (or smaller).
"""
import argparse
import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from peers.common import answer, ask, spread

PEERS = {"tinyllm": "tinyllm", "llama.cpp": "llama_cpp_python", "llama-bench": "llama_bench", "openvino": "openvino_genai",
         "ctranslate2": "ctranslate2_int8", "transformers-fp32": "transformers_torch", "transformers-bf16": "transformers_bf16"}
QUESTION = {"n": 100, "answers": 4, "answer": 5}  # as tinyllm bench --question


def peer_module(name):
    return importlib.import_module("peers." + PEERS[name])


def numbers(text):
    return [int(n) for n in text.split(",")]


def tests_of(arguments, context):
    """In llama-bench's names. A depth that the model does not hold becomes the last
    multiple of 128 that it does, or none."""
    tests = []
    for asked in numbers(arguments.depths):
        for kind, sizes, letters in (("prompt", arguments.n_prompt, "pp"), ("generate", arguments.n_gen, "tg")):
            for n in numbers(sizes):
                if n == 0 or (asked > 0 and kind == "prompt" and n > 128):
                    continue
                depth = min(asked, (context - n - 1) // 128 * 128)
                name = f"{letters}{n}" + (f" @ d{depth}" if depth else "")
                if depth == 0 and asked > 0:
                    continue
                tests.append({"name": name, "kind": kind, "n": n, "depth": depth})
    if arguments.question:
        if not any(t["name"] == f"pp{QUESTION['n']}" for t in tests):
            tests.append({"name": f"pp{QUESTION['n']}", "kind": "prompt", "n": QUESTION["n"], "depth": 0})
        tests.append({"name": "pp{n}+{answers}x{answer}".format(**QUESTION), "kind": "answers", "depth": 0, **QUESTION})
    return tests


def compare(arguments, path, threads, peers):
    """Rows of one model and thread count."""
    info = subprocess.run([arguments.tinyllm, "info", path, "--json"], check=True, capture_output=True, text=True).stdout
    request = {"tinyllm": arguments.tinyllm, "llama_bench": arguments.llama_bench, "file": path, "folder": arguments.folder, "work": arguments.work,
               "threads": threads, "repetitions": arguments.repetitions, "tests": tests_of(arguments, json.loads(info)["model"]["context"])}
    cores = sorted(os.sched_getaffinity(0))[:threads]
    absent, replies = {}, {}
    for name in peers:  # conversions are made before the rounds
        if name in ("openvino", "ctranslate2"):
            reply = ask(__file__, name, {**request, "prepare": True}, cores=cores)
            if "unavailable" in reply:
                absent[name] = reply["unavailable"]
    for i in range(arguments.rounds):
        order = ["tinyllm", *(p for p in peers if p not in absent)]
        for name in order[i % len(order):] + order[:i % len(order)]:
            reply = ask(__file__, name, request, cores=cores)
            if "unavailable" in reply:
                if name == "tinyllm":
                    sys.exit(reply["unavailable"])
                absent[name] = reply["unavailable"]
            replies.setdefault(name, []).append(reply)
        print(f"  round {i + 1}/{arguments.rounds}", file=sys.stderr)

    def row(what, name, ours="", theirs="", ratio="", ratios=()):
        return {"model": os.path.basename(path), "threads": threads, "what": what, "peer": peer_module(name).NAME, "tinyllm": ours, "theirs": theirs,
                "ratio": ratio, "ratios": list(ratios)}

    rows = []
    for name in peers:
        if name in absent:
            rows.append(row("all", name, theirs=absent[name]))
            continue
        pairs = list(zip(replies["tinyllm"], replies[name]))
        for test in request["tests"]:
            key = test["name"]
            failed = [reply["reasons"][key] for _, reply in pairs if key in reply["reasons"]]
            if failed:
                rows.append(row(key, name, theirs=failed[0]))
                continue
            ours, theirs = ([reply["ms"][key] for reply in side] for side in zip(*pairs))
            ratios = [b / a for a, b in zip(ours, theirs)]
            rows.append(row(key + (" ms/token" if test["kind"] == "generate" else " ms"), name, spread(ours), spread(theirs), spread(ratios), ratios))
        for key, title, scale in (("load_ms", "load ms", 1), ("rss_bytes", "peak RSS MiB", 2**-20)):
            ours, theirs = ([reply[key] for reply in side] for side in zip(*pairs))
            if None in theirs:
                rows.append(row(title, name, theirs="not reported"))
                continue
            ratios = [b / a for a, b in zip(ours, theirs)]
            rows.append(row(title, name, spread([v * scale for v in ours]), spread([v * scale for v in theirs]), spread(ratios), ratios))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL.gguf")
    parser.add_argument("--tinyllm", help="the tinyllm command")
    parser.add_argument("--peers", default="llama.cpp", help="separated by commas, of " + ", ".join(p for p in PEERS if p != "tinyllm"))
    parser.add_argument("--llama-bench", metavar="PATH", help="also time this llama-bench")
    parser.add_argument("--folder", help="the Hugging Face folder of the models' shape")
    parser.add_argument("--work", default=os.path.join(tempfile.gettempdir(), "compare_peers"), help="where peers' conversions are kept")
    parser.add_argument("-t", "--threads", default="1,2", help="thread counts, separated by commas")
    parser.add_argument("-p", "--n-prompt", default="100,512", help="behind a depth those up to 128 only")
    parser.add_argument("-n", "--n-gen", default="32")
    parser.add_argument("-d", "--depths", default="0,1024")
    parser.add_argument("--question", action="store_true", help="also a question of the study: 100 tokens and 4 answers of 5")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-r", "--repetitions", type=int, default=3, help="timed runs of a test in a process")
    parser.add_argument("--json", metavar="PATH", help="also write the rows there")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        answer(peer_module(arguments.worker).measure)
        return
    if not arguments.tinyllm or not arguments.models:
        parser.error("--tinyllm, the command to compare, and a model are needed")
    if arguments.rounds < 1 or arguments.repetitions < 1:
        parser.error("--rounds and -r: expected 1 or more")
    peers = [p for p in arguments.peers.split(",") if p]
    for peer in peers:
        if peer not in PEERS or peer == "tinyllm":
            parser.error(f"no peer {peer}")
    if "llama-bench" in peers and not arguments.llama_bench:
        parser.error("the peer llama-bench needs --llama-bench PATH")
    if arguments.llama_bench and "llama-bench" not in peers:
        peers.append("llama-bench")
    pathlib.Path(arguments.work).mkdir(parents=True, exist_ok=True)

    rows = []
    for path in arguments.models:
        for threads in numbers(arguments.threads):
            print(f"{os.path.basename(path)}, {threads} threads", file=sys.stderr)
            rows += compare(arguments, path, threads, peers)
    titles = ["model", "threads", "what", "peer", "tinyllm", "theirs", "ratio"]
    print("| " + " | ".join(titles) + " |\n|" + " --- |" * len(titles))
    for row in rows:
        print("| " + " | ".join(str(row[t]).replace("|", "\\|") for t in titles) + " |")
    print("\nMedian [least, most] of the rounds; ratio, of each round's pair, above 1: tinyllm is faster or smaller.")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"schema": "tinyllm.compare_peers/2", "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()
