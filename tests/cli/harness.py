"""Runs the tinyllm command in a scratch folder and checks what it does. Standard library only."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

import tiny_model

COMMAND = os.environ.get("TINYLLM", "")


class CommandTest(unittest.TestCase):
    """`self.model` is a folder, `self.gguf` the same model as a file."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.model = tiny_model.write_folder(cls.path("model"))
        cls.gguf = tiny_model.write_gguf(cls.path("model.gguf"))

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def path(cls, *parts):
        return os.path.join(cls.scratch.name, *parts)

    @classmethod
    def write(cls, name, content):
        with open(cls.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return cls.path(name)

    def run_command(self, *arguments, env=None, **options):
        """Without the caller's own TINYLLM_ variables."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TINYLLM")}
        clean.update({"TINYLLM_THREADS": "2", "HF_HUB_CACHE": self.path("no-cache"), **(env or {})})
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        return subprocess.run([COMMAND, *map(str, arguments)], stderr=subprocess.PIPE, timeout=300, env=clean, **options)

    def output(self, *arguments, **options):
        """Standard output of a run that must succeed."""
        done = self.run_command(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        return done.stdout

    def json(self, *arguments, **options):
        def refuse(name):
            raise ValueError(f"{name} is no JSON")

        return json.loads(self.output(*arguments, **options), parse_constant=refuse)

    def fails(self, code, *arguments, says=(), **options):
        """Ends with `code`, says one line that holds every word of `says`, and prints no result."""
        done = self.run_command(*arguments, **options)
        errors = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, code, errors)
        lines = errors.splitlines()
        self.assertEqual(len(lines), 1, errors)
        self.assertTrue(lines[0].startswith("tinyllm: "), errors)
        for word in [says] if isinstance(says, str) else says:
            self.assertIn(word, lines[0])
        if done.stdout is not None:
            self.assertEqual(done.stdout, b"")
        return lines[0]


def main():
    if not COMMAND:
        print("the tinyllm command is not built")
        sys.exit(77)
    unittest.main(module="__main__")
