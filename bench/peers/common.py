"""What the peers share."""
import statistics
import time


class Unavailable(Exception):
    """This peer, or this test of it, cannot run here: the reason, for the table."""


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
