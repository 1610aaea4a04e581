#!/usr/bin/env python3
"""radctl and the real `rad-agent serve`, with the plugin fake."""

import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(SOURCE / "tests" / "functional" / "agent"))

import agent_under_test
from agent_under_test import PATIENCE, REPORT_FIELDS, AgentTest, wait_until
from radctl_under_test import Ended, Terminal

SLOW = {"restore": {"progress": {"steps": 100, "bytes_total": 1000, "time": "100s"}}}
SHORT = {"restore": {"progress": {"steps": 10, "bytes_total": 1000, "time": "3s"}}}


class RealAgent(AgentTest):
    def setUp(self):
        super().setUp()
        self.program = self.host.top / "radctl"
        shutil.copyfile(agent_under_test.BUILD / "bin" / "radctl", self.program)
        self.program.chmod(0o755)
        self.socket = self.host.top / "control.sock"
        self.host.config["agent"]["control_socket"] = str(self.socket)
        self.host.config["agent"]["max_concurrent_runs"] = 2
        self.agents = []

    def tearDown(self):
        for agent in self.agents:
            if agent.running():
                agent.signal(signal.SIGTERM)
                ended = agent.end()
                self.assertEqual(ended.status, 0, ended)
        self.check_nothing_left()

    def serve(self):
        agent = self.host.start("serve")
        self.agents.append(agent)
        wait_until("the agent answers", lambda: self.radctl("status").status == 0)
        return agent

    def arguments(self, *words):
        return [str(self.program), "--socket", str(self.socket), *words]

    def radctl(self, *words, **options):
        process = self.start(*words, **options)
        return self.finish(process)

    def start(self, *words, **options):
        return subprocess.Popen(self.arguments(*words), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env={**os.environ, "TZ": "UTC"}, **options)

    def finish(self, process):
        out, err = process.communicate(timeout=PATIENCE)
        return Ended(process.returncode, out.decode(), err.decode())

    def ask(self, *words):
        ended = self.radctl("--json", *words)
        self.assertEqual(ended.status, 0, ended)
        return json.loads(ended.stdout)

    def running(self):
        return [run["id"] for run in self.ask("status")["running"]]


class Commands(RealAgent):
    def test_exit_statuses_are_those_of_the_runs(self):
        def checked(outcome, reason):
            return {"checks": {"fake_data": {"outcome": outcome, "reason": reason,
                                             "message": "as told"}}}
        self.host.add_fake("good")
        self.host.add_fake("bad", checked("fail", "check_failed"))
        self.host.add_fake("unclear", {"restore": {"error": {
            "reason": "storage_unreachable", "message": "no route", "retryable": True}}})
        self.serve()
        for target, status, first in (("good", 0, "PASS"), ("bad", 1, "FAIL"),
                                      ("unclear", 3, "INCONCLUSIVE")):
            ended = self.radctl("run", "start", target, "--wait", "--reason", "a test")
            self.assertEqual(ended.status, status, ended)
            self.assertTrue(ended.stdout.startswith(first), ended)
            record = self.ask("run", "show", target)
            self.assertEqual(set(record), REPORT_FIELDS)
            self.assertEqual(record["request_note"], "a test")
            self.assertIn("stage restore", self.radctl("run", "logs", target).stdout)
            # A run that has ended is told at once.
            self.assertEqual(self.radctl("run", "wait", target).status, status)
        self.assertTrue(self.radctl("status").stdout.startswith("ATTENTION  2 things"))
        self.assertIn("check_failed", self.radctl("run", "list", "--verdict", "fail").stdout)
        self.assertEqual(len(self.ask("run", "list", "--limit", "2")["runs"]), 2)
        text = self.radctl("report").stdout
        self.assertIn("2 of 3 targets not proved good in this time: `bad`, `unclear`", text)

    def test_one_agent_for_one_state_directory(self):
        self.host.add_fake("t")
        self.serve()
        self.host.config["agent"]["control_socket"] = str(self.host.top / "other.sock")
        ended = self.host.start("serve").end()
        self.assertEqual(ended.status, 3, ended)
        self.assertIn(f"another agent serves with the state directory '{self.host.state}'",
                      ended.stderr)
        self.assertEqual(self.radctl("run", "start", "t", "--wait", "--reason", "x").status, 0)

    def test_a_request_whose_target_a_reload_has_taken_away(self):
        self.host.add_fake("t", SLOW)
        self.host.add_fake("other")
        self.serve()
        first = self.ask("run", "start", "t", "--reason", "one")
        second = self.ask("run", "start", "t", "--reason", "two")
        self.host.config["targets"] = self.host.config["targets"][1:]
        self.host.write_config()
        self.assertEqual(self.radctl("reload").status, 0)
        # What goes on, goes on; what waits ends.
        wait_until("it waits no more", lambda: not self.ask("status")["waiting"])
        self.assertEqual(self.running(), [first["run_id"]])
        ended = self.radctl("run", "wait", second["run_id"])
        self.assertEqual(ended.status, 3, ended)
        self.assertIn("config_invalid", ended.stdout)
        self.ask("run", "cancel", first["run_id"], "--reason", "x")
        wait_until("it has ended", lambda: not self.running())

    def test_busy(self):
        self.host.add_fake("t", SHORT)
        self.serve()
        first = self.ask("run", "start", "t", "--reason", "one")
        self.assertEqual(first["state"], "started")
        ended = self.radctl("run", "start", "t", "--reason", "two", "--if-busy", "refuse")
        self.assertEqual(ended.status, 3, ended)
        self.assertIn(first["run_id"], ended.stderr)
        attached = self.ask("run", "start", "t", "--reason", "three", "--if-busy", "attach")
        self.assertEqual((attached["state"], attached["run_id"]), ("attached", first["run_id"]))
        queued = self.radctl("run", "start", "t", "--reason", "four")
        self.assertEqual(queued.status, 0, queued)
        self.assertTrue(queued.stdout.startswith("QUEUED"), queued)
        waiting = self.ask("status")["waiting"]
        self.assertEqual(len(waiting), 1)
        self.assertIn("WAITING", self.radctl("run", "show", waiting[0]["id"]).stdout)
        ended = self.radctl("run", "wait", waiting[0]["id"])
        self.assertEqual(ended.status, 0, ended)
        self.assertIn("waiting for", ended.stderr)
        self.assertNotEqual(waiting[0]["id"], first["run_id"])

    def test_cancel_from_elsewhere(self):
        self.host.add_fake("t", SLOW)
        self.serve()
        process = self.start("run", "start", "t", "--wait", "--reason", "a test")
        wait_until("the run goes on", self.running)
        ended = self.radctl("run", "cancel", "t", "--reason", "wrong one")
        self.assertEqual(ended.status, 0, ended)
        ended = self.finish(process)
        self.assertEqual(ended.status, 6, ended)
        self.assertIn("wrong one", ended.stdout)

    def watch(self):
        self.host.add_fake("t", SLOW)
        self.serve()
        terminal = Terminal(self.arguments("run", "start", "t", "--wait", "--reason", "a test"),
                            {**os.environ, "TERM": "xterm"})
        terminal.wait_for("restore  [#")
        return terminal

    def test_interrupt_then_cancel(self):
        terminal = self.watch()
        terminal.type("\x03")
        terminal.wait_for("go on watching (Enter)? ")
        terminal.type("c\n")
        self.assertEqual(terminal.end(), 6)
        self.assertIn("CANCELLED", terminal.seen)
        self.assertEqual(self.ask("run", "show", "t")["verdict"], "cancelled")

    def test_interrupt_then_leave(self):
        terminal = self.watch()
        terminal.type("\x03")
        terminal.wait_for("go on watching (Enter)? ")
        terminal.type("l\n")
        self.assertEqual(terminal.end(), 130)
        self.assertEqual(len(self.running()), 1)
        self.assertEqual(self.radctl("run", "cancel", "t").status, 0)
        self.assertEqual(self.radctl("run", "wait", "t").status, 6)

    def test_the_agent_is_killed_and_comes_back(self):
        self.host.add_fake("t", SLOW, schedules=[])
        agent = self.serve()
        process = self.start("run", "start", "t", "--wait", "--reason", "a test")
        run = wait_until("the run goes on", self.running)[0]
        agent.signal(signal.SIGKILL)
        agent.end()
        self.serve()
        ended = self.finish(process)
        self.assertEqual(ended.status, 3, ended)
        self.assertIn("the agent was restarted", ended.stderr)
        self.assertIn("(interrupted)", ended.stdout)
        self.assertIn(run, ended.stdout)

    def test_pause_and_resume(self):
        self.host.add_fake("t")
        self.serve()
        ended = self.radctl("schedule", "pause", "t", "--until", "4h", "--reason", "moving house")
        self.assertEqual(ended.status, 0, ended)
        text = self.radctl("schedule", "list").stdout
        self.assertIn("moving house", text)
        self.assertIn("nothing will be started", text)
        self.assertEqual(self.radctl("schedule", "resume", "t").status, 0)
        self.assertTrue(self.radctl("schedule", "list").stdout.startswith("next: restore of t"))
        self.assertEqual(self.radctl("schedule", "resume", "t").status, 2)

    def test_names_that_do_not_exist(self):
        self.host.add_fake("customers-db")
        self.serve()
        for words in (("run", "start", "costumers-db", "--reason", "x"),
                      ("target", "show", "costumers-db"), ("backup", "list", "costumers-db"),
                      ("run", "show", "costumers-db"), ("schedule", "list", "-t", "costumers-db"),
                      ("schedule", "pause", "costumers-db", "--reason", "x")):
            ended = self.radctl(*words)
            self.assertEqual(ended.status, 2, (words, ended))
            self.assertIn("did you mean 'customers-db'?", ended.stderr, words)
        ended = self.radctl("run", "start", "customers-db", "--reason", "x", "--hold", "soon")
        self.assertEqual(ended.status, 2, ended)
        self.assertIn("soon", ended.stderr)

    def test_a_reload_of_a_broken_file(self):
        self.host.add_fake("t")
        self.serve()
        good = self.host.config_file.read_text()
        self.host.config_file.write_text("targets: [{nmae: t, restor: {}}]\nagnet: {}\n")
        ended = self.radctl("reload")
        for mistake in ("nmae", "restor", "agnet"):
            self.assertIn(f"unknown key '{mistake}'", ended.stderr)
        self.assertIn("nmae", json.loads(self.radctl("reload", "--json").stdout)["error"]["detail"])
        self.assertEqual(ended.status, 2, ended)
        self.assertIn("the configuration has", ended.stderr)
        self.assertIn("still in force", self.radctl("status").stdout)
        self.host.config_file.write_text(good)
        self.assertEqual(self.radctl("reload").stdout, "RELOADED  1 target, 1 schedule\n")

    def test_what_was_read_once_does_not_change_by_a_reload(self):
        self.host.add_fake("t", restore={"delay": "4s"})
        self.serve()
        run = self.ask("run", "start", "t", "--depth", "verify", "--reason", "x")["run_id"]
        self.host.config["agent"]["state_dir"] = str(self.host.top / "elsewhere")
        self.host.config["agent"]["max_concurrent_runs"] = 3
        self.host.write_config()
        ended = self.radctl("reload")
        self.assertEqual(ended.status, 2, ended)
        self.assertIn("agent.state_dir", ended.stderr)
        self.assertIn("cannot change while it runs", ended.stderr)
        self.assertFalse((self.host.top / "elsewhere").exists())
        # The run that goes on is still known, and still has its lock.
        waited = self.radctl("run", "wait", run, "--json")
        self.assertEqual(waited.status, 0, waited)

    def test_a_plugin_that_is_silent_for_once(self):
        self.host.add_fake("t")
        # Its binary is elsewhere; the file in the plugin directory works as soon as it may.
        works = self.host.top / "works"
        shutil.move(self.host.plugins / "fake", self.host.top / "fake")
        plugin = self.host.plugins / "fake"
        plugin.write_text(f"#!/bin/sh\n[ -e {works} ] || exit 9\nexec {self.host.top}/fake\n")
        plugin.chmod(0o755)
        agent = self.serve()
        self.assertIn("plugin 'fake' does not answer", agent.stderr)
        self.assertIn("1 plugin cannot be used", self.radctl("plugin", "list").stdout)
        ended = self.radctl("run", "start", "t", "--depth", "verify", "--reason", "x", "--wait")
        self.assertEqual(ended.status, 3, ended)
        self.assertNotIn("not installed", ended.stdout + ended.stderr)
        self.assertIn("ATTENTION", self.radctl("status").stdout)
        self.assertRegex(self.radctl("status").stdout, "plugin 'fake' cannot be used, and 1 target cannot")
        works.touch()
        self.assertTrue(agent.wait_for("plugin 'fake' answers again", 90))
        wait_until("the trouble is over", lambda: "cannot be used" not in self.radctl("status").stdout)
        ended = self.radctl("run", "start", "t", "--depth", "verify", "--reason", "x", "--wait")
        self.assertEqual(ended.status, 0, ended)

    def test_a_stranger(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to become somebody else")
        self.host.add_fake("t")
        self.serve()
        nobody = pwd.getpwnam("nobody")
        stranger = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        for words in (("status",), ("run", "start", "t", "--reason", "x"), ("audit",)):
            ended = self.radctl(*words, **stranger)
            self.assertEqual(ended.status, 5, ended)
            self.assertIn("hint: ", ended.stderr)
            self.assertIn("members of group 'daemon'", ended.stderr)
        text = self.radctl("audit").stdout
        self.assertIn("nobody (none)", text)
        self.assertIn("REFUSED", text)

    def test_the_other_lists(self):
        self.host.add_fake("t")
        self.serve()
        self.assertEqual(self.ask("plugin", "list")["plugins"][0]["name"], "fake")
        self.assertIn("1 plugin, none broken", self.radctl("plugin", "list").stdout)
        self.assertIn("fake_backup", self.radctl("backup", "list", "t").stdout)
        self.assertIn("nothing is held", self.radctl("hold", "list").stdout)
        ended = self.radctl("hold", "psql", "t")
        self.assertEqual(ended.status, 2, ended)
        self.assertIn("fake_data", self.radctl("target", "show", "t").stdout)


if __name__ == "__main__":
    agent_under_test.main()
