#!/usr/bin/env python3
"""Plugins that crash, hang, flood, or are not to be trusted: never a fail, never a pass."""

import os
import subprocess

import agent_under_test
from agent_under_test import AgentTest

# Stage, method of the plugin, depth at which it is called.
STAGES = (("preflight", "initialize", "restore"), ("preflight", "preflight", "restore"),
          ("fetch", "inspect", "inspect"), ("fetch", "verify", "verify"),
          ("restore", "restore", "restore"), ("recover", "start", "restore"),
          ("check", "check", "restore"))


class Misbehaviour(AgentTest):
    def run_all(self, acts):
        """Runs all at once. acts: (name, method, act, depth, target's fields) each."""
        for name, method, act, _, fields in acts:
            self.host.add_fake(name, {method: act}, **fields)
        runs = [(self.host.start("run", name, "--json", "--depth", depth), name)
                for name, _, _, depth, _ in acts]
        return {name: run.end() for run, name in runs}

    def test_crash(self):
        acts = []
        for number, (stage, method, depth) in enumerate(STAGES):
            for how in ("abort", "segv", "kill", "exit"):
                # Every way in two stages, and every stage in one way.
                if how == "segv" or method in ("restore", "check"):
                    acts.append((f"{how}-{number}", method,
                                 {"crash": how, "daemon": True, "stderr": "last words"}, depth, {}))
        ended = self.run_all(acts)
        words = {"abort": "signal 6", "segv": "signal 11", "kill": "signal 9", "exit": "status 3"}
        for name, method, _, _, _ in acts:
            with self.subTest(name):
                report = self.check_report(ended[name], "inconclusive", "plugin_crashed")
                how = name.split("-")[0]
                self.assertIn(f"'{method}'", report["cause"]["message"])
                self.assertIn(words[how].split()[1], report["cause"]["message"])
                self.assertEqual(report["cleanup"], "clean", report)
                log = self.host.state / "runs" / report["id"] / "fake.log"
                self.assertIn("last words", log.read_text())
                self.assertFalse(any(check["outcome"] == "pass" for check in report["checks"]))
        self.check_nothing_left()

    def test_crash_in_cleanup(self):
        for how in ("segv", "exit"):
            with self.subTest(how):
                self.host.add_fake(f"t-{how}", {"cleanup": {"crash": how}})
                report = self.check_report(self.host.run(f"t-{how}"), "pass")
                self.assertEqual(report["cleanup"], "clean", report)
        self.check_nothing_left()

    def test_hang(self):
        acts = [(f"t{number}", method, {"hang": True, "daemon": True}, depth,
                 {"timeouts": {stage: "2s"}})
                for number, (stage, method, depth) in enumerate(STAGES)]
        acts.append(("cleanup", "cleanup", {"hang": True}, "restore",
                     {"timeouts": {"cleanup": "2s"}}))
        acts.append(("obeys", "restore", {"delay": "60s"}, "restore",
                     {"timeouts": {"restore": "1s"}}))
        ended = self.run_all(acts)
        passed = self.check_report(ended.pop("cleanup"), "pass")
        self.assertEqual(passed["cleanup"], "clean")
        for name, run in ended.items():
            with self.subTest(name):
                report = self.check_report(run, "inconclusive", "timeout")
                self.assertRegex(report["cause"]["message"], r"within [12]\.0s")
                self.assertIn("timeouts:", report["cause"]["hint"])
        self.check_nothing_left()

    def test_stall(self):
        self.host.config["agent"]["stall_timeout"] = "1s"
        self.host.add_fake("silent", {"restore": {"delay": "60s"}})
        self.host.add_fake("slow", {"restore": {"progress": {
            "steps": 16, "bytes_total": 1600, "time": "4s"}}})
        silent, slow = (self.host.start("run", name, "--json") for name in ("silent", "slow"))
        report = self.check_report(silent.end(), "inconclusive", "timeout")
        self.assertIn("no progress", report["cause"]["message"])
        self.check_report(slow.end(), "pass")
        self.check_nothing_left()

    def test_output_that_is_no_protocol(self):
        response = '{"jsonrpc":"2.0","id":%d,"result":{}}\n'
        kinds = {
            "garbage": {"stdout": "hello\n"}, "binary": {"stdout": "\0\u0001\u00ff\n"},
            "answer": {"stdout": response % 99}, "twice": {"stdout": response % 4 + response % 4},
            "deep": {"stdout": "[" * 100000 + "\n"},
            "lines": {"flood": "lines"}, "line": {"flood": "line"},
            "notifications": {"flood": "notifications"}, "long": {"line_bytes": 1048577}}
        acts = [(name, "restore", act, "restore", {}) for name, act in kinds.items()]
        acts += [("in-check", "check", {"flood": "line"}, "restore", {}),
                 ("in-cleanup", "cleanup", {"flood": "lines"}, "restore", {}),
                 ("longest", "restore", {"line_bytes": 1048576}, "restore", {})]
        ended = self.run_all(acts)
        self.check_report(ended.pop("longest"), "pass")
        self.assertEqual(self.check_report(ended.pop("in-cleanup"), "pass")["cleanup"], "clean")
        for name, run in ended.items():
            with self.subTest(name):
                report = self.check_report(run, "inconclusive", "plugin_protocol")
                self.assertLess(len(run.stdout), 100000)
        self.check_nothing_left()

    def test_more_outcomes_than_one_message_takes(self):
        """They come through a file; the last one decides as much as the first."""
        checks = [{"check": "fake_data", "name": f"c{number:04}"} for number in range(1200)]
        self.host.add_fake("good", checks=checks)
        self.host.add_fake("bad", {"checks": {"c1199": {
            "outcome": "fail", "reason": "check_failed", "message": "the last one"}}},
            checks=checks)
        report = self.check_report(self.host.run("good"), "pass")
        asked = [check["outcome"] for check in report["checks"] if check["check"] == "fake_data"]
        self.assertEqual(asked, ["pass"] * 1200)
        report = self.check_report(self.host.run("bad"), "fail", "check_failed")
        self.assertEqual(report["cause"]["message"], "check 'c1199': the last one")
        self.check_nothing_left()

    def test_stderr_flood_is_only_kept_in_part(self):
        self.host.add_fake(script={"restore": {"stderr": "x" * 5_000_000, "crash": "exit"}})
        report = self.check_report(self.host.run(), "inconclusive", "plugin_crashed")
        log = self.host.state / "runs" / report["id"] / "fake.log"
        self.assertLessEqual(log.stat().st_size, 65536)

    def test_text_of_plugins_is_not_obeyed_by_terminals(self):
        evil = "\x1b]0;owned\x07\x1b[2J<!-- | `\n# heading"
        self.host.add_fake(script={"restore": {"error": {
            "reason": "truncated", "message": evil, "hint": evil, "object": evil}, "log": evil}})
        for arguments in ((), ("--format", "markdown"), ("--json",)):
            ended = self.host.call("run", "t", *arguments)
            self.assertEqual(ended.status, 1, ended)
            self.assertNotIn("\x1b", ended.stdout + ended.stderr)
        self.assertNotIn("\x1b", self.host.issue_files()[0].read_text())


QUITTER = """#!/bin/sh
read -r line
id=$(printf %s "$line" | sed 's/.*"id":\\([0-9]*\\).*/\\1/')
printf '{"jsonrpc":"2.0","id":%s,"result":{"protocol_version":1,"name":"quitter","version":"1",\
"roles":["restore"],"produces":["directory"],"consumes":[],"options":[],"checks":[{"type":"q",\
"depths":["verify"],"proof":"bytes","by_default":true,"summary":"s","options":[]}]}}\\n' "$id"
"""


class Pipes(AgentTest):
    def test_plugin_that_ends_between_requests(self):
        """The agent then writes to a pipe that nobody reads."""
        quitter = self.host.plugins / "quitter"
        quitter.write_text(QUITTER)
        quitter.chmod(0o755)
        self.host.add_fake()
        for number in range(10):
            target = {"name": f"q{number}", "restore": {"plugin": "quitter"}}
            self.host.config["targets"].append(target)
            report = self.check_report(self.host.run(target["name"], "--depth", "verify"),
                                       "inconclusive", "plugin_crashed")
            self.assertIn("quitter", report["cause"]["message"])
        self.check_nothing_left()

    def test_output_that_nobody_reads(self):
        """A run goes on to its end, whatever becomes of who watches it."""
        self.host.add_fake(script={"restore": {"progress": {"steps": 5, "time": "1s"},
                                               "log": "said"}})
        self.host.write_config()
        command = [str(agent_under_test.BUILD / "bin" / "rad-agent"), "run", "t", "--config",
                   str(self.host.config_file)]
        for streams in ({"stdout"}, {"stderr"}, {"stdout", "stderr"}):
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE) as process:
                for name in streams:
                    getattr(process, name).close()
                for name in {"stdout", "stderr"} - streams:
                    getattr(process, name).read()
                self.assertEqual(process.wait(agent_under_test.PATIENCE), 0)
        self.assertEqual(self.host.query("select verdict, cleanup from runs"),
                         [("pass", "clean")] * 3)
        with open("/dev/full", "w", encoding="utf-8") as full:
            self.assertEqual(subprocess.run(command, stdout=full, stderr=full,
                                            check=False).returncode, 0)
        self.check_nothing_left()


class Trust(AgentTest):
    def refused(self, word, status=2):
        """Both the run and the check of the configuration refuse, and say why."""
        run = self.host.call("run", "t")
        self.assertEqual(run.status, status, run)
        self.assertIn(word, run.stderr)
        self.assertIn("hint: ", run.stderr)
        check = self.host.call("check-config")
        self.assertEqual(check.status, 2, check)
        self.assertIn(word, check.stderr)
        self.check_nothing_left()

    def setUp(self):
        super().setUp()
        self.host.add_fake()
        self.fake = self.host.plugins / "fake"

    def test_not_executable(self):
        self.fake.chmod(0o644)
        self.refused("cannot be executed")

    def test_writable_by_others(self):
        for mode in (0o775, 0o757):
            self.fake.chmod(mode)
            self.refused("others could have changed it")

    def test_directory_writable_by_others(self):
        self.host.plugins.chmod(0o777)
        self.refused("others could have changed it")

    def test_belongs_to_somebody_else(self):
        if os.geteuid() != 0:
            self.skipTest("only root can give a file away")
        os.chown(self.fake, 12345, 12345)
        self.refused("belongs to user 12345")

    def test_missing(self):
        self.fake.unlink()
        self.refused("fake")

    def test_missing_directory(self):
        self.host.config["agent"]["plugin_dir"] = str(self.host.top / "nowhere")
        self.refused("nowhere", status=3)

    def test_missing_launcher(self):
        (self.host.libexec / "rad-launch").unlink()
        self.refused("rad-launch")

    def test_calls_itself_something_else(self):
        self.host.add_program(self.fake, self.host.plugins / "other")
        self.host.config["targets"][0]["restore"]["plugin"] = "other"
        self.refused("calls itself 'fake'")

    def test_no_program_at_all(self):
        self.fake.write_bytes(b"\x7fELF not really")
        self.refused("fake")
        self.fake.write_text("#!/no/such/interpreter\n")
        self.refused("fake")

    def test_a_broken_neighbour_does_not_matter(self):
        neighbour = self.host.plugins / "neighbour"
        neighbour.write_text("#!/bin/sh\necho garbage\n")
        neighbour.chmod(0o755)
        self.assertEqual(self.host.run().status, 0)

    def test_plugins_give_up_root(self):
        if os.geteuid() != 0:
            self.skipTest("not root")
        self.host.config["targets"][0]["restore"]["delay"] = "60s"
        run = self.host.start("run", "t")
        run.wait_for("restore: started")
        agent_under_test.wait_until("data", lambda: list(self.host.scratch.glob("*/fake/data")))
        (data,) = self.host.scratch.glob("*/fake/data")
        uid = int(subprocess.run(["id", "-u", "rad-plugin"], capture_output=True, check=True,
                                 text=True).stdout)
        self.assertEqual(data.stat().st_uid, uid)
        for directory in (data.parent, *self.host.runtime.glob("*/p")):
            self.assertEqual(directory.stat().st_mode & 0o777, 0o700)
        plugins = [pid for pid in agent_under_test.descendants(run.pid)
                   if agent_under_test.command_of(pid) == str(self.fake)]
        self.assertEqual(len(plugins), 1)
        status = agent_under_test.read_proc(plugins[0], "status").decode()
        self.assertRegex(status, rf"Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n")
        self.assertRegex(status, r"CapEff:\t0+\n")
        self.assertRegex(status, r"NoNewPrivs:\t1\n")
        run.signal(15)
        self.assertEqual(run.end().status, 6)
        self.check_nothing_left()

    def test_plugin_user_that_will_not_do(self):
        if os.geteuid() != 0:
            self.skipTest("not root")
        for user in ("root", "no-such-user"):
            self.host.config["agent"]["plugin_user"] = user
            report = self.check_report(self.host.run(), "inconclusive", "config_invalid")
            self.assertIn(user, report["cause"]["message"])
        self.check_nothing_left()


if __name__ == "__main__":
    agent_under_test.main()
