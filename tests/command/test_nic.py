# SPDX-License-Identifier: BSD-3-Clause
"""recv and send on a NIC's queue: both ends on the software NIC's wire, and what an ordinary user is told."""
import json
import os
import resource
import signal
import socket
import subprocess
import tempfile
import unittest

from harness import PATIENCE, VERBCAST, CommandTest, Running, objects, run, without_privileges

GROUP = "239.255.71.50:7148"


def on_nic(*arguments, truth=None, strict=False, wire="test"):
    options = ["--device", f"softnic0=wire:nic-{os.getpid()}-{wire}"]
    if truth:
        options += ["--truth", str(truth)]
    if strict:
        options.append("--strict")
    return ["softnic", *options, "--", VERBCAST, *map(str, arguments)]


def as_ordinary_user(*arguments, locked_kib=8192):
    """The command without capabilities, and with the locked memory that Debian gives to anybody."""
    def limit():
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (locked_kib * 1024, locked_kib * 1024))
    command = [*without_privileges(), VERBCAST, *on_nic(*arguments, strict=True, wire="user")]
    folder = tempfile.gettempdir()
    environment = {**os.environ, "TMPDIR": folder, "HOME": folder}
    return subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False, preexec_fn=limit, env=environment,
                          cwd=folder)


class BothEnds(CommandTest):
    def exchange(self, recv_options=(), send_options=()):
        truth = self.folder / "truth.json"
        with Running(*on_nic("recv", GROUP, "--interface", "lo", "--reader", "ibv", "--json", *recv_options,
                             truth=truth)) as receiver:
            ready = receiver.wait_for("ready")
            sender = run(*on_nic("send", GROUP, "--interface", "lo", "--transport", "raw", "--json", *send_options))
            self.assertEqual(sender.returncode, 0, sender.stderr.decode())
            self.assertEqual(receiver.finish(), 0, receiver.errors.decode())
            return ready, objects(sender.stdout)[-1], receiver.seen[-1], json.loads(truth.read_text())

    def test_the_account_is_what_was_sent_and_what_the_nic_says(self):
        ready, sent, final, truth = self.exchange(
            ["--verify", "--fail-on-loss"], ["--verify", "--rate", "1", "--packet", "8192", "--seconds", "1"])
        self.assertEqual(ready["reader"], "ibv")
        account = final["stats"]["account"]
        self.assert_balanced(account)
        self.assertEqual(account["received"], sent["packets"])
        self.assertEqual(final["verify"], {"heaps_ok": sent["heaps"], "heaps_bad": 0})
        (queue,) = truth["devices"]["softnic0"]["queues"]
        self.assertEqual(account["received"], queue["delivered"])
        self.assertEqual(final["stats"]["lost"], {"kernel_buffers": None, "nic": 0})

    def test_polling_changes_nothing_of_it(self):
        _, sent, final, _ = self.exchange(["--polling", "--packet-max", "1472"], ["--heaps", "20"])
        self.assertEqual(final["stats"]["account"]["received"], sent["packets"])

    def test_a_signal_that_a_whole_group_gets_ends_it_with_the_account(self):
        # softnic passes it on, and so recv gets it twice.
        command = [VERBCAST, *on_nic("recv", GROUP, "--interface", "lo", "--reader", "ibv", "--json", wire="group")]
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number), subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                                               start_new_session=True) as process:
                self.assertIn(b"ready", process.stdout.readline())
                os.killpg(process.pid, number)
                rest, _ = process.communicate(timeout=PATIENCE)
                self.assertEqual(process.returncode, 0)
                self.assertEqual(objects(rest)[-1]["reason"], "interrupted")

    def test_a_group_that_is_none_cannot_be_sent_to(self):
        self.assert_usage(run(*on_nic("send", "127.0.0.1:7148", "--interface", "lo", "--transport", "raw")),
                          "must be a multicast group")


class OrdinaryUser(CommandTest):
    def test_too_little_locked_memory_is_told_with_what_is_needed_and_what_is_allowed(self):
        self.assert_trouble(as_ordinary_user("recv", GROUP, "--interface", "lo", "--reader", "ibv", "--buffer", "16MiB"),
                            "ibv_reg_mr", "softnic0", "KiB of locked memory and may lock 8192 KiB", "ulimit -l")

    def test_a_missing_capability_is_told_with_how_to_have_it(self):
        self.assert_trouble(as_ordinary_user("recv", GROUP, "--interface", "lo", "--reader", "ibv", "--buffer", "1MiB"),
                            "ibv_create_qp(RAW_PACKET) on softnic0: Operation not permitted", "CAP_NET_RAW", "setcap")

    def test_auto_falls_back_to_sockets_and_says_why(self):
        result = as_ordinary_user("recv", GROUP, "--interface", "lo", "--buffer", "1MiB", "--seconds", "0.2", "--json")
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        ready = objects(result.stdout)[0]
        self.assertEqual(ready["reader"], "udp")
        self.assertIn("CAP_NET_RAW", ready["why"])

    def test_what_only_a_nics_queue_has_is_not_left_out_silently(self):
        for option, value in (("--vlan", 7), ("--transport", "ud")):
            self.assert_usage(run("recv", GROUP, "--interface", "lo", "--reader", "udp", option, value),
                              option, "is of a NIC's queue: --reader udp does not have it")
            # lo has no device here, and auto would take sockets.
            self.assert_trouble(run("recv", GROUP, "--interface", "lo", option, value), "RDMA device",
                                f"and sockets do not have {option}")

    def test_an_interface_without_a_device_is_told_which_have_one(self):
        other = {name for _, name in socket.if_nameindex()} - {"lo"}
        for name in sorted(other)[:1]:
            self.assert_trouble(run(*on_nic("recv", GROUP, "--interface", name, "--reader", "ibv")),
                                f"the RDMA device of {name}", "softnic0 with lo")
        self.assert_trouble(run(*on_nic("recv", GROUP, "--interface", "nowhere0", "--reader", "ibv")), "nowhere0", "lo")


if __name__ == "__main__":
    unittest.main()
