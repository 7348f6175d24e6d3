# SPDX-License-Identifier: BSD-3-Clause
"""topo, doctor and run-raw on this machine; and in network namespaces, where what doctor says to do is done."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

from harness import ROOT, VERBCAST, CommandTest, Running, ordinary_user, run, without_privileges

NAMESPACE = ["unshare", "--net"] if os.getuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
NAMESPACES_WORK = subprocess.run([*NAMESPACE, "true"], stderr=subprocess.DEVNULL).returncode == 0
NET_RAW = 1 << 13


def findings(result):
    """The findings of a run of doctor, by id: the worst of each."""
    order = ("ok", "warn", "fail", "unknown")
    worst = {}
    for each in json.loads(result.stdout)["findings"]:
        if each["id"] not in worst or order.index(each["severity"]) > order.index(worst[each["id"]]["severity"]):
            worst[each["id"]] = each
    return worst


def allowed_cores(process="self"):
    for line in pathlib.Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("Cpus_allowed_list:"):
            parts = (part.split("-") for part in line.split()[1].split(","))
            return [core for part in parts for core in range(int(part[0]), int(part[-1]) + 1)]
    raise AssertionError("no Cpus_allowed_list")


class Topo(CommandTest):
    def test_this_machine_is_shown_as_a_tree_as_json_and_as_a_picture(self):
        result = run("topo")
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        self.assertIn("NUMA node", result.stdout.decode())
        seen = json.loads(run("topo", "--json").stdout)
        self.assertEqual(sorted(cpu["number"] for cpu in seen["cpus"] if cpu["allowed"]), allowed_cores())
        for nic in seen["nics"]:
            self.assertIn(nic["locality"], ("node", "machine", "unknown"))
            self.assertTrue(nic["proposed_cores"])
            self.assertLessEqual(set(nic["proposed_cores"]), set(allowed_cores()))
        picture = self.folder / "host.svg"
        self.assertEqual(run("topo", "--svg", picture).returncode, 0)
        self.assertTrue(picture.read_text(encoding="utf-8").startswith("<svg "))

    def test_what_is_no_host_is_trouble_and_said(self):
        self.assert_trouble(run("topo", "--from", self.folder / "none"), "none", "No such file")
        garbage = self.folder / "garbage"
        garbage.write_bytes(os.urandom(4096))
        self.assert_trouble(run("topo", "--from", garbage), "garbage")
        garbage.write_bytes(b"<" * 100000)
        self.assert_trouble(run("doctor", "--from", garbage), "garbage")


class Doctor(CommandTest):
    def test_findings_have_the_shape_and_the_exit_code_that_go_with_them(self):
        result = run("doctor", "--json")
        all_of_them = json.loads(result.stdout)["findings"]
        for each in all_of_them:
            self.assertEqual(set(each), {"id", "subject", "severity", "measured", "wanted", "why", "fix", "persist"})
            self.assertIn(each["severity"], ("ok", "warn", "fail", "unknown"))
            self.assertTrue(each["measured"])
            self.assertEqual(each["severity"] in ("warn", "fail"), bool(each["fix"]) and each["severity"] != "unknown", each)
        severities = {each["severity"] for each in all_of_them}
        self.assertEqual(result.returncode, 3 if "fail" in severities else 1 if "warn" in severities else 0)

    def test_a_bundle_is_explained_and_says_elsewhere_what_was_said_here(self):
        bundle = self.folder / "bundle.json"
        here = run("doctor", "--bundle", bundle, "--json")
        self.assertIn("No files of users", " ".join(here.stderr.decode().split()))
        there = run("doctor", "--from", bundle, "--json")
        self.assertEqual((there.returncode, there.stdout), (here.returncode, here.stdout))
        self.assertEqual(run("topo", "--from", bundle).stdout, run("topo").stdout)

    def test_kernel_parameters_of_others_stay_out_of_a_bundle(self):
        bundle = self.folder / "bundle.json"
        run("doctor", "--bundle", bundle)
        kept = json.loads(bundle.read_text(encoding="utf-8"))["readings"]["system:command-line"]
        for word in (kept or "").split():
            self.assertRegex(word, "^(isolcpus|nohz|rcu|irqaffinity|.*iommu|.*cstate|idle|.*hugepage|numa)")

    def test_text_has_the_same_findings(self):
        text = run("doctor").stdout.decode()
        for each in json.loads(run("doctor", "--json").stdout)["findings"]:
            self.assertIn(each["id"], text)

    def test_an_interface_that_is_not_there_is_a_failure(self):
        result = run("doctor", "--interface", "nowhere0", "--json")
        self.assertEqual(result.returncode, 3)
        self.assertEqual(findings(result)["net.interface"]["severity"], "fail")

    def test_the_software_nic_passes_the_dry_run(self):
        seen = findings(run("softnic", "--", VERBCAST, "doctor", "--json"))
        for name in ("verbs.device", "verbs.raw_queue_pair", "verbs.flow_steering", "verbs.counters", "verbs.timestamps"):
            self.assertEqual(seen[name]["severity"], "ok", seen[name])

    def test_without_net_raw_a_strict_nic_refuses_and_the_fix_is_run_raw(self):
        if os.getuid() != 0:
            self.skipTest("root")
        result = subprocess.run([*without_privileges(), VERBCAST, "softnic", "--strict", "--", VERBCAST, "doctor", "--json"],
                                stdout=subprocess.PIPE, timeout=60)
        seen = findings(result)
        self.assertEqual(result.returncode, 3)
        for name in ("verbs.raw_queue_pair", "verbs.cap_net_raw", "verbs.locked_memory"):
            self.assertEqual(seen[name]["severity"], "fail", seen[name])
        raised = run("run-raw", "--", VERBCAST, "softnic", "--strict", "--", VERBCAST, "doctor", "--json",
                     env={**os.environ, "SUDO_UID": str(ordinary_user()), "SUDO_GID": str(ordinary_user())})
        seen = findings(raised)
        for name in ("verbs.raw_queue_pair", "verbs.cap_net_raw"):
            self.assertEqual(seen[name]["severity"], "ok", seen[name])


# Run as programs of their own, in a network namespace: make things wrong, do what doctor says, and look again.
def shell(command):
    subprocess.run(["sh", "-c", command], check=True, stdout=subprocess.DEVNULL)


def follow(cases):
    shell("ip link set lo up; ip link add veth0 type veth peer name veth1; ip link set veth0 up; ip link set veth1 up; "
          "ip address add 10.99.0.1/24 dev veth0")
    plan = ["doctor", "--json", "--interface", "veth0", "--groups", "239.1.1.1:7148", "239.1.1.2:7148"]
    for name, spoil, more in cases:
        shell(spoil)
        before = findings(run(*plan, *more))[name]
        assert before["severity"] in ("warn", "fail"), before
        after = before
        for _ in range(4):  # the worst of several subjects is fixed at a time
            shell(after["fix"])
            after = findings(run(*plan, *more))[name]
            if after["severity"] == "ok":
                break
        assert after["severity"] == "ok", (before, after)
        print(f"followed: {name}: {before['fix']}")


def follow_fixes():
    follow([
        ("net.igmp_max_memberships", "echo 1 >/proc/sys/net/ipv4/igmp_max_memberships", []),
        ("net.igmp_max_msf", "echo 2 >/proc/sys/net/ipv4/igmp_max_msf", []),
        ("net.rp_filter", "echo 1 >/proc/sys/net/ipv4/conf/veth0/rp_filter", []),
        ("net.rp_filter", "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter; echo 0 >/proc/sys/net/ipv4/conf/veth0/rp_filter", []),
        ("net.igmp_version", "echo 2 >/proc/sys/net/ipv4/conf/veth0/force_igmp_version", []),
        ("net.igmp_version", "echo 1 >/proc/sys/net/ipv4/conf/all/force_igmp_version", []),
        ("net.mtu", "ip link set veth0 mtu 1300", []),
        ("net.mtu", "ip link set veth0 mtu 1500", ["--packet", "8192"]),
        ("net.route", "ip route add 239.1.1.1/32 dev veth1", []),
        ("net.interface", "ip link set veth0 multicast off", []),
        ("net.interface", "ip link set veth0 down", []),
    ])


def follow_firewall_fixes():
    chain = "add table inet filter; add chain inet filter input { type filter hook input priority 0; policy drop; }"
    follow([
        ("net.firewall", f"nft '{chain}; add rule inet filter input ct state established accept'", []),
        ("net.conntrack", "true", []),
        ("net.firewall", "nft 'insert rule inet filter input udp dport 7148 drop'", []),
    ])


def hear_a_querier():
    """In a network namespace with a bridge that asks."""
    subprocess.run(["sh", "-c", "ip link add veth0 type veth peer name veth1; ip link add br0 type bridge mcast_querier 1 "
                    "mcast_startup_query_interval 50; ip link set veth1 master br0; ip link set veth1 up; ip link set veth0 up; "
                    "ip address add 10.99.0.1/24 dev br0; ip link set br0 up"], check=True)
    heard = findings(run("doctor", "--json", "--interface", "veth0", "--listen", "20"))["net.querier"]
    assert heard["severity"] == "ok", heard
    silent = findings(run("doctor", "--json", "--interface", "lo", "--interface", "veth0"))["net.querier"]
    assert silent["severity"] == "unknown", silent


class Namespaces(CommandTest):
    def in_namespace(self, function):
        code = f"import test_host; test_host.{function}()"
        done = subprocess.run([*NAMESPACE, sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              cwd=pathlib.Path(__file__).parent, timeout=240)
        self.assertEqual(done.returncode, 0, done.stdout.decode(errors="replace"))
        return done.stdout.decode()

    @unittest.skipUnless(NAMESPACES_WORK, "network namespaces")
    def test_a_fix_that_is_followed_makes_its_finding_go(self):
        self.assertIn("followed: net.interface", self.in_namespace("follow_fixes"))

    @unittest.skipUnless(NAMESPACES_WORK, "network namespaces")
    @unittest.skipUnless(shutil.which("nft", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"), "nft(8)")
    def test_a_rule_of_the_firewall_that_is_added_makes_its_finding_go(self):
        self.assertIn("followed: net.conntrack", self.in_namespace("follow_firewall_fixes"))

    @unittest.skipUnless(NAMESPACES_WORK, "network namespaces")
    def test_a_querier_is_heard(self):
        self.in_namespace("hear_a_querier")


class RunRaw(CommandTest):
    def setUp(self):
        super().setUp()
        if os.getuid() != 0:
            self.skipTest("root")

    def status_of(self, *options, **environment):
        result = run("run-raw", *options, "--", "cat", "/proc/self/status", env={**os.environ, **environment})
        self.assertEqual(result.returncode, 0, result.stderr)
        return dict(line.split(":\t", 1) for line in result.stdout.decode().splitlines() if ":\t" in line)

    def test_the_program_has_net_raw_and_nothing_else(self):
        for environment in ({}, {"SUDO_UID": "65534", "SUDO_GID": "65534"}):
            status = self.status_of(**environment)
            for sets in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                self.assertEqual(int(status[sets], 16), NET_RAW, sets)
            self.assertEqual(status["NoNewPrivs"], "1")

    def test_the_program_runs_as_who_called_sudo(self):
        status = self.status_of(SUDO_UID="65534", SUDO_GID="65534")
        self.assertEqual(set(status["Uid"].split()), {"65534"})
        self.assertEqual(set(status["Gid"].split()), {"65534"})
        self.assertNotIn("0", status["Groups"].split())

    def test_what_it_starts_has_it_too_and_root_gets_no_more(self):
        result = run("run-raw", "--", "sh", "-c", "sh -c 'cat /proc/self/status'")
        self.assertIn(f"CapEff:\t{NET_RAW:016x}", result.stdout.decode())

    def test_locked_memory_is_what_was_asked_for(self):
        # Down, which everybody may; up takes CAP_SYS_RESOURCE, which not every root has.
        result = run("run-raw", "--locked-memory", "1MiB", "--", "sh", "-c", "ulimit -l")
        self.assertEqual(result.stdout, b"1024\n")

    def test_exit_codes_are_the_programs(self):
        self.assertEqual(run("run-raw", "--", "sh", "-c", "exit 7").returncode, 7)
        self.assertEqual(run("run-raw", "--", "no-such-program").returncode, 127)
        self.assertEqual(run("run-raw", "--", "/").returncode, 126)

    def test_who_has_no_net_raw_is_told_what_to_do(self):
        result = subprocess.run([*without_privileges(), VERBCAST, "run-raw", "--", "true"], stderr=subprocess.PIPE, timeout=60)
        self.assert_trouble(result, "CAP_NET_RAW", "sudo", "setcap")


class Unit(CommandTest):
    def test_the_command_of_the_systemd_unit_is_one_that_runs(self):
        unit = (ROOT / "docs/verbcast-recv.service").read_text(encoding="utf-8")
        [command] = [line.split("=", 1)[1] for line in unit.splitlines() if line.startswith("ExecStart=")]
        words = command.replace(" eth0 ", " lo ").split()
        self.assertEqual(words[0], "/usr/bin/verbcast")
        result = run(*words[1:], "--seconds", "0.1")
        self.assertEqual(result.returncode, 0, result.stderr)


class Placement(CommandTest):
    def threads_of(self, process):
        """The cores that each receiving thread may run on."""
        names = {}
        for thread in pathlib.Path(f"/proc/{process}/task").iterdir():
            name = (thread / "comm").read_text(encoding="ascii").strip()
            if name.startswith("verbcast-rec"):
                names[name] = allowed_cores(f"{process}/task/{thread.name}")
        return [names[name] for name in sorted(names)]

    def receive(self, *options):
        with Running("recv", "239.255.7.1:7148", "--interface", "lo", "--json", "--seconds", "30", *options) as receiver:
            placement = receiver.wait_for("ready")["placement"]
            return placement, self.threads_of(receiver.process.pid)

    def test_recv_runs_on_the_cores_it_reports(self):
        for options in (["--placement", "auto"], ["--placement", str(allowed_cores()[-1])]):
            placement, threads = self.receive(*options)
            self.assertEqual(len(placement["cores"]), 1)
            self.assertEqual(threads, [placement["cores"]])

    def test_several_threads_take_several_cores(self):
        placement, threads = self.receive("--placement", "auto", "--threads", "2")
        self.assertEqual(len(placement["cores"]), min(2, len(allowed_cores())))
        self.assertEqual(threads, [[placement["cores"][i % len(placement["cores"])]] for i in range(2)])

    def test_without_placement_threads_run_anywhere(self):
        placement, threads = self.receive()
        self.assertEqual(placement["cores"], [])
        self.assertEqual(threads, [allowed_cores()])

    def test_a_cpuset_is_respected(self):
        core = allowed_cores()[-1]
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {core})
        try:
            placement, threads = self.receive("--placement", "auto")
        finally:
            os.sched_setaffinity(0, before)
        self.assertEqual((placement["cores"], threads), ([core], [[core]]))
