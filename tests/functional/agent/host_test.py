#!/usr/bin/env python3
"""Hosts that are not fit, and the commands that need no run."""

import json
import os
import shutil
import subprocess

import agent_under_test
from agent_under_test import AgentTest


class Unfit(AgentTest):
    def test_state_directory_that_cannot_be_written(self):
        self.host.add_fake()
        self.host.state.write_text("a file")
        ended = self.host.run()
        self.assertEqual(ended.status, 3, ended)
        self.assertRegex(ended.stderr, r"error: .*" + str(self.host.state))
        self.assertIn("hint: ", ended.stderr)
        self.check_error_object(ended)
        self.host.state.unlink()
        self.check_nothing_left()

    def check_error_object(self, ended):
        """With --json, a run that could not begin is one object too."""
        self.assertEqual(set(json.loads(ended.stdout)), {"error"}, ended)
        self.assertEqual(set(ended.report["error"]), agent_under_test.ERROR_FIELDS, ended)

    def test_database_that_is_none(self):
        self.host.add_fake()
        self.host.state.mkdir()
        for content in (b"not a database at all, but long enough to be looked at" * 100,
                        b"SQLite format 3\0" + b"\xff" * 584):
            self.host.database.write_bytes(content)
            ended = self.host.run()
            self.assertEqual(ended.status, 3, ended)
            self.assertRegex(ended.stderr, r"error: .*rad\.db")
            self.assertIn("hint: ", ended.stderr)
            self.check_error_object(ended)
            self.assertEqual(self.host.database.read_bytes(), content, "it may be somebody's")

    def test_damaged_database(self):
        self.host.add_fake()
        self.assertEqual(self.host.run().status, 0)
        content = bytearray(self.host.database.read_bytes())
        for offset in range(4096, len(content), 512):
            content[offset:offset + 64] = b"\xa5" * 64
        self.host.database.write_bytes(content)
        ended = self.host.run()
        self.assertEqual(ended.status, 3, ended)
        self.assertRegex(ended.stderr, r"error: .*(rad\.db|malformed)")

    def test_database_of_a_newer_agent(self):
        self.host.add_fake()
        self.assertEqual(self.host.run().status, 0)
        with agent_under_test.sqlite3.connect(self.host.database) as database:
            database.execute("pragma user_version = 9999")
        ended = self.host.run()
        # A mistake of people, not of the host: systemd does not start it again and again.
        self.assertEqual(ended.status, 2, ended)
        self.assertIn("9999", ended.stderr)
        self.assertEqual(self.host.start("serve").end().status, 2)

    def test_scratch_too_small(self):
        self.host.config["agent"]["scratch_reserve"] = "900TiB"
        self.host.add_fake()
        report = self.check_report(self.host.run(), "inconclusive", "scratch_full")
        self.assertIn(str(self.host.scratch), report["cause"]["message"])
        self.check_nothing_left()

    def test_scratch_runs_full(self):
        if os.geteuid() != 0:
            self.skipTest("only root can mount")
        self.host.config["agent"]["scratch_reserve"] = "0"
        self.host.scratch.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", self.host.scratch],
                       check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.host.scratch], check=False,
                        stderr=subprocess.DEVNULL)
        # What it says it needs fits, what it writes does not.
        self.host.add_fake(restore={"size": "2MiB"},
                           script={"preflight": {"result": {"scratch_bytes_needed": 1000}}})
        self.check_report(self.host.run(), "inconclusive", "scratch_full")
        self.host.config["targets"].clear()
        self.host.add_fake(restore={"size": "2MiB"})
        report = self.check_report(self.host.run(), "inconclusive", "scratch_full")
        self.assertEqual(self.stages(report), ["preflight", "cleanup", "report"])
        subprocess.run(["umount", self.host.scratch], check=True)
        self.check_nothing_left()

    def test_scratch_that_cannot_be_made(self):
        self.host.scratch.write_text("a file")
        self.host.add_fake()
        ended = self.host.run()
        self.assertEqual(ended.status, 3, ended)
        self.assertIn(str(self.host.scratch), ended.report["cause"]["message"])
        self.assertEqual(ended.report["verdict"], "inconclusive")


class Usage(AgentTest):
    def setUp(self):
        super().setUp()
        self.host.add_fake("customers-db")

    def refused(self, *arguments):
        ended = self.host.call(*arguments)
        self.assertEqual(ended.status, 2, ended)
        self.assertIn("error: ", ended.stderr)
        self.assertEqual(len(list(self.host.scratch.glob("*"))), 0)
        self.assertFalse(self.host.database.exists())
        return ended

    def test_unknown_target(self):
        ended = self.refused("run", "customer-db")
        self.assertIn("did you mean 'customers-db'?", ended.stderr)
        ended = self.refused("run", "zzz")
        self.assertIn("the targets are: customers-db", ended.stderr)

    def test_wrong_arguments(self):
        for arguments in ((), ("run",), ("run", "customers-db", "--depth", "deep"),
                          ("run", "customers-db", "--no-such-flag"), ("walk",),
                          ("run", "customers-db", "extra"), ("serve", "extra"),
                          ("run", "customers-db", "--if-busy", "attach")):
            with self.subTest(arguments):
                self.assertIn("hint: ", self.refused(*arguments).stderr)

    def test_wrong_configuration(self):
        self.host.config["targets"][0]["kep"] = {}
        self.host.config["targets"][0]["restore"]["sise"] = "1MiB"
        self.host.config["agent"]["max_concurrent_runs"] = 0
        for command in (("run", "customers-db"), ("check-config",), ("serve",)):
            ended = self.refused(*command)
            self.assertIn("did you mean 'keep'?", ended.stderr)
            self.assertIn("max_concurrent_runs", ended.stderr)
            self.assertRegex(ended.stderr, r"error: .*rad\.yaml:\d+:\d+: ")

    def test_options_that_only_the_plugin_knows(self):
        self.host.config["targets"][0]["restore"]["sise"] = "1MiB"
        self.host.config["targets"][0]["checks"] = [{"check": "fake_dat"}]
        for command in (("run", "customers-db"), ("check-config",), ("serve",)):
            ended = self.refused(*command)
            self.assertIn("did you mean 'size'?", ended.stderr)
            self.assertIn("fake_data", ended.stderr)

    def test_no_configuration(self):
        started = agent_under_test.Started(
            [str(agent_under_test.BUILD / "bin" / "rad-agent"), "run", "t", "--config",
             str(self.host.top / "nothing.yaml")], dict(os.environ))
        ended = started.end()
        self.assertEqual(ended.status, 2, ended)
        self.assertIn("nothing.yaml", ended.stderr)

    def test_json_of_usage_errors(self):
        ended = self.refused("run", "customer-db", "--json")
        self.assertEqual(json.loads(ended.stdout)["error"]["reason"], "config_invalid")

    def test_check_config(self):
        ended = self.host.call("check-config")
        self.assertEqual(ended.status, 0, ended)
        self.assertRegex(ended.stdout, r"\Aok: .*1 targets, 1 schedules, 1 reporters")
        ended = self.host.call("check-config", "--json")
        self.assertEqual(ended.status, 0, ended)
        self.assertEqual(ended.report, {"ok": True, "errors": [], "warnings": [], "targets": 1,
                                        "schedules": 1, "understood": {"customers-db": []}})
        self.host.config["targets"][0]["kep"] = {}
        ended = self.host.call("check-config", "--json")
        self.assertEqual(ended.status, 2, ended)
        self.assertFalse(ended.report["ok"])
        (error,) = ended.report["errors"]
        self.assertGreater(error["line"], 0)
        self.assertIn("kep", json.dumps(error))
        self.assertFalse(self.host.state.exists(), "a look at the configuration writes nothing")

    def test_check_config_without_plugins(self):
        shutil.rmtree(self.host.plugins)
        self.assertEqual(self.host.call("check-config", "--no-plugins").status, 0)
        self.assertEqual(self.host.call("check-config").status, 2)

    def test_explain(self):
        ended = self.host.call("explain", "targets.keep.on_fail")
        self.assertEqual(ended.status, 0, ended)
        self.assertIn("on_fail", ended.stdout)
        everything = self.host.call("explain")
        self.assertEqual(everything.status, 0)
        self.assertGreater(len(everything.stdout.splitlines()), 30)
        ended = self.host.call("explain", "targets.keeep")
        self.assertEqual(ended.status, 2, ended)
        self.assertEqual(ended.stdout, "")
        self.assertEqual(self.host.call("explain", "--json").status, 0)
        json.loads(self.host.call("explain", "--json").stdout)

    def test_help_and_version(self):
        for arguments in (("--help",), ("run", "--help"), ("--version",)):
            ended = self.host.call(*arguments)
            self.assertEqual(ended.status, 0, ended)
            self.assertTrue(ended.stdout)
            self.assertEqual(ended.stderr, "")


if __name__ == "__main__":
    agent_under_test.main()
