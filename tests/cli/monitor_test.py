#!/usr/bin/env python3
"""monitor, and what eval, bench and info say of sensors: on a tree of a board, and on one that has none."""
import json
import os
import signal
import subprocess
import sys
import unittest

import harness

BOARD = {
    "proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 5000000 kB\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in1_label": "VDD_IN\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/in1_input": "5000\n",
    "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1/curr1_input": "1200\n",
    "sys/class/thermal/thermal_zone0/type": "tj-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "71500\n",
    "sys/devices/system/cpu/cpufreq/policy0/related_cpus": "0 1 2 3\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "1510400\n",
}


class MonitorTest(harness.CommandTest):
    def setUp(self):
        self.root = self.path(self.id())
        for path, text in BOARD.items():
            os.makedirs(os.path.dirname(os.path.join(self.root, path)), exist_ok=True)
            with open(os.path.join(self.root, path), "w") as file:
                file.write(text)
        self.bare = self.path("bare")
        os.makedirs(self.bare, exist_ok=True)

    def on_board(self, **more):
        return {"TINYLLM_SYSFS_ROOT": self.root, **more}

    def lines(self, text):
        documents = [json.loads(line) for line in text.splitlines()]
        self.assertEqual(documents[0]["schema"], "tinyllm.monitor/1")
        return documents

    def test_for_a_while(self):
        done = self.run_command("monitor", "--interval", "20ms", "--duration", "200ms", env=self.on_board())
        self.assertEqual(done.returncode, 0, done.stderr)
        documents = self.lines(done.stdout)
        samples, summary = documents[1:-1], documents[-1]["summary"]
        self.assertGreater(len(samples), 2)
        self.assertEqual(sorted(s["t"] for s in samples), [s["t"] for s in samples])
        for sample in samples:
            self.assertEqual(sample["power_W"], {"VDD_IN": 6.0})
            self.assertEqual(sample["temp_C"], {"tj-thermal": 71.5})
            self.assertNotIn("energy_J", sample)
        self.assertAlmostEqual(summary["power_W"], 6.0)
        self.assertAlmostEqual(summary["energy_J"], 6.0 * summary["seconds"])
        self.assertIsNone(summary["throttled"])
        self.assertIn("VDD_IN", done.stderr.decode())
        self.assertIn("throttled     not measured", done.stderr.decode())

    def test_without_sensors(self):
        done = self.run_command("monitor", "--duration", "50ms", "-q", env={"TINYLLM_SYSFS_ROOT": self.bare})
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        summary = self.lines(done.stdout)[-1]["summary"]
        for key in ("energy_J", "power_W", "temp_C", "throttled", "clocks", "power_mode"):
            self.assertIsNone(summary[key])

    def test_a_command_and_its_exit_code(self):
        script = "import os, sys; print('out'); sys.exit(int(sys.argv[1]))"
        for code in (0, 3, 77):
            done = self.run_command("monitor", "--interval", "10ms", "--", sys.executable, "-c", script, code, env=self.on_board())
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertEqual(self.lines(done.stdout)[-1]["summary"]["command"]["exit_code"], code)
            self.assertIn(b"out\n", done.stderr)  # standard output is the samples'
        done = self.run_command("monitor", "--", "sh", "-c", "kill -9 $$", env=self.on_board())
        self.assertEqual(done.returncode, 128 + 9)

    def test_with_a_file_the_command_keeps_its_output(self):
        path = self.path("samples.jsonl")
        done = self.run_command("monitor", "-o", path, "--", "sh", "-c", "echo -ctk --ids 1 2", env=self.on_board())
        self.assertEqual((done.returncode, done.stdout), (0, b"-ctk --ids 1 2\n"))
        with open(path) as file:
            header = self.lines(file.read())[0]
        self.assertEqual(header["command"], ["sh", "-c", "echo -ctk --ids 1 2"])

    def test_the_command_of_this_machine(self):
        """RSS is the command's, not ours."""
        hold = "import time; x = bytearray(200 << 20); time.sleep(0.3)"
        documents = self.lines(self.output("monitor", "--interval", "20ms", "--", sys.executable, "-c", hold))
        self.assertGreater(max((s["memory_bytes"]["rss"] or 0) for s in documents[1:-1]), 200 << 20)
        self.assertGreater(documents[-1]["summary"]["command"]["rss_peak"], 200 << 20)

    def test_bad_use(self):
        self.fails(3, "monitor", "-q", "-o", self.path("x"), "--", "no-such-program-here", says="no-such-program-here")
        self.fails(2, "monitor", "--interval", "0", says="--interval")
        self.fails(2, "monitor", "--interval", "soon", says="soon")
        self.fails(3, "monitor", "--import", self.path("absent"), says="absent")
        self.fails(1, "monitor", "-o", "/proc/nowhere/x", "--duration", "1ms", says="/proc/nowhere/x")

    def test_import(self):
        log = self.write("tegrastats.log", "RAM 2448/7471MB CPU [1%@729,off] GR3D_FREQ 7%@[305] tj@48.25C VDD_IN 4702mW/4650mW new@x\n" * 3)
        done = self.run_command("monitor", "--import", log, "--interval", "2s")
        documents = self.lines(done.stdout)
        self.assertEqual([s["t"] for s in documents[1:-1]], [0.0, 2.0, 4.0])
        self.assertAlmostEqual(documents[-1]["summary"]["energy_J"], 4 * 4.702)
        self.fails(7, "monitor", "-q", "--import", self.write("other.log", "nothing\n"), "-o", self.path("y"), says="tegrastats")

    def interrupted(self, number, *arguments):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TINYLLM")}
        process = subprocess.Popen([harness.COMMAND, "monitor", "--interval", "10ms", *arguments], env={**clean, **self.on_board()},
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        line = process.stdout.readline()
        line2 = process.stdout.readline()  # samples come: it is at work
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
        self.assertIn("summary", self.lines(line + line2 + out)[-1])
        return process.returncode

    def test_signals(self):
        self.assertEqual(self.interrupted(signal.SIGINT), 130)
        self.assertEqual(self.interrupted(signal.SIGTERM), 143)
        self.assertEqual(self.interrupted(signal.SIGTERM, "--", "sleep", "60"), 143)
        self.assertEqual(self.interrupted(signal.SIGINT, "--", "sleep", "60"), 130)

    def test_a_reader_that_leaves(self):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TINYLLM")}
        process = subprocess.Popen([harness.COMMAND, "monitor", "-q", "--interval", "5ms"], env={**clean, **self.on_board()}, stdout=subprocess.PIPE)
        process.stdout.readline()
        process.stdout.close()
        self.assertEqual(process.wait(timeout=60), 0)

    def test_bench(self):
        rows = self.json("bench", self.gguf, "-p", "4", "-n", "2", "-r", "2", "--idle", "20ms", "--json", env=self.on_board())
        for row in rows:
            self.assertAlmostEqual(row["power_W"], 6.0)
            self.assertAlmostEqual(row["idle_W"], 6.0)
            self.assertEqual(row["energy_of"], "VDD_IN")
            self.assertGreater(row["joules_per_token"], 0)
            self.assertEqual(row["temp_C"], 71.5)
            self.assertAlmostEqual(row["clocks"]["cpu0-3"]["mean"], 1510.4)
            self.assertIsNone(row["throttled"])
        table = self.output("bench", self.gguf, "-p", "4", "-n", "0", "-r", "1", env=self.on_board()).decode()
        self.assertIn("J/token", table)
        self.assertIn("71.5", table)
        done = self.run_command("bench", self.gguf, "-p", "4", "-n", "0", "-r", "1", env={"TINYLLM_SYSFS_ROOT": self.bare})
        self.assertNotIn(b"J/token", done.stdout)
        self.assertIn(b"not measured: energy, temperature", done.stderr)
        done = self.run_command("bench", self.gguf, "-p", "4", "-n", "0", "-r", "1", "--sample-interval", "0", env=self.on_board())
        self.assertNotIn(b"J/token", done.stdout)
        self.assertNotIn(b"not measured", done.stderr)

    def test_cooldown(self):
        bench = ("bench", self.gguf, "-p", "4", "-n", "0", "-r", "1")
        done = self.run_command(*bench, "--cooldown", "60C", "--cooldown-limit", "10ms", env=self.on_board())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("pp4: tj-thermal is at 71.5 °C, waiting for 60.0 °C", done.stderr.decode())
        self.assertIn("still at 71.5 °C", done.stderr.decode())
        self.assertNotIn(b"waiting", self.run_command(*bench, "--cooldown", "80", env=self.on_board()).stderr)
        self.fails(1, *bench, "--cooldown", "60", env={"TINYLLM_SYSFS_ROOT": self.bare}, says="no temperature")
        self.fails(2, *bench, "--cooldown", "warm", says="warm")

    def test_info(self):
        got = self.json("info", "--json", env=self.on_board())
        self.assertEqual(got["sensors"]["power_W"], {"VDD_IN": 6.0})
        self.assertEqual(got["sensors"]["temp_C"], {"tj-thermal": 71.5})
        self.assertIsNone(got["sensors"]["energy_J"])
        self.assertIsNone(got["power_mode"])
        text = self.output("info", env=self.on_board()).decode()
        self.assertRegex(text, r"sensors\.temp_C\.tj-thermal +71\.5\n")
        self.assertRegex(text, r"sensors\.energy_J +not measured\n")

    def test_eval(self):
        rows = "".join(json.dumps({"goal": f"g{i}", "sol1": "a", "sol2": "bb", "label": i % 2}) + "\n" for i in range(4))
        data = self.write("valid.jsonl", rows)
        got = self.json("eval", self.gguf, "-t", "piqa", "--data", "piqa=" + data, "--idle", "20ms", "--json", env=self.on_board())
        top, task = got["tinyllm"], got["tinyllm"]["tasks"]["piqa"]
        self.assertAlmostEqual(top["power_W"], 6.0)
        self.assertAlmostEqual(top["energy_J"], task["energy_J"])
        self.assertAlmostEqual(top["joules_per_question"], top["energy_J"] / 4)
        self.assertAlmostEqual(task["joules_per_correct"], task["energy_J"] / (4 * got["results"]["piqa"]["acc,none"]))
        self.assertEqual(top["temp_C"], 71.5)
        self.assertIsNone(top["memory"]["device_peak"])
        self.assertEqual(top["monitor"]["temp_sensor"], "tj-thermal")
        table = self.output("eval", self.gguf, "-t", "piqa", "--data", "piqa=" + data, env=self.on_board()).decode()
        self.assertIn("J/question", table)
        done = self.run_command("eval", self.gguf, "-t", "piqa", "--data", "piqa=" + data, env={"TINYLLM_SYSFS_ROOT": self.bare})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"not measured: energy, temperature", done.stderr)


if __name__ == "__main__":
    harness.main()
