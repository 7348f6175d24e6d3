# SPDX-License-Identifier: BSD-3-Clause
"""verbcast recv and send over lo, with one another and with a SPEAD end written here."""
import json
import os
import pty
import signal
import subprocess
import time

import spead
from harness import PATIENCE, VERBCAST, CommandTest, Running, objects, run

ADDRESS = "239.255.71.48"
DATA = bytes(range(256)) * 40  # 10240 bytes, 8 packets


class Network(CommandTest):
    def setUp(self):
        super().setUp()
        self.port = spead.free_port()
        self.group = f"{ADDRESS}:{self.port}"

    def recv(self, *options):
        """A receiver that has joined."""
        running = Running("recv", self.group, "--interface", "lo", "--json", *options)
        self.addCleanup(running.__exit__)
        running.wait_for("ready")
        return running

    def send(self, *options):
        result = run("send", self.group, "--interface", "lo", "--json", *options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return objects(result.stdout)[-1]

    def send_packets(self, datagrams, address=ADDRESS, source=None):
        with spead.sender() as made:
            if source:
                made.bind((source, 0))
            for datagram in datagrams:
                made.sendto(datagram, (address, self.port))

    def final(self, receiver, code=0):
        self.assertEqual(receiver.finish(), code, receiver.errors)
        last = receiver.seen[-1]
        self.assertEqual(last["type"], "final")
        self.assert_balanced(last["stats"]["account"])
        self.assertEqual(last["stats"]["account"]["live"], 0)
        return last


class Both(Network):
    def both(self, receiver_options=(), **sent):
        options = [text for key, value in sent.items() for text in (f"--{key.replace('_', '-')}", value)]
        receiver = self.recv("--verify", "--fail-on-loss", *receiver_options)
        sender = self.send("--verify", *options)
        last = self.final(receiver)
        self.assertEqual(last["verify"], {"heaps_ok": sender["heaps"], "heaps_bad": 0})
        self.assertEqual(last["stats"]["heaps"], sender["heaps"])
        self.assertEqual(last["stats"]["packets"], sender["packets"])
        return last, sender

    def test_a_second_of_heaps_arrives_whole_and_is_accounted_for(self):
        last, sender = self.both(seconds=1, rate=0.2, packet=8192, heap_size="64KiB")
        self.assertGreater(sender["heaps"], 100)
        self.assertEqual(last["stats"]["account"]["stop_heap"], 1)
        self.assertEqual(last["stats"]["lost"]["kernel_buffers"], 0)
        self.assertEqual(list(last["stats"]["groups"]), [self.group])

    def test_packets_of_1472_bytes_arrive_whole(self):
        self.both(heaps=100, rate=0.2, packet=1472, heap_size=100001)

    def test_each_flavour_arrives_whole(self):
        for bits, size in ((8, 200), (16, 20000), (24, 30000), (32, 30000), (40, 30000), (48, 30000), (56, 30000)):
            with self.subTest(bits=bits):
                self.both(flavour=f"64-{bits}", heap_size=size, heaps=300 if bits == 8 else 20, rate=0.2)

    def test_interleaved_heaps_arrive_whole_with_as_many_max_heaps(self):
        self.both(["--max-heaps", 12], interleave=12, heaps=60, rate=0.2, heap_size=50000)

    def test_without_segmentation_by_the_kernel_it_is_the_same(self):
        receiver = self.recv("--verify", "--fail-on-loss", "--no-gro")
        sender = self.send("--verify", "--no-gso", "--heaps", 50, "--heap-size", 50000, "--rate", 0.2)
        self.assertEqual(self.final(receiver)["verify"]["heaps_ok"], sender["heaps"])

    def test_several_groups_get_heaps_in_turn(self):
        groups = [f"239.255.71.{host}:{self.port}" for host in (1, 2, 3)]
        with Running("recv", *groups, "--interface", "lo", "--json", "--verify", "--max-heaps", 16) as receiver:
            receiver.wait_for("ready")
            result = run("send", *groups, "--interface", "lo", "--json", "--verify", "--heaps", 30, "--heap-size", 20000,
                         "--rate", 0.1)
            last = self.final(receiver)
        sender = objects(result.stdout)[-1]
        self.assertEqual(last["verify"], {"heaps_ok": 30, "heaps_bad": 0})
        self.assertEqual(sorted(last["stats"]["groups"]), groups)
        self.assertEqual(sender["heaps"], 30)

    def test_ipv6_unicast_works(self):
        group = f"[::1]:{self.port}"
        with Running("recv", group, "--json", "--verify") as receiver:
            receiver.wait_for("ready")
            self.assertEqual(run("send", group, "--verify", "--heaps", 5, "--rate", 0.1).returncode, 0)
            last = self.final(receiver)
        self.assertEqual(last["verify"], {"heaps_ok": 5, "heaps_bad": 0})
        self.assertEqual(list(last["stats"]["groups"]), [group])

    def test_packets_that_would_be_fragmented_are_said(self):
        result = run("send", self.group, "--interface", "lo", "--heaps", 1, "--packet", 65507)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        result = run("send", f"[::1]:{self.port}", "--heaps", 1, "--packet", 65507, "--heap-size", 70000)
        self.assertIn("fragments", result.stderr.decode())

    def test_a_source_specific_group_takes_its_source_only(self):
        group = f"127.0.0.1@232.255.71.48:{self.port}"
        with Running("recv", group, "--interface", "lo", "--json") as receiver:
            receiver.wait_for("ready")
            self.send_packets(spead.heap(1, DATA), "232.255.71.48", "127.0.0.2")
            result = run("send", group, "--interface", "lo", "--heaps", 3, "--heap-size", 5000, "--json")
            last = self.final(receiver)
        self.assertEqual(last["stats"]["heaps"], 3)
        self.assertEqual(last["stats"]["packets"], objects(result.stdout)[-1]["packets"])


class Receiver(Network):
    def test_events_come_as_ready_rate_and_final(self):
        receiver = self.recv("--seconds", 2.5)
        self.assertEqual(self.final(receiver)["reason"], "the time is over")
        self.assertEqual([event["type"] for event in receiver.seen if event["type"] != "event"],
                         ["ready", "rate", "rate", "final"])
        self.assertEqual(receiver.seen[0]["reader"], "udp")
        rate = next(event for event in receiver.seen if event["type"] == "rate")
        for key in ("gbps", "packets_per_second", "heaps_per_second"):
            self.assertEqual(rate[key], 0)

    def test_another_sender_is_received_and_saved(self):
        target = self.folder / "run"
        receiver = self.recv("--save", target)
        self.send_packets([*spead.heap(7, DATA, [spead.addressed(0x1000, 0), spead.addressed(0x2000, 10000),
                                                 spead.immediate(0x1600, 5)]), spead.stop(8)])
        last = self.final(receiver)
        self.assertEqual(last["reason"], "a sender sent its stop item")
        self.assertEqual((target / "heap-7/0x1000.bin").read_bytes(), DATA[:10000])
        self.assertEqual((target / "heap-7/0x2000.bin").read_bytes(), DATA[10000:])
        index = [json.loads(line) for line in (target / "heaps.jsonl").read_text().splitlines()]
        self.assertEqual([(heap["cnt"], heap["folder"]) for heap in index], [(7, "heap-7")])
        self.assertEqual(index[0]["items"][-1], {"id": 0x1600, "imm": 5, "length": 6})

    def test_a_folder_with_something_in_it_is_not_saved_into(self):
        (self.folder / "precious").write_text("x")
        result = run("recv", self.group, "--interface", "lo", "--save", self.folder, "--seconds", 5)
        self.assert_trouble(result, "--save", "not empty")
        self.assertEqual([each.name for each in self.folder.iterdir()], ["precious"])

    def test_signals_end_it_with_the_account(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                receiver = self.recv()
                first, *_ = spead.heap(7, DATA)
                self.send_packets([*spead.heap(6, DATA), first])
                while receiver.wait_for("rate")["packets"] < 9:
                    pass
                receiver.signal(number)
                last = self.final(receiver)
                self.assertEqual(last["reason"], "interrupted")
                self.assertEqual(last["stats"]["account"]["delivered"]["complete"], 8)
                self.assertEqual(last["stats"]["account"]["dropped"]["user_stop"], 1)

    def test_signals_end_it_under_load(self):
        receiver = self.recv("--verify")
        with Running("send", self.group, "--interface", "lo", "--json", "--verify", "--rate", "0.5") as sender:
            self.assertGreater(receiver.wait_for("rate")["packets"], 0)
            receiver.signal()
            last = self.final(receiver)
            sender.signal()
            self.assertEqual(sender.finish(), 0)
        self.assertEqual(last["verify"]["heaps_bad"], 0)
        self.assertGreater(last["verify"]["heaps_ok"], 0)

    def test_it_ends_after_as_many_heaps_as_asked_for(self):
        receiver = self.recv("--heaps", 3, "--save", self.folder / "run")
        self.send_packets([part for cnt in range(1, 10) for part in spead.heap(cnt, DATA)])
        last = self.final(receiver)
        self.assertEqual(sorted(each.name for each in (self.folder / "run").glob("heap-*")),
                         ["heap-1", "heap-2", "heap-3"])
        self.assertEqual(last["stats"]["account"]["delivered"]["complete"], 24)

    def test_it_goes_on_after_a_stop_item_when_told_so(self):
        receiver = self.recv("--no-stop-item", "--heaps", 2)
        self.send_packets([spead.stop(1), *spead.heap(2, DATA)])
        self.assertEqual(self.final(receiver)["stats"]["heaps"], 2)

    def test_senders_with_other_habits_are_received(self):
        """Pointers in the first packet or in all, either flavour, specials last, padding behind a NULL pointer."""
        for bits, repeat, turned in ((40, True, False), (48, True, True), (40, False, False), (48, False, True)):
            with self.subTest(bits=bits, repeat=repeat, turned=turned):
                datagrams = []
                for cnt in range(1, 20):
                    data = spead.verify_pattern(cnt, 5001) + bytes(7)
                    items = [spead.addressed(0x1000, 0, bits), spead.addressed(0, 5001, bits), spead.immediate(0x1600, cnt, bits)]
                    for at in range(0, len(data), 1024):
                        made = spead.packet(cnt, len(data), at, data[at:at + 1024], items if repeat or at == 0 else (), bits)
                        datagrams.append(spead.turned(made) if turned else made)
                receiver = self.recv("--verify", "--fail-on-loss")
                self.send_packets([*datagrams, spead.stop(30)])
                self.assertEqual(self.final(receiver)["verify"], {"heaps_ok": 19, "heaps_bad": 0})

    def test_a_wrong_byte_fails_verification_and_its_place_is_named(self):
        good = spead.verify_pattern(1, 5000)
        bad = bytearray(spead.verify_pattern(2, 5000))
        bad[4321] ^= 1
        receiver = self.recv("--verify")
        self.send_packets([*spead.heap(1, good), *spead.heap(2, bytes(bad)), spead.stop(3)])
        last = self.final(receiver, code=1)
        self.assertEqual(last["verify"], {"heaps_ok": 1, "heaps_bad": 1})
        self.assertIn("heap 2: byte 4321 of 5000", receiver.errors.decode())

    def test_bytes_of_another_heap_fail_verification(self):
        receiver = self.recv("--verify")
        self.send_packets([*spead.heap(1, spead.verify_pattern(2, 5000)), spead.stop(3)])
        self.assertEqual(self.final(receiver, code=1)["verify"], {"heaps_ok": 0, "heaps_bad": 1})

    def test_a_lost_packet_is_in_the_account_and_fails_only_when_asked_to(self):
        parts = spead.heap(1, DATA)
        datagrams = [*parts[:3], *parts[4:], *spead.heap(2, DATA), spead.stop(3)]
        for options, code in (((), 0), (("--fail-on-loss",), 1)):
            receiver = self.recv(*options)
            self.send_packets(datagrams)
            account = self.final(receiver, code)["stats"]["account"]
            self.assertEqual(account["dropped"]["incomplete"], 3)
            self.assertEqual(account["rejected"]["out_of_sequence"], 4)
            self.assertEqual(account["delivered"], {"complete": 8, "incomplete": 0})
        self.assertIn("losses:", receiver.errors.decode())

    def test_incomplete_heaps_are_taken_when_asked_for(self):
        first, *_ = spead.heap(1, DATA)
        receiver = self.recv("--incomplete", "--save", self.folder / "run")
        self.send_packets([first, spead.stop(2)])
        self.assertEqual(self.final(receiver)["stats"]["account"]["delivered"], {"complete": 0, "incomplete": 1})
        self.assertEqual((self.folder / "run/heap-1/payload.bin").read_bytes()[:1408], DATA[:1408])

    def test_a_heap_that_gets_no_more_packets_grows_too_old(self):
        first, *_ = spead.heap(1, DATA)
        receiver = self.recv("--incomplete", "--heap-age", "0.2", "--heaps", 1)
        self.send_packets([first])
        self.assertEqual(self.final(receiver)["stats"]["incomplete_heaps_aged"], 1)

    def test_a_silent_group_is_an_event(self):
        receiver = self.recv("--idle-after", "0.2")
        event = receiver.wait_for("event")
        while event["event"] != "group_idle":
            event = receiver.wait_for("event")
        self.assertIn(self.group, event["text"])
        receiver.signal()
        self.final(receiver)

    def test_foreign_packets_are_rejected_by_reason(self):
        receiver = self.recv()
        self.send_packets([b"no SPEAD at all", b"", *spead.heap(1, DATA), spead.stop(2)])
        last = self.final(receiver)
        account = last["stats"]["account"]
        self.assertEqual(account["rejected"]["bad_magic"], 1)
        self.assertEqual(account["ignored"]["empty"], 1)
        self.assertEqual(last["stats"]["groups"][self.group]["rejected"]["bad_magic"], 1)

    def test_people_get_the_account_in_words(self):
        process = subprocess.Popen([VERBCAST, "recv", self.group, "--interface", "lo", "--heaps", "1"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with process:
            self.addCleanup(process.kill)
            self.assertIn(b"receiving 1 group", process.stderr.readline())
            self.send_packets([b"no SPEAD at all", *spead.heap(1, DATA)])
            output, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, errors)
        self.assertRegex(output.decode(), r"packets received +9\n  in complete heaps +8\n")
        self.assertRegex(output.decode(), r"    bad_magic +1  not SPEAD version 4\n")
        self.assertIn(b"1 heap received, as asked", errors)

    def test_on_a_terminal_the_rates_are_one_line_that_is_refreshed(self):
        primary, secondary = pty.openpty()
        with subprocess.Popen([VERBCAST, "recv", self.group, "--interface", "lo", "--seconds", "2.5"],
                              stdout=subprocess.PIPE, stderr=secondary, env={**os.environ, "TERM": "xterm"}) as process:
            self.addCleanup(process.kill)
            os.close(secondary)
            self.assertEqual(process.wait(PATIENCE), 0)
        shown = b""
        try:
            while part := os.read(primary, 4096):
                shown += part
        except OSError:
            pass  # the other end of a terminal is gone
        os.close(primary)
        self.assertGreaterEqual(shown.count(b"\r\x1b[K0:0"), 2)
        self.assertIn(b"Gb/s", shown)
        self.assertIn(b"lost: none", shown)


class Sender(Network):
    def collect(self, *options):
        """What another receiver makes of `verbcast send`: its heaps, and the datagrams' sizes."""
        made, port = spead.receiver(ADDRESS)
        with made, Running("send", f"{ADDRESS}:{port}", "--interface", "lo", "--json", *options) as sender:
            collector, sizes = spead.HeapCollector(), []
            while not collector.stopped:
                datagram = made.recv(65536)
                collector.add(datagram)
                sizes.append(len(datagram))
            self.assertEqual(sender.finish(), 0, sender.errors)
            return collector, sizes, sender.seen[-1]

    def test_another_receiver_gets_heaps_descriptors_and_the_stop(self):
        collector, sizes, final = self.collect("--verify", "--heaps", 4, "--heap-size", 20000, "--packet", 1477,
                                               "--rate", "0.1")
        self.assertEqual((final["packets"], final["heaps"]), (len(sizes), 4))
        self.assertEqual(max(sizes), 1472)
        self.assertEqual(sorted(collector.heaps), [1, 2, 3, 4, 5])  # the last one says stop
        for cnt in range(1, 5):
            self.assertEqual(collector.item(cnt, 0x1000), spead.verify_pattern(cnt, 20000))
            self.assertIn((True, 0x1600, (cnt - 1) * 20000), collector.heaps[cnt]["items"])
            self.assertEqual(collector.heaps[cnt]["received"], len(collector.heaps[cnt]["payload"]))
        first = collector.heaps[1]["items"]
        self.assertIn((True, 6, 0), first)
        self.assertEqual(sum(item == 5 for _, item, _ in first), 2)
        self.assertIn(b"'descr': '|u1'", bytes(collector.heaps[1]["payload"]))

    def test_interleaved_heaps_take_turns(self):
        made, port = spead.receiver(ADDRESS)
        with made, Running("send", f"{ADDRESS}:{port}", "--interface", "lo", "--json", "--heaps", 3, "--interleave", 3,
                           "--heap-size", 14000, "--rate", "0.1", "--no-stop") as sender:
            self.assertEqual(sender.finish(), 0, sender.errors)
            cnts = [spead.decode(made.recv(65536))["cnt"] for _ in range(sender.seen[-1]["packets"])]
        self.assertEqual(cnts[:9], [1, 2, 3] * 3)

    def test_no_stop_is_sent_when_told_so(self):
        made, port = spead.receiver(ADDRESS)
        with made, Running("send", f"{ADDRESS}:{port}", "--interface", "lo", "--json", "--heaps", 1, "--heap-size", 100,
                           "--no-stop") as sender:
            self.assertEqual(sender.finish(), 0, sender.errors)
            self.assertEqual(sender.seen[-1]["packets"], 1)
            self.assertEqual(spead.decode(made.recv(65536))["cnt"], 1)
            made.setblocking(False)
            self.assertRaises(BlockingIOError, made.recv, 65536)

    def test_the_stop_is_repeated_when_told_so(self):
        final = self.send("--heaps", 1, "--heap-size", 100, "--stop-heaps", 3)
        self.assertEqual((final["packets"], final["heaps"]), (4, 1))

    def test_signals_end_it_with_the_stop_and_the_counts(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            made, port = spead.receiver(ADDRESS)
            with made, Running("send", f"{ADDRESS}:{port}", "--interface", "lo", "--json", "--rate", "0.01") as sender:
                collector = spead.HeapCollector()
                collector.add(made.recv(65536))
                sender.signal(number)
                while not collector.stopped:
                    collector.add(made.recv(65536))
                self.assertEqual(sender.finish(), 0, sender.errors)
                self.assertEqual(sender.seen[-1]["type"], "final")

    def test_the_rate_is_kept(self):
        for rate in (0.1, 0.4):
            final = self.send("--seconds", 1, "--rate", rate)
            self.assertLess(final["gbps"], 1.05 * rate)
            self.assertGreater(final["gbps"], 0.5 * rate)  # a busy machine gives less

    def test_it_ends_after_the_time_it_was_given(self):
        began = time.monotonic()
        self.send("--seconds", 1, "--rate", "0.1", "--heap-size", 10000)
        self.assertLess(abs(time.monotonic() - began - 1), 1)

    def test_the_source_is_the_one_asked_for(self):
        made, port = spead.receiver(ADDRESS)
        with made:
            result = run("send", f"{ADDRESS}:{port}", "--interface", "lo", "--source", "127.0.0.3", "--heaps", 1)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(made.recvfrom(65536)[1][0], "127.0.0.3")

    def test_an_interface_may_be_named_by_its_address(self):
        result = run("send", self.group, "--interface", "127.0.0.1", "--heaps", 1)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_unicast_port_where_nobody_listens_is_said(self):
        result = run("send", f"127.0.0.1:{self.port}", "--heaps", 20, "--rate", "0.1", "--heap-size", 10000)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("nobody listens", result.stderr.decode())

    def test_an_address_that_is_not_of_this_host_is_trouble(self):
        self.assert_trouble(run("send", self.group, "--interface", "lo", "--source", "203.0.113.7"), "203.0.113.7")
