#!/usr/bin/env python3
"""A study killed at a hundred random moments ends with the results of one that nobody disturbed. Uses an embedded model."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

SOURCE = os.environ.get("TINYLLM_SOURCE_DIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
TINYLLM = os.environ.get("TINYLLM", "")
MODELS = os.path.join(SOURCE, "tools", "embedded", "models")
KILLS = 20 if os.environ.get("TINYLLM_SANITIZE") else 100
SEED = 20

if not TINYLLM or not os.path.exists(TINYLLM) or not os.path.isdir(MODELS) or not os.listdir(MODELS):
    print("skipped: needs the tinyllm command and the embedded models")
    sys.exit(77)
STUDY = [TINYLLM, "study", "--models", os.path.join(MODELS, sorted(os.listdir(MODELS))[0]), "--data",
         os.path.join(SOURCE, "tools", "embedded", "questions"), "--types", "f32,q8_0", "--limit", "20"]


def answers(folder):
    """Per journal, what was answered to each question. No question stands twice, and each journal has its end."""
    found = {}
    for name in sorted(os.listdir(os.path.join(folder, "journal"))):
        with open(os.path.join(folder, "journal", name)) as file:
            lines = [json.loads(line) for line in file]
        numbered = {line["i"]: {key: value for key, value in line.items() if key != "ms"} for line in lines if "i" in line}
        assert len(numbered) == sum("i" in line for line in lines), ("a question stands twice", name)
        assert lines[-1].get("end") == "ok", (name, lines[-1])
        found[name] = numbered
    return found


def accuracies(folder):
    with open(os.path.join(folder, "results.json")) as file:
        return {(c["model"], c["type"], c["protocol"], c["task"]): (c["n"], c["results"], c["predicted_share"]) for c in json.load(file)["cells"]}


def kill_once(folder, moment, group):
    """True if the study was still at work after `moment` seconds. The whole group, or the parent alone, whose child then has to notice."""
    process = subprocess.Popen([*STUDY, "-o", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(moment)
    alive = process.poll() is None
    if alive and group:
        os.killpg(process.pid, signal.SIGKILL)
    elif alive:
        process.kill()
    process.wait()
    return alive


def finish(folder):
    """Goes on to the end. A child whose parent was killed may hold the folder for a moment."""
    for _ in range(100):
        done = subprocess.run([*STUDY, "-o", folder], capture_output=True, text=True, timeout=600)
        if "another" not in done.stderr:
            break
        time.sleep(0.1)
    assert done.returncode == 0, (done.returncode, done.stderr[-500:])


def main():
    moments = random.Random(SEED)
    with tempfile.TemporaryDirectory() as scratch:
        whole = os.path.join(scratch, "whole")
        start = time.monotonic()
        finish(whole)
        longest = time.monotonic() - start
        expected = answers(whole), accuracies(whole)
        assert len(expected[0]) == len(expected[1]) >= 20, len(expected[0])
        kills = studies = 0
        while kills < KILLS:
            studies += 1
            folder = os.path.join(scratch, f"killed{studies}")
            # Some studies die once, some again and again, and some behind the last question, while the report is written.
            for _ in range(moments.choice((1, 3, 10, 30))):
                killed = kill_once(folder, moments.uniform(0, 0.5 * longest), moments.random() < 0.7)
                kills += killed
                if not killed or kills == KILLS:
                    break
            finish(folder)
            assert (answers(folder), accuracies(folder)) == expected, f"study {studies} ends differently"
    print(kills, "kills in", studies, "studies")


if __name__ == "__main__":
    main()
