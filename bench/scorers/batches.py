"""What the scorers share: batches of questions, and the time of all of them behind a warm-up."""
import time


def split(questions, size):
    return [questions[i:i + size] for i in range(0, len(questions), size)]


def timed(batches, run):
    """`run` gives the scores of one batch."""
    run(batches[0])
    start = time.perf_counter()
    scores = [row for batch in batches for row in run(batch)]
    return {"seconds": time.perf_counter() - start, "scores": scores}


def targets_of(question, choice):
    """[(row, token)]: what stands behind each row of context + choices one behind the other, of which the first token of each has the context's last row."""
    start = len(question["context"]) - 1 + sum(len(c) - 1 for c in question["choices"][:choice])
    ids = question["choices"][choice]
    rows = [len(question["context"]) - 1] + [start + i for i in range(1, len(ids))]
    return list(zip(rows, ids))
