# SPDX-License-Identifier: BSD-3-Clause
"""verbcast softnic: what it does with the command it runs, and with nonsense."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

from harness import PATIENCE, VERBCAST, run

# Says that it is there, and then which signal ended it.
LISTENER = """
import signal, sys, time
def tell(number, frame):
    print(signal.Signals(number).name, flush=True)
    sys.exit(3)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, tell)
print("ready", flush=True)
time.sleep(%d)
""" % PATIENCE


def softnic(*arguments, command=("true",), **options):
    return run("softnic", *arguments, "--", *command, **options)


def started(command, **options):
    process = subprocess.Popen([VERBCAST, "softnic", "--", *command], stdout=subprocess.PIPE, text=True, **options)
    return process, process.stdout.readline().strip()


def run_folders(folder):
    return list(pathlib.Path(folder).glob("verbcast-softnic-run-*"))


class ExitCode(unittest.TestCase):
    def test_it_is_the_commands(self):
        for code in (0, 1, 2, 77):
            self.assertEqual(softnic(command=("sh", "-c", f"exit {code}")).returncode, code)

    def test_a_command_ended_by_a_signal_gives_128_and_its_number(self):
        self.assertEqual(softnic(command=("sh", "-c", "kill -9 $$")).returncode, 137)

    def test_no_such_command_is_127_and_one_that_may_not_run_126(self):
        missing = softnic(command=("no-such-command",))
        self.assertEqual(missing.returncode, 127)
        self.assertIn(b"verbcast softnic: no-such-command: No such file or directory", missing.stderr)
        self.assertEqual(softnic(command=("/etc/passwd",)).returncode, 126)


class Signals(unittest.TestCase):
    def test_what_is_sent_to_it_reaches_the_command(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            with self.subTest(number.name):
                process, said = started(["/usr/bin/env", "python3", "-c", LISTENER])
                self.assertEqual(said, "ready")
                process.send_signal(number)
                self.assertEqual(process.communicate(timeout=PATIENCE)[0].strip(), number.name)
                self.assertEqual(process.returncode, 3)

    def test_what_the_keyboard_sends_reaches_the_command_once_and_does_not_end_the_run(self):
        # A terminal of its own, since the kernel has to be the one that sends.
        own, terminal = os.openpty()
        process, said = started(["/usr/bin/env", "python3", "-c", LISTENER], stdin=terminal, start_new_session=True,
                                preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0))
        self.assertEqual(said, "ready")
        os.write(own, b"\x03")
        self.assertEqual(process.communicate(timeout=PATIENCE)[0].strip(), "SIGINT")
        self.assertEqual(process.returncode, 3)
        os.close(own)
        os.close(terminal)


class Nonsense(unittest.TestCase):
    def check(self, message, *arguments):
        refused = softnic(*arguments, command=("sh", "-c", "echo ran"))
        self.assertEqual(refused.returncode, 2, arguments)
        self.assertEqual(refused.stdout, b"")
        self.assertIn(message, refused.stderr.decode())

    def test_a_device_that_cannot_be_is_refused_before_the_command_runs(self):
        self.check("NAME=wire:NAME", "--device", "nic")
        self.check("NAME=wire:NAME", "--device", "nic=usb:1")
        self.check("a wire's name has 1 to 48", "--device", "nic=wire:")
        self.check("a device's name has 1 to 56", "--device", "a/b=wire:x")
        self.check("unknown option 'mtu=9000'", "--device", "nic=wire:x,mtu=9000")
        self.check("the name is taken", "--device", "nic=wire:x", "--device", "nic=wire:y")
        self.check("there is no interface 'nosuch0'", "--device", "nic=netdev:nosuch0")
        self.check("there is no interface 'nosuch0'", "--device", "nic=wire:x,netdev=nosuch0")

    def test_a_fault_script_that_cannot_be_is_refused_before_the_command_runs(self):
        with tempfile.TemporaryDirectory() as folder:
            script = pathlib.Path(folder) / "faults"
            for text, message in (
                    ("", "not a JSON object"),
                    ('{"rules":[{"at":"frame","do":"drop"}]}', "rule 1 'frame drop': which?"),
                    ('{"seed":1,"rules":[{"at":"frame","do":"drop","rate":0.1},{"at":"ibv_regmr","call":1,"errno":1}]}',
                     "rule 2 'ibv_regmr call=1 errno=1': 'ibv_regmr' is neither"),
                    ('{"rules":[{"at":"frame","do":"drop","rate":1.5}]}', "rate is from 0 to 1")):
                script.write_text(text)
                self.check(message, "--faults", script)

    def test_a_truth_that_cannot_be_written_costs_no_run(self):
        refused = softnic("--truth", "/nowhere/truth.json", command=("sh", "-c", "echo ran"))
        self.assertEqual((refused.returncode, refused.stdout), (1, b""))
        self.assertIn("cannot write /nowhere/truth.json", refused.stderr.decode())


class Devices(unittest.TestCase):
    def test_the_command_sees_them_in_their_order(self):
        listed = softnic("--device", "first=wire:a", "--device", "second=wire:b", command=("ibv_devices",))
        names = [line.split()[0] for line in listed.stdout.decode().splitlines()[2:]]
        self.assertEqual(names, ["first", "second"])

    def test_the_truth_has_them(self):
        with tempfile.TemporaryDirectory() as folder:
            truth = pathlib.Path(folder) / "truth"
            softnic("--device", "nic=wire:a", "--truth", truth, command=("ibv_devinfo",))
            self.assertEqual(json.loads(truth.read_text())["devices"]["nic"]["offered"], 0)

    def test_nothing_is_left_when_the_command_ends_however_it_ends(self):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "TMPDIR": folder}
            softnic(command=("ibv_devinfo",), env=environment)
            softnic(command=("sh", "-c", "ibv_devinfo; kill -9 $$"), env=environment)
            self.assertEqual(run_folders(folder), [])

    def test_a_run_that_was_killed_is_cleaned_up_by_the_next_but_not_while_one_goes_on(self):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "TMPDIR": folder}
            going_on, _ = started(["sh", "-c", "echo ready; read line"], stdin=subprocess.PIPE, env=environment)
            killed, _ = started(["sh", "-c", "echo ready; exec sleep 1"], env=environment)
            killed.kill()
            killed.communicate(timeout=PATIENCE)
            self.assertEqual(len(run_folders(folder)), 2)
            softnic(env=environment)
            self.assertEqual(len(run_folders(folder)), 1)
            going_on.communicate("\n", timeout=PATIENCE)
            self.assertEqual(run_folders(folder), [])
