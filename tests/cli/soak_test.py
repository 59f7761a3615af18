"""`bench --soak`: a steady model passes, a process whose memory grows ends with code 8, a signal ends it with a report."""
import json
import os
import shutil
import signal
import subprocess
import unittest

import harness

# A thread beside the model that keeps what it takes: 256 KiB every 20 ms.
LEAK = """
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void *leak(void *unused) {
    for (;;) {
        void *kept = malloc(1 << 18);
        if (kept) memset(kept, 1, 1 << 18);
        usleep(20000);
    }
    return unused;
}
__attribute__((constructor)) static void begin(void) {
    pthread_t thread;
    if (getenv("TEST_LEAKS")) pthread_create(&thread, NULL, leak, NULL);
}
"""


# What is freed stays in the sanitizers' quarantine for a while: memory grows.
@unittest.skipIf(os.environ.get("TINYLLM_SANITIZE"), "sanitizers keep what is freed")
class SoakTest(harness.CommandTest):
    def test_a_model_at_work_keeps_its_memory(self):
        row = self.json("bench", self.model, "--soak", "2s", "-p", 40, "-n", 20, "--json")
        self.assertEqual(row["schema"], "tinyllm.soak/1")
        self.assertFalse(row["leaks"])
        self.assertGreaterEqual(row["rounds"], 16)
        self.assertGreaterEqual(row["seconds"], 2)
        self.assertGreater(row["rss_first_bytes"], 1 << 20)
        self.assertGreater(row["last_token_ms"], 0)
        self.assertIn("steady", self.output("bench", self.model, "--soak", "100ms", "-p", 40, "-n", 20).decode())

    def test_memory_that_grows_is_a_leak(self):
        compiler = shutil.which("cc") or shutil.which("gcc")
        if not compiler:
            self.skipTest("no C compiler")
        library = self.path("leak.so")
        subprocess.run([compiler, "-shared", "-fPIC", "-pthread", "-o", library, self.write("leak.c", LEAK)], check=True)
        for leaks, code in (("1", 8), (None, 0)):
            env = {"LD_PRELOAD": library, **({"TEST_LEAKS": leaks} if leaks else {})}
            done = self.run_command("bench", self.model, "--soak", "3s", "-p", 40, "-n", 20, "--json", env=env)
            self.assertEqual(done.returncode, code, done.stderr.decode())
            self.assertEqual(json.loads(done.stdout)["leaks"], code == 8)
            self.assertEqual("memory grew" in done.stderr.decode(), code == 8)

    def test_a_signal_ends_it_with_a_report(self):
        process = subprocess.Popen([harness.COMMAND, "bench", self.model, "--soak", "1h", "-p", "40", "-n", "20", "--json"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, errors.decode())
        self.assertLess(json.loads(output)["seconds"], 60)

    def test_what_cannot_be_run(self):
        self.fails(2, "bench", self.model, "--soak", "1s", "-p", 90, "-n", 20, says=["-p 90", "96"])
        self.fails(2, "bench", self.model, "--soak", "1s", "-p", 1, "-n", 20, says="-p 1")
        self.fails(2, "bench", self.model, "--soak", "soon", says="--soak")


harness.main()
