"""What the peers share."""
import json
import os
import statistics
import subprocess
import sys
import time


class Unavailable(Exception):
    """This peer, or this test of it, cannot run here: the reason, for the table."""


def answer(call):
    """The side of a process of its own: a request on standard input, call's reply to it on standard output."""
    request = json.load(sys.stdin)
    out = os.dup(1)
    os.dup2(2, 1)  # what libraries print is not the reply
    try:
        reply = call(request)
    except Unavailable as reason:
        reply = {"unavailable": str(reason)}
    os.write(out, json.dumps(reply).encode())


def ask(script, name, request, python=sys.executable, cores=None):
    """The other side: starts `script --worker name`, on `cores` where they are given. A process that fails is unavailable, with its last line."""
    done = subprocess.run([python, os.path.abspath(script), "--worker", name], input=json.dumps(request), capture_output=True, text=True,
                          preexec_fn=cores and (lambda: os.sched_setaffinity(0, cores)), env={**os.environ, "OMP_NUM_THREADS": str(request["threads"])})
    if done.returncode:
        return {"unavailable": (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]}
    return json.loads(done.stdout)


def spread(values):
    return f"{statistics.median(values):.3g} [{min(values):.3g}, {max(values):.3g}]"


def status_bytes(field):
    with open("/proc/self/status") as lines:
        for line in lines:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    return 0


def tokens(n, vocabulary, seed=0):
    """Repeatable; other seeds share no beginning."""
    return [(i * 7919 + 13 + 101 * seed) % vocabulary for i in range(n)]


def timed_ms(call):
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1e3


def median_ms(repetitions, call, prepare=lambda: None):
    """Of `repetitions` calls behind one that is not counted; `prepare` runs before each, outside the time."""
    times = []
    for _ in range(repetitions + 1):
        prepare()
        times.append(timed_ms(call))
    return statistics.median(times[1:])


def longest(tests):
    """Positions that the largest test needs."""
    return max(t.get("depth", 0) + t["n"] + t.get("answers", 0) * t.get("answer", 0) for t in tests)


def run_tests(tests, runners):
    """{"ms", "reasons"} from a runner per kind, which gives milliseconds or raises Unavailable."""
    reply = {"ms": {}, "reasons": {}}
    for test in tests:
        try:
            if test["kind"] not in runners:
                raise Unavailable("its interface has no such call")
            reply["ms"][test["name"]] = runners[test["kind"]](test)
        except Unavailable as reason:
            reply["reasons"][test["name"]] = str(reason)
    return reply
