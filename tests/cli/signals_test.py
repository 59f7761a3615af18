"""SIGINT and SIGTERM: what was said so far is whole, exit codes 130 and 143."""
import json
import os
import signal
import subprocess
import time

import harness
import tiny_model


class SignalTest(harness.CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Enough positions that the text does not end by itself.
        weights = tiny_model.tensors()
        positions = 200000
        weights["wpe.weight"] = ((positions, tiny_model.DIM), [0.0] * (positions * tiny_model.DIM))
        cls.long = tiny_model.write_folder(cls.path("long"), weights, n_positions=positions, n_ctx=positions)

    def start(self, *arguments):
        env = dict(os.environ, TINYLLM_THREADS="2")
        return subprocess.Popen([harness.COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, bufsize=0)

    def test_run_streams_and_stops_cleanly(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process = self.start("run", self.long, "abc", "-n", "-1", "--temp", "1", "--ignore-eos")
            first = process.stdout.read(1)  # text flows before the end
            process.send_signal(number)
            rest, errors = process.communicate(timeout=120)
            self.assertEqual(process.returncode, code)
            self.assertEqual(errors, b"")
            (first + rest).decode()  # no half character
            self.assertEqual(rest[-1:], b"\n")

    def test_generate_gives_what_it_has(self):
        process = self.start("-v", "generate", self.long, "abc", "--max-tokens", "-1", "--temp", "1", "--ignore-eos", "--json")
        self.assertIn(b"loaded", process.stderr.readline())
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(json.loads(out)["prompt_tokens"], [97, 98, 99])

    def test_other_commands_end_at_once(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process = self.start("bench", self.long, "-p", "0", "-n", "100000", "-r", "1000")
            time.sleep(1)
            process.send_signal(number)
            process.communicate(timeout=60)
            self.assertEqual(process.returncode, code)


if __name__ == "__main__":
    harness.main()
