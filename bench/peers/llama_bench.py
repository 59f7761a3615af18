"""Any build of llama.cpp's llama-bench, by path. It reports neither loading nor memory."""
import json
import statistics
import subprocess

from .common import Unavailable, run_tests

NAME = "llama-bench"


def measure(request):
    def run(test):
        generates = test["kind"] == "generate"
        words = [request["llama_bench"], "-m", request["file"], "-p", "0" if generates else str(test["n"]), "-n", str(test["n"]) if generates else "0",
                 "-d", str(test.get("depth", 0)), "-t", str(request["threads"]), "-r", str(request["repetitions"]), "-ngl", "0", "-o", "json"]
        try:
            done = subprocess.run(words, capture_output=True, text=True)
        except OSError as error:
            raise Unavailable(f"{request['llama_bench']}: {error.strerror}") from None
        if done.returncode:
            raise Unavailable((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
        row = json.loads(done.stdout)[0]
        return statistics.median(row["samples_ns"]) / 1e6 / (test["n"] if generates else 1)

    return {"load_ms": None, "rss_bytes": None, **run_tests(request["tests"], {"prompt": run, "generate": run})}
