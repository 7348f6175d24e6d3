# SPDX-License-Identifier: BSD-3-Clause
"""Nonsense arguments are usage errors, with a message of one line that says what is allowed."""
import re

from harness import ROOT, CommandTest, run

GROUP = "239.255.7.1:7148"
COMMANDS = ("inspect", "recv", "send", "topo", "doctor", "run-raw")


class Usage(CommandTest):
    def test_without_arguments_the_commands_are_listed(self):
        result = run()
        self.assertEqual(result.returncode, 2)
        for command in COMMANDS:
            self.assertIn(f"  {command} ", result.stderr.decode())

    def test_help_and_version_are_results(self):
        for arguments in (["--help"], ["--version"], *([command, "--help"] for command in COMMANDS)):
            result = run(*arguments)
            self.assertEqual((result.returncode, result.stderr), (0, b""), arguments)
            self.assertTrue(result.stdout.strip())

    def test_help_that_cannot_be_written_is_trouble(self):
        with open("/dev/full", "wb") as full:
            for arguments in (["--help"], ["--version"], ["inspect", "--help"]):
                self.assert_trouble(run(*arguments, stdout=full), "standard output", "No space left")

    def test_help_wins_over_everything_else(self):
        self.assertEqual(run("recv", "nonsense", "--help").returncode, 0)

    def test_an_unknown_command_is_refused_with_those_there_are(self):
        self.assert_usage(run("receive"), '"receive"', "inspect, recv, send")

    def test_an_option_without_a_command_is_refused(self):
        self.assert_usage(run("--json"))

    def test_what_must_be_named_is_asked_for(self):
        self.assert_usage(run("inspect"), "FILE")
        self.assert_usage(run("recv"), "GROUP")
        self.assert_usage(run("send"), "GROUP")

    def test_too_much_is_refused(self):
        self.assert_usage(run("inspect", "a", "b"), "b")
        self.assert_usage(run("recv", GROUP, "--bogus"), "--bogus")
        self.assert_usage(run("inspect", "a", "--rate", "5"), "--rate")

    def test_an_option_without_its_value_is_refused(self):
        self.assert_usage(run("recv", GROUP, "--heaps"), "--heaps")
        self.assert_usage(run("send", GROUP, "--rate", "--json"), "--rate")

    def test_a_value_that_cannot_be_is_refused_with_what_can(self):
        for option, values in {
                "--max-heaps": ["0", "-1", "x", "1.5", "", "99999999999999999999"],
                "--substreams": ["0", "none"],
                "--compat": ["8", "pyspead"],
                "--heap-bytes-max": ["0", "1k", "1.5GiB"],
                "--filter": [""],
        }.items():
            for value in values:
                with self.subTest(option=option, value=value):
                    self.assert_usage(run("inspect", "none.pcap", option, value), option)

    def test_recv_refuses_values_that_cannot_be(self):
        for option, values in {
                "--heaps": ["0", "-5", "many"],
                "--seconds": ["0", "-1", "nan", "1h"],
                "--when-full": ["block", ""],
                "--reader": ["tcp"],
                "--ring": ["0"],
                "--placement": ["a", "3-1", "1,,2", "9999", "automatic"],
                "--threads": ["0"],
                "--buffer": ["0", "lots"],
                "--heap-age": ["0"],
                "--idle-after": ["-1"],
        }.items():
            for value in values:
                with self.subTest(option=option, value=value):
                    self.assert_usage(run("recv", GROUP, option, value), option)

    def test_send_refuses_values_that_cannot_be(self):
        for option, values in {
                "--heap-size": ["0", "-1", "1 MiB"],
                "--packet": ["55", "65508", "x"],
                "--rate": ["-1", "inf", "fast"],
                "--heaps": ["0"],
                "--seconds": ["0"],
                "--flavour": ["64-64", "48"],
                "--interleave": ["0"],
                "--transport": ["tcp"],
                "--ttl": ["256"],
                "--burst": ["0"],
                "--stop-heaps": ["0"],
        }.items():
            for value in values:
                with self.subTest(option=option, value=value):
                    self.assert_usage(run("send", GROUP, option, value), option)

    def test_send_refuses_values_that_do_not_fit_one_another(self):
        self.assert_usage(run("send", GROUP, "--flavour", "64-16", "--heap-size", "65536"), "--heap-size", "65535")
        self.assert_usage(run("send", GROUP, "--flavour", "64-8", "--heap-size", "8", "--interleave", "256"),
                          "--interleave")
        self.assert_usage(run("send", "[::1]:7148", "--source", "127.0.0.1"), "--source")

    def test_a_group_that_is_none_is_refused(self):
        for group in ("", "239.1.1.1", "239.1.1.1:", "239.1.1.1:0", "239.1.1.1:65536", "239.1.1.1:x", "host.example:7148",
                      "::1:7148", "[::1]", "@239.1.1.1:7148", "1.2.3@239.1.1.1:7148", "239.1.1.1:7148:1"):
            for command in ("recv", "send"):
                with self.subTest(command=command, group=group):
                    self.assert_usage(run(command, group, "--seconds", "0.1"), "GROUP")

    def test_a_nic_that_is_not_there_is_trouble_and_said(self):
        self.assert_trouble(run("recv", GROUP, "--reader", "ibv", "--interface", "lo"), "RDMA")
        self.assert_trouble(run("send", GROUP, "--transport", "raw", "--interface", "lo"), "RDMA")

    def test_the_queue_of_a_nic_needs_to_know_which(self):
        self.assert_usage(run("recv", GROUP, "--reader", "ibv"), "--interface")
        self.assert_usage(run("send", GROUP, "--transport", "raw"), "interface")

    def test_an_interface_that_is_not_there_is_trouble_and_the_message_names_those_there_are(self):
        for command in ("recv", "send"):
            self.assert_trouble(run(command, GROUP, "--interface", "nowhere0", "--seconds", "0.1"), "nowhere0", "lo")


def options_in_help(command):
    return set(re.findall(r"^  (--[a-z-]+)", run(command, "--help").stdout.decode(), re.MULTILINE)) - {"--help"}


class ManPage(CommandTest):
    def options_in_manual(self):
        """Option names by section of the manual."""
        sections, title = {}, None
        for line in (ROOT / "docs/verbcast.1").read_text(encoding="utf-8").splitlines():
            if line.startswith((".Ss ", ".Sh ")):
                title = line[4:]
            elif match := re.match(r"\.It Fl (-[a-z-]+)", line):
                self.assertIsNotNone(title)
                sections.setdefault(title, set()).add("-" + match.group(1))
        return sections

    def test_the_manual_has_the_options_of_help_command_by_command(self):
        sections = self.options_in_manual()
        common = sections["How packets become heaps"]
        self.assertTrue(common)
        self.assertEqual(options_in_help("inspect"), sections["verbcast inspect"] | common)
        self.assertEqual(options_in_help("recv"), sections["verbcast recv"] | common)
        for command in ("send", "softnic", "topo", "doctor", "run-raw"):
            self.assertEqual(options_in_help(command), sections[f"verbcast {command}"])

    def test_the_manual_names_the_default_that_help_names(self):
        manual = (ROOT / "docs/verbcast.1").read_text(encoding="utf-8")
        for command in COMMANDS:
            text = re.sub(r"\s+", " ", run(command, "--help").stdout.decode())
            for default in re.findall(r"\(default [^,;)]*", text):
                with self.subTest(command=command, default=default):
                    self.assertIn(default, manual.replace("\n", " "))
