# SPDX-License-Identifier: BSD-3-Clause
"""Real hosts, as XML of hwloc in the folder VERBCAST_TOPOLOGIES_DIR: each NIC is on its node, and nothing crashes."""
import json
import os
import pathlib

from harness import CommandTest, run


class Topologies(CommandTest):
    def test_every_nic_of_a_given_host_is_on_a_node_and_gets_cores_of_it(self):
        files = sorted(pathlib.Path(os.environ["VERBCAST_TOPOLOGIES_DIR"]).glob("*.xml"))
        self.assertTrue(files)
        for file in files:
            with self.subTest(file=file.name):
                seen = json.loads(run("topo", "--from", file, "--json").stdout)
                self.assertTrue(seen["nics"])
                nodes = {node["number"]: node["cpus"] for node in seen["nodes"]}
                for nic in seen["nics"]:
                    self.assertEqual(nic["locality"], "node")
                    self.assertLessEqual(set(nic["proposed_cores"]), set(nodes[nic["numa_node"]]))
                picture = self.folder / "host.svg"
                self.assertEqual(run("topo", "--from", file, "--svg", picture).returncode, 0)
                self.assertIn(run("doctor", "--from", file).returncode, (0, 1, 3))
