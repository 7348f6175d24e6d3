# SPDX-License-Identifier: BSD-3-Clause
"""verbcast inspect on captures made here."""
import os
import pty
import select
import signal
import subprocess
import zlib

import spead
from harness import PATIENCE, VERBCAST, CommandTest, objects, run

DATA = bytes(range(256)) * 16


class Inspect(CommandTest):
    def capture(self, datagrams, **options):
        return spead.write_capture(self.folder / "made.pcap", datagrams, **options)

    def test_heaps_are_objects_in_the_manifests_shape(self):
        file = self.capture([*spead.heap(7, DATA, [spead.addressed(0x1000, 0), spead.immediate(0x1600, 5)]), spead.stop(8)])
        result = run("inspect", file, "--json")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        self.assertEqual(objects(result.stdout), [{
            "cnt": 7, "status": "complete", "addr_bits": 48,
            "items": [{"id": 0x1000, "crc32": f"{zlib.crc32(DATA):08x}", "length": len(DATA)},
                      {"id": 0x1600, "imm": 5, "length": 6}]}])

    def test_an_incomplete_heap_says_what_came(self):
        first, second, *_ = spead.heap(7, DATA)
        result = run("inspect", self.capture([first, second]), "--json")
        self.assertEqual(objects(result.stdout), [{
            "cnt": 7, "status": "incomplete", "addr_bits": 48, "heap_length": len(DATA), "received": 2816,
            "ranges": [[0, 2816]], "items": []}])

    def test_people_get_text_with_names_from_descriptors(self):
        about = spead.descriptor(0x1000, b"adc", b"{'shape': (4096,), 'fortran_order': False, 'descr': '|u1'}")
        items = [spead.addressed(5, 0), spead.addressed(0x1000, len(about))]
        result = run("inspect", self.capture(spead.heap(1, about + DATA, items)))
        text = result.stdout.decode()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("heap 1: complete", text)
        self.assertRegex(text, rf"0x1000 adc +4096  bytes, crc32 {zlib.crc32(DATA):08x}")
        self.assertIn("1 heap from 3 packets", result.stderr.decode())

    def test_text_from_the_network_is_utf8_and_cannot_move_the_cursor(self):
        about = spead.descriptor(0x1000, b"a\xff\x1b[2J", b"")
        file = self.capture(spead.heap(1, about, [spead.addressed(5, 0)]))
        shown = objects(run("inspect", file, "--json").stdout)
        self.assertEqual(shown[0]["descriptors"][0]["name"], "a\ufffd\x1b[2J")
        text = run("inspect", file).stdout
        self.assertNotIn(b"\x1b", text)
        self.assertIn("a\ufffd\\x1b[2J", text.decode("utf-8", errors="strict"))

    def test_stats_account_for_every_packet(self):
        first, second, third = spead.heap(7, DATA)
        file = self.capture([first, second, second, third, b"no SPEAD at all", b"", spead.stop(8)])
        *heaps, last = objects(run("inspect", file, "--json", "--stats").stdout)
        stats = last["stats"]
        self.assertEqual(len(heaps), 1)
        self.assertEqual((stats["heaps"], stats["packets"], stats["single_packet_heaps"]), (1, 5, 1))
        account = stats["account"]
        self.assert_balanced(account)
        self.assertEqual(account["received"], 7)
        self.assertEqual((account["stop_heap"], account["delivered"]), (1, {"complete": 3, "incomplete": 0}))
        self.assertEqual({k: v for k, v in account["ignored"].items() if v}, {"empty": 1})
        self.assertEqual(sum(account["rejected"].values()), 2)
        self.assertEqual(account["rejected"]["bad_magic"], 1)
        self.assertEqual(stats["lost"], {"kernel_buffers": None, "nic": None})
        group = stats["groups"]["239.2.1.150:7148"]
        self.assertEqual(group["received"],
                         sum(group["ignored"].values()) + sum(group["rejected"].values()) + group["accepted"])

    def test_stats_for_people_name_the_reasons(self):
        result = run("inspect", self.capture([b"no SPEAD at all"]), "--stats")
        self.assertRegex(result.stdout.decode(), r"bad_magic +1  not SPEAD version 4")

    def test_options_reach_the_stream(self):
        parts = spead.heap(7, DATA)
        shuffled = self.capture(parts[::-1])
        self.assertEqual([h["status"] for h in objects(run("inspect", shuffled, "--json", "--out-of-order").stdout)],
                         ["complete"])
        too_long = objects(run("inspect", shuffled, "--json", "--stats", "--heap-bytes-max", 4095).stdout)
        self.assertEqual(too_long[-1]["stats"]["account"]["rejected"]["heap_too_large"], 3)
        unsized = self.capture([spead.packet(1, None, 0, b"12345678", [spead.addressed(0x1000, 0)])])
        self.assertEqual([h["status"] for h in objects(run("inspect", unsized, "--json").stdout)], ["contiguous"])
        self.assertEqual(objects(run("inspect", unsized, "--json", "--no-unsized").stdout), [])
        goes_on = self.capture([spead.stop(1), *spead.heap(2, DATA)])
        self.assertEqual(objects(run("inspect", goes_on, "--json").stdout), [])
        self.assertEqual([h["cnt"] for h in objects(run("inspect", goes_on, "--json", "--no-stop-item").stdout)], [1, 2])
        crowded = self.capture([part for trio in zip(*(spead.heap(cnt, DATA) for cnt in range(1, 7))) for part in trio])
        statuses = [h["status"] for h in objects(run("inspect", crowded, "--json", "--max-heaps", 6).stdout)]
        self.assertEqual(statuses, ["complete"] * 6)
        statuses = [h["status"] for h in objects(run("inspect", crowded, "--json", "--substreams", 2).stdout)]
        self.assertEqual(statuses, ["complete"] * 6)

    def test_a_filter_chooses_frames(self):
        file = self.capture(spead.heap(7, DATA))
        self.assertEqual(len(objects(run("inspect", file, "--json", "--filter", "udp port 7148").stdout)), 1)
        self.assertEqual(objects(run("inspect", file, "--json", "--filter", "udp port 7149").stdout), [])

    def test_a_filter_that_does_not_compile_is_refused_with_its_mistake(self):
        result = run("inspect", self.capture(spead.heap(7, DATA)), "--filter", "udp prot 7148")
        self.assertIn(result.returncode, (1, 2))
        self.assertIn("udp prot 7148", result.stderr.decode())

    def test_a_file_that_cannot_be_read_is_trouble(self):
        self.assert_trouble(run("inspect", self.folder / "none.pcap"), "none.pcap", "No such file")
        self.assert_trouble(run("inspect", self.folder), str(self.folder))
        (self.folder / "text.pcap").write_text("this is no capture, but a text of some length")
        self.assert_trouble(run("inspect", self.folder / "text.pcap"), "text.pcap")
        (self.folder / "empty.pcap").write_bytes(b"")
        self.assert_trouble(run("inspect", self.folder / "empty.pcap"), "empty.pcap")

    def test_a_capture_that_is_cut_off_gives_the_heaps_so_far_and_trouble(self):
        file = self.capture([*spead.heap(1, DATA), *spead.heap(2, DATA), *spead.heap(3, DATA)])
        whole = file.read_bytes()
        record = 16 + len(spead.ethernet(spead.heap(1, DATA)[0]))
        for keep in (len(whole) - 1, len(whole) - record // 2, len(whole) - record - 8):
            with self.subTest(keep=keep):
                file.write_bytes(whole[:keep])
                result = run("inspect", file, "--json", "--stats")
                self.assert_trouble(result, "made.pcap", "3 heaps")
                *heaps, last = objects(result.stdout)
                self.assertEqual([h["cnt"] for h in heaps], [1, 2, 3])
                self.assertEqual([h["status"] for h in heaps], ["complete", "complete", "incomplete"])
                self.assertEqual(last["stats"]["heaps"], 3)
                self.assertEqual(last["stats"]["incomplete_heaps_flushed"], 1)
                self.assert_balanced(last["stats"]["account"])

    def test_a_frame_that_the_snap_length_cut_has_its_own_reason(self):
        *_, last = objects(run("inspect", self.capture(spead.heap(1, DATA), snap=1000), "--json", "--stats").stdout)
        self.assertEqual(last["stats"]["account"]["ignored"]["frame_cut"], 3)

    def test_a_result_that_cannot_be_written_is_trouble(self):
        with open("/dev/full", "wb") as full:
            self.assert_trouble(run("inspect", self.capture(spead.heap(1, DATA)), "--json", stdout=full), "standard output")

    def test_results_never_go_where_they_do_not_belong(self):
        """Files and sockets must not take the number of a standard output that is closed."""
        file = self.capture(spead.heap(1, DATA))
        result = subprocess.run([VERBCAST, "inspect", str(file), "--json"], stderr=subprocess.PIPE, timeout=PATIENCE,
                                preexec_fn=lambda: os.close(1))
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"standard output: Bad file descriptor", result.stderr)

    def test_interrupted_while_nobody_reads_its_output_it_ends(self):
        file = self.capture([part for cnt in range(1, 3000) for part in spead.heap(cnt, DATA[:8])])
        process = subprocess.Popen([VERBCAST, "inspect", str(file), "--json"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        with process:
            self.addCleanup(process.kill)
            process.stdout.read(1)  # it has begun, and the pipe takes no more than 64 KiB
            process.send_signal(signal.SIGINT)
            errors = process.stderr.read()
            self.assertEqual(process.wait(PATIENCE), 1, errors)
            self.assertIn(b"interrupted after", errors)

    def test_on_a_terminal_a_long_file_shows_its_progress(self):
        file = self.capture([part for cnt in range(1, 4000) for part in spead.heap(cnt, DATA[:8])])
        primary, secondary = pty.openpty()
        self.addCleanup(os.close, primary)
        with subprocess.Popen([VERBCAST, "inspect", str(file), "--json"], stdout=subprocess.PIPE, stderr=secondary,
                              env={**os.environ, "TERM": "xterm"}) as process:
            self.addCleanup(process.kill)
            os.close(secondary)
            shown = b""
            # A slow reader makes any file a long one.
            while b"%" not in shown and process.stdout.read1(1000):
                if select.select([primary], [], [], 0.01)[0]:
                    shown += os.read(primary, 4096)
            process.stdout.read()
            self.assertEqual(process.wait(PATIENCE), 0)
        self.assertRegex(shown.decode(), r"\r\x1b\[K\[=*>? *\] +\d+ % ")
