# SPDX-License-Identifier: BSD-3-Clause
"""What a packet costs whoever takes it out of a NIC's queue, and how fast both ends are together: on the software NIC."""
import json
import os
import re
import subprocess
import tempfile

SIZES = [256, 1472, 8192]
MODES = ["poll", "poll_copy", "reader"]
PACKETS = 2048  # as many as wait in the queue before it is drained
COUNTED_ROUNDS = (4, 8)
COUNTED_PACKETS = 512
STOP_HEAPS = 3  # of which the receiver ends at the first
GROUP = "239.255.71.51:7148"


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, **options)


def environment(build):
    """The software NIC is found by library path."""
    return {**os.environ, "LD_LIBRARY_PATH": os.path.join(build, "verbs", "softnic", "lib")}


def drain_times(build, rounds):
    """Nanoseconds a packet by size and mode; the modes in turn."""
    program = os.path.join(build, "tests", "nic_drain")
    figures = {}
    for size in SIZES:
        for mode in MODES:
            out = run(program, str(size), str(PACKETS), str(rounds), mode, stdout=subprocess.PIPE,
                      env=environment(build)).stdout
            figures.setdefault(size, {})[mode] = json.loads(out)["ns"]
    return figures


def drain_instructions(build, size, mode):
    """Instructions a packet of the draining thread while it drains, those of the software NIC's library too."""
    program = os.path.join(build, "tests", "nic_drain")
    counts = []
    with tempfile.TemporaryDirectory() as scratch:
        for rounds in COUNTED_ROUNDS:
            got = run("valgrind", "--tool=callgrind", "--callgrind-out-file=" + os.path.join(scratch, "out"),
                      "--toggle-collect=*receiver::drain*", program, str(size), str(COUNTED_PACKETS), str(rounds), mode,
                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(build))
            counts.append(int(re.search(r"Collected : (\d+)", got.stderr).group(1)))
    return (counts[1] - counts[0]) / (COUNTED_PACKETS * (COUNTED_ROUNDS[1] - COUNTED_ROUNDS[0]))


def rate(build, packet, on_nic, seconds=5):
    """Gb/s that arrive while a sender sends as fast as it can, and packets lost on the way, by our own account."""
    verbcast = os.path.join(build, "bin", "verbcast")
    nic = [verbcast, "softnic", "--device", f"softnic0=wire:benchmark-{os.getpid()}", "--"] if on_nic else []
    receive = [*nic, verbcast, "recv", GROUP, "--interface", "lo", "--reader", "ibv" if on_nic else "udp", "--json"]
    send = [*nic, verbcast, "send", GROUP, "--interface", "lo", "--transport", "raw" if on_nic else "udp", "--rate", "0",
            "--packet", str(packet), "--seconds", str(seconds), "--stop-heaps", str(STOP_HEAPS), "--json"]
    with subprocess.Popen(receive, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as receiver:
        receiver.stdout.readline()  # ready
        sent = json.loads(run(*send, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.splitlines()[-1])
        final = json.loads(receiver.communicate(timeout=60)[0].splitlines()[-1])
    received = final["stats"]["account"]["received"]
    return received * packet * 8 / sent["seconds"] / 1e9, max(0, sent["packets"] - (STOP_HEAPS - 1) - received)


def section(build, rounds, table):
    timed = drain_times(build, rounds)
    counted = {size: {mode: drain_instructions(build, size, mode) for mode in MODES} for size in SIZES}
    rows = []
    for size in SIZES:
        ns, count = timed[size], counted[size]
        rows.append([str(size)] + [f"{ns[mode]:.0f}" for mode in MODES] + [f"{ns['reader'] - ns['poll_copy']:+.0f}"] +
                    [f"{count[mode]:.0f}" for mode in MODES] + [f"{count['reader'] - count['poll_copy']:+.0f}"])
    rates = []
    for packet in (1472, 8192):
        both = [rate(build, packet, on_nic) for on_nic in (True, False)]
        rates.append([str(packet)] + [text for gbps, lost in both for text in (f"{gbps:.1f}", f"{lost:,}")])
    return f"""## The way of a frame

The software NIC fills {PACKETS} posted receives and is then quiet; the queue is drained on one thread, whose CPU time is
taken (medians of {rounds} rounds). *poll* is a bare loop that polls 64 completions and posts their slots again, *copy* is the same
with the payload copied into the memory of four heaps in turn, *reader* is `ibv_reader` with the whole stream behind it. All
three contain the software NIC's library; *added* is what the reader has over *copy*.

{table(["payload", "poll ns", "copy ns", "reader ns", "added ns", "poll instr.", "copy instr.", "reader instr.", "added instr."], rows)}

End to end, `verbcast send --rate 0` to `verbcast recv` on the same machine, Gb/s received and packets lost (all of them in the
account). With two cores for a sender, a NIC and a receiver this measures the scheduler as much as anything.

{table(["packet", "NIC's queue Gb/s", "lost", "sockets on lo Gb/s", "lost"], rates)}
"""
