# SPDX-License-Identifier: BSD-3-Clause
"""Every run of every capture with known answers gives these answers, heaps and counters. And the captures, cut off."""
import json
import os
import pathlib
import unittest

from harness import ROOT, CommandTest, objects, run

FLAGS = {
    "max_heaps": lambda value: ["--max-heaps", value],
    "substreams": lambda value: ["--substreams", value],
    "ooo": lambda value: ["--out-of-order"] if value == "1" else [],
    "stop": lambda value: ["--no-stop-item"] if value == "0" else [],
    "unsized": lambda value: ["--no-unsized"] if value == "0" else [],
    "bug": lambda value: ["--compat", value],
    "filter": lambda value: ["--filter", value],
}
COUNTERS = ("heaps", "packets", "incomplete_heaps_evicted", "incomplete_heaps_flushed", "single_packet_heaps")

# The oracle refuses some frames and link types that verbcast takes: cnts, and packets a heap where they are known.
MORE_THAN_THE_ORACLE = {
    ("frames_ethernet.pcap", ""): [1, 2, 3, 4, 6, 9, 10],
    ("frames_ethernet.pcap", "udp port 7148"): [1, 4, 6, 10],
    ("frames_ethernet.pcap", "udp port 7149"): [9],
}
RAW_IP = ("frames_raw_ip.pcap", "frames_sll2.pcap")


def folder():
    """Where the captures are: what the build or the environment says, else beside the checkout."""
    named = os.environ.get("VERBCAST_CAPTURES_DIR", "")
    if named:
        return pathlib.Path(named)
    beside = ROOT.parent / "shared" / "captures"
    return beside if (beside / "manifest.json").is_file() else None


@unittest.skipUnless(folder(), "captures with known answers: set VERBCAST_CAPTURES_DIR")
class Captures(CommandTest):
    @classmethod
    def setUpClass(cls):
        with open(folder() / "manifest.json", encoding="utf-8") as file:
            cls.files = json.load(file)["files"]
        cls.runs = []
        for name, entry in cls.files.items():
            for each in entry["runs"]:
                options = [flag for key, value in each["options"].items() for flag in FLAGS[key](str(value))]
                cls.runs.append((name, each, run("inspect", folder() / name, "--json", "--stats", *options)))

    def test_each_run_gives_the_heaps_and_counters_of_the_manifest(self):
        self.assertTrue(self.runs, "the manifest has no runs")
        for name, each, result in self.runs:
            with self.subTest(file=name, options=each["options"]):
                self.assertEqual(result.returncode, 0, result.stderr)
                *heaps, last = objects(result.stdout)
                self.compare(name, each, heaps, last["stats"])

    def compare(self, name, each, heaps, stats):
        if name in RAW_IP:
            self.assertTrue(all(heap in heaps for heap in each.get("heaps", [])))
            self.assertGreater(len(heaps), 0)
        elif (key := (name, each["options"].get("filter", ""))) in MORE_THAN_THE_ORACLE:
            self.assertEqual([heap["cnt"] for heap in heaps], MORE_THAN_THE_ORACLE[key])
            self.assertTrue(all(heap in heaps for heap in each["heaps"]))
        else:
            self.assertEqual(heaps, each["heaps"])
            self.assertEqual({key: stats[key] for key in COUNTERS}, {key: each["stats"][key] for key in COUNTERS})

    def test_the_account_of_each_run_is_balanced(self):
        for name, each, result in self.runs:
            with self.subTest(file=name, options=each["options"]):
                *heaps, last = objects(result.stdout)
                account = last["stats"]["account"]
                self.assert_balanced(account)
                self.assertEqual(last["stats"]["heaps"], len(heaps))
                self.assertEqual((account["live"], account["in_ring"]), (0, 0))
                groups = last["stats"]["groups"].values()
                self.assertEqual(sum(group["received"] for group in groups), account["received"])

    def test_a_raw_ip_capture_gives_its_two_heaps_of_three_packets(self):
        if "frames_raw_ip.pcap" in self.files:
            *heaps, last = objects(run("inspect", folder() / "frames_raw_ip.pcap", "--json", "--stats").stdout)
            self.assertEqual((len(heaps), last["stats"]["packets"]), (2, 3))

    def test_each_capture_that_is_cut_off_gives_a_part_of_its_heaps_and_trouble(self):
        for name in self.files:
            with self.subTest(file=name):
                whole = (folder() / name).read_bytes()
                cut = self.folder / name
                cut.write_bytes(whole[:len(whole) - 7])
                result = run("inspect", cut, "--json", "--stats", "--no-stop-item")
                self.assert_trouble(result, name)
                full = run("inspect", folder() / name, "--json", "--no-stop-item")
                *heaps, last = objects(result.stdout)
                complete = [heap for heap in heaps if heap["status"] == "complete"]
                self.assertTrue(all(heap in objects(full.stdout) for heap in complete))
                self.assert_balanced(last["stats"]["account"])
