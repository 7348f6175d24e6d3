# SPDX-License-Identifier: BSD-3-Clause
"""QEMU with three serial ports: the console, what the command prints, what it says on standard error."""
import os
import re
import selectors
import subprocess
import time

import initramfs

BOOT_SECONDS_MAX = 120
ARGUMENTS = ("console=ttyS0", "quiet", "tsc=reliable", "no_timer_check", "panic=-1", "oops=panic", "net.ifnames=0")


class Died(Exception):
    """The machine ended, or did not start, without a result of the command."""


class TimedOut(Exception):
    pass


def accelerator():
    """KVM only where the processor has it: there are hosts with a /dev/kvm on which a guest hangs."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        able = re.search(r"^flags\s*:.*\b(vmx|svm)\b", file.read(), re.MULTILINE)
    return "kvm" if able and os.access("/dev/kvm", os.R_OK | os.W_OK) else "tcg,thread=multi"


def emulator():
    """The beginning of the command line: QEMU, which goes when this process does, however that ends."""
    qemu = initramfs.program("qemu-system-x86_64", "qemu-system-x86")
    return [initramfs.program("setpriv", "util-linux"), "--pdeathsig=KILL", "--", qemu]


def options(vmlinux, archive, ports, memory_mib):
    chosen = ["-nodefaults", "-no-user-config", "-display", "none",
              "-no-reboot", "-M", "pc", "-accel", accelerator(), "-cpu", "max", "-smp", "2", "-m", str(memory_mib),
              "-kernel", str(vmlinux), "-initrd", f"/proc/self/fd/{archive}", "-append", " ".join(ARGUMENTS)]
    for index, port in enumerate(ports):
        # An interrupt of its own for each: two ports that share one on the ISA bus lose some.
        chosen += ["-chardev", f"file,id=port{index},path=/proc/self/fd/{port}",
                   "-device", f"isa-serial,chardev=port{index},index={index},irq={(4, 3, 5)[index]}"]
    return chosen


class Machine:
    """Runs once. `command` is the emulator(), `kernel` the folder of the kernel, `archive` the descriptor of the initramfs."""

    def __init__(self, command, kernel, archive, memory_mib):
        self.console = b""
        self.complaints = b""  # QEMU's
        pipes = [os.pipe() for _ in range(3)]
        ends = [write for _, write in pipes]
        command = command + options(kernel / "vmlinux", archive, ends, memory_mib)
        self.process = subprocess.Popen(command, pass_fds=(archive, *ends), start_new_session=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for end in ends:
            os.close(end)
        self.selector = selectors.DefaultSelector()
        takers = (self.take_console, lambda data: write_all(1, data), lambda data: write_all(2, data))
        for (read, _), taker in zip(pipes, takers):
            self.selector.register(read, selectors.EVENT_READ, taker)
        self.selector.register(os.dup(self.process.stderr.fileno()), selectors.EVENT_READ, self.take_complaints)

    def take_console(self, data):
        self.console += data

    def take_complaints(self, data):
        self.complaints += data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def run(self, seconds_max):
        """Hands on what the command prints, and returns its exit code."""
        started = None
        deadline = time.monotonic() + BOOT_SECONDS_MAX
        while self.selector.get_map():
            for key, _ in self.selector.select(max(0, deadline - time.monotonic())):
                data = os.read(key.fd, 65536)
                if data:
                    key.data(data)
                else:
                    self.selector.unregister(key.fd)
                    os.close(key.fd)
            if started is None and self.said("started"):
                started = time.monotonic()
                deadline = started + seconds_max
            if time.monotonic() >= deadline:
                if started is None:
                    raise Died(f"it did not boot within {BOOT_SECONDS_MAX} s")
                raise TimedOut(f"the command took longer than {seconds_max} s (--timeout)")
        return self.result()

    def said(self, word):
        return re.search(rb"^softroce: " + word.encode() + rb"\b ?([^\r\n]*)\r?$", self.console, re.MULTILINE)

    def result(self):
        ended, failed = self.said("ended"), self.said("failed")
        if ended:
            return int(ended.group(1))
        if b"Kernel panic" in self.console:
            raise Died("its kernel panicked")
        if failed:
            raise Died(f"it could not be set up: {failed.group(1).decode(errors='replace')}")
        raise Died(f"it ended without a result of the command; QEMU's exit code is {self.process.wait()}")

    def log(self):
        """The last of what the kernel and QEMU said, to tell why."""
        lines = (self.complaints + self.console).decode(errors="replace").splitlines()
        return "\n".join(f"  {each}" for each in lines[-40:])


def write_all(to, data):
    while data:
        data = data[os.write(to, data):]
