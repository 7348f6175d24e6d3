# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the command share: running it, and reading what it prints."""
import json
import os
import pathlib
import queue
import signal
import subprocess
import tempfile
import threading
import time
import unittest

VERBCAST = os.environ["VERBCAST"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 60  # seconds; a sanitizer's build on a busy machine is slow


def ordinary_user():
    """The uid of one who may run VERBCAST: nobody, or, where it lies in a folder for its owner's eyes only, that owner."""
    open_to_all = all(folder.stat().st_mode & 0o001 for folder in pathlib.Path(VERBCAST).parents)
    return 65534 if open_to_all else os.getuid()


def without_privileges():
    """What to write before a command that root runs, for it to have no capability."""
    if os.geteuid() != 0:
        return []
    user = ordinary_user()
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]


def run(*arguments, timeout=PATIENCE, **options):
    """The finished process; its output as bytes."""
    return subprocess.run([VERBCAST, *map(str, arguments)], stdout=options.pop("stdout", subprocess.PIPE),
                          stderr=subprocess.PIPE, timeout=timeout, stdin=subprocess.DEVNULL, **options)


def objects(output):
    """The JSON objects in an output, one a line; fails on any line that is none."""
    return [json.loads(line) for line in output.decode("utf-8", errors="strict").splitlines()]


class Running:
    """A command that runs, with its JSON lines as they come. Use it in a `with`."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([VERBCAST, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        stdin=subprocess.DEVNULL)
        self.seen = []
        self.errors = b""
        self._lines = queue.Queue()
        self._threads = [threading.Thread(target=self._read_lines), threading.Thread(target=self._read_errors)]
        for thread in self._threads:
            thread.start()

    def _read_lines(self):
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self):
        self.errors = self.process.stderr.read()

    def wait_for(self, kind, timeout=PATIENCE):
        """The next object of a type."""
        deadline = time.monotonic() + timeout
        while True:
            line = self._lines.get(timeout=max(0.01, deadline - time.monotonic()))
            if line is None:
                raise AssertionError(f"ended before {kind}; stderr: {self.errors.decode(errors='replace')}")
            self.seen.append(json.loads(line))
            if self.seen[-1].get("type") == kind:
                return self.seen[-1]

    def finish(self, timeout=PATIENCE):
        """Waits for its end; returns the exit code. All objects are in `seen` then."""
        code = self.process.wait(timeout)
        for thread in self._threads:
            thread.join(timeout)
        while (line := self._lines.get()) is not None:
            self.seen.append(json.loads(line))
        return code

    def signal(self, number=signal.SIGINT):
        self.process.send_signal(number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join()
        self.process.stdout.close()
        self.process.stderr.close()


class CommandTest(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="verbcast-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def assert_usage(self, result, *words):
        """Exit code 2, nothing on stdout, and a message of one line with these words."""
        message = result.stderr.decode()
        self.assertEqual(result.returncode, 2, message)
        self.assertEqual(result.stdout, b"")
        self.assertEqual(message.count("\n"), 1, message)
        for word in words:
            self.assertIn(word, message)

    def assert_trouble(self, result, *words):
        """Exit code 1 and a message with these words."""
        message = result.stderr.decode()
        self.assertEqual(result.returncode, 1, message)
        for word in words:
            self.assertIn(word, message)

    def assert_balanced(self, account):
        """received is the sum of all places where packets are."""
        places = [account["stop_heap"], account["live"], account["in_ring"]]
        for part in ("ignored", "rejected", "delivered", "dropped"):
            places += account[part].values()
        self.assertEqual(account["received"], sum(places), account)
