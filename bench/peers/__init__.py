"""One file per program that compare_peers.py can time. Each has

    NAME                how the tables call it
    measure(request)    one process's worth of measurement; raises Unavailable with the reason

A request is {"file", "folder", "work", "threads", "repetitions", "tests"}; a test is {"name", "kind", …}:

    prompt    n tokens behind `depth` others, with the logits of the last one
    generate  n single tokens behind `depth` others, with the logits of each
    answers   log-likelihood of `answers` continuations of `answer` tokens each, behind one context of n

A reply is {"load_ms", "rss_bytes", "ms": {test: milliseconds, of one token where it generates}, "reasons": {test: why it has none}}.
Each test runs once to warm up, then `repetitions` times; the median counts.
"""
