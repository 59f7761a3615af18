"""tinyllm bench, which makes its own tokens and warm-up."""
import json
import statistics
import subprocess

NAME = "tinyllm"


def measure(request):
    by_depth = {}
    for test in request["tests"]:
        by_depth.setdefault(test.get("depth", 0), []).append(test)
    reply = {"load_ms": None, "rss_bytes": 0, "ms": {}, "reasons": {}}
    for depth, tests in sorted(by_depth.items()):
        def sizes(kind):
            return ",".join(str(t["n"]) for t in tests if t["kind"] == kind) or "0"

        words = [request["tinyllm"], "-q", "bench", request["file"], "-p", sizes("prompt"), "-n", sizes("generate"), "-d", str(depth),
                 "-t", str(request["threads"]), "-r", str(request["repetitions"]), "--json"]
        if any(t["kind"] == "answers" for t in tests):
            words.append("--question")
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        wanted = {t["name"] for t in tests}
        for row in json.loads(done.stdout):
            if row["test"] in wanted:
                reply["ms"][row["test"]] = statistics.median(row["samples_ns"]) / 1e6 / max(1, row["n_gen"])
            reply["rss_bytes"] = max(reply["rss_bytes"], row["rss_peak_bytes"])
            if reply["load_ms"] is None:
                reply["load_ms"] = row["load_ms"]
    return reply
