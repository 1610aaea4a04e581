#!/usr/bin/env python3
"""`rad-agent selftest` with real plugins, gpg and PostgreSQL, on hosts that are fit and that are not."""

import json
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import agent_under_test
from agent_under_test import SOURCE, AgentTest, Host, wait_until

DATA = SOURCE / "tests" / "data" / "wale-small"
STEP_FIELDS = {"step", "subject", "outcome", "needed", "message", "hint", "reason",
               "duration_seconds"}
CASES = {entry["name"]: entry for entry in json.loads(
    (SOURCE / "plugins/wal_e/selftest/selftest.json").read_text())["cases"]}


class SelftestCase(AgentTest):
    def setUp(self):
        self.host = Host(plugins=("wal_e", "postgresql", "fake"))
        self.addCleanup(self.host.remove)
        self.keys = pathlib.Path(tempfile.mkdtemp(prefix="rad-k."))
        self.addCleanup(shutil.rmtree, self.keys)
        self.import_key("secret-key.asc")
        self.store = self.host.top / "store"
        shutil.copytree(DATA / "encrypted", self.store)
        self.target = {
            "name": "t", "instance": {"plugin": "postgresql"},
            "restore": {"plugin": "wal_e", "storage": f"file://{self.store}",
                        "gpg_home": str(self.keys)},
            "checks": [{"check": "row_counts", "manifest": str(self.host.top / "rows.json")}],
            "schedules": [{"name": "rad", "cron": "0 6 2 * *", "depth": "restore"}]}
        (self.host.top / "rows.json").write_text(
            '{"version": 1, "databases": {"app": {"shop.customers": 1250}}}')
        self.host.config["targets"].append(self.target)

    def import_key(self, name):
        for command in (["gpg", "--homedir", str(self.keys), "--batch", "-q", "--import",
                         str(DATA / "keys" / name)],
                        ["gpgconf", "--homedir", str(self.keys), "--kill", "all"]):
            subprocess.run(command, check=True, capture_output=True)

    def selftest(self, status, *arguments):
        ended = self.host.call("selftest", "t", "--json", *arguments)
        self.assertEqual(ended.status, status, ended)
        answer = json.loads(ended.stdout)
        self.assertEqual(set(answer), {"target", "ok", "steps"})
        self.assertEqual((answer["target"], answer["ok"]), ("t", status == 0))
        steps = {}
        for step in answer["steps"]:
            self.assertEqual(set(step), STEP_FIELDS)
            self.assertEqual(step["reason"] is not None, step["outcome"] == "failed", step)
            self.assertNotIn((step["step"], step["subject"]), steps)
            steps[step["step"], step["subject"]] = step
        # Nothing of it is a run, and nothing is left.
        if self.host.database.exists():
            self.assertEqual(self.host.query("select count(*) from runs"), [(0,)])
            self.check_nothing_left()
        self.assertEqual(self.host.issue_files(), [])
        return steps

    def outcomes(self, steps, outcome):
        return {key for key, step in steps.items() if step["outcome"] == outcome}


class FitHost(SelftestCase):
    def test_everything_is_tried(self):
        steps = self.selftest(0)
        self.assertEqual(self.outcomes(steps, "failed"), set())
        self.assertEqual(self.outcomes(steps, "not_tried"), {("control", ""), ("metrics", "")})
        self.assertEqual({subject for step, subject in steps if step == "sample"}, set(CASES))
        for name, case in CASES.items():
            message = steps["sample", name]["message"]
            self.assertTrue(message.startswith(case["about"]), message)
            self.assertIn(case.get("reason", "pass"), message)
        for key in (("configuration", ""), ("store", ""), ("scratch", ""), ("plugin", "wal_e"),
                    ("plugin", "postgresql"), ("storage", "wal_e"), ("preflight", "wal_e"),
                    ("preflight", "postgresql"), ("isolation", ""),
                    ("reporter", "issue_directory")):
            self.assertEqual(steps[key]["outcome"], "ok", steps)
        self.assertIn("base_000000010000000000000003_00000040",
                      steps["storage", "wal_e"]["message"])
        self.assertIn("of version 15", steps["preflight", "wal_e"]["message"])

    def test_text_and_target_without_instance(self):
        del self.target["instance"]
        self.target["checks"] = []
        self.target["schedules"][0]["depth"] = "verify"
        ended = self.host.call("selftest", "t")
        self.assertEqual(ended.status, 0, ended)
        self.assertRegex(ended.stdout, r"(?m)^ok +sample altered_byte +one byte .*$")
        self.assertRegex(ended.stdout, r"(?m)^not tried  sample restored ")
        self.assertTrue(ended.stdout.splitlines()[-1].startswith("ok: this host tells"), ended)
        self.check_nothing_left()

    def test_beside_a_daemon(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.host.config["agent"]["metrics"] = {"listen": f"127.0.0.1:{port}"}
        daemon = self.host.start("serve")
        try:
            wait_until("socket", (self.host.top / "control.sock").exists)
            ended = self.host.call("selftest", "t", "--json")
            self.assertEqual(ended.status, 0, ended)
            steps = {step["step"]: step for step in json.loads(ended.stdout)["steps"]}
            self.assertEqual(steps["control"]["outcome"], "ok", ended)
            self.assertEqual(steps["metrics"]["outcome"], "ok", ended)
            # A target that the daemon has not loaded yet.
            self.target["name"] = "t2"
            ended = self.host.call("selftest", "t2", "--json")
            self.assertEqual(ended.status, 1, ended)
            (control,) = [step for step in json.loads(ended.stdout)["steps"]
                          if step["step"] == "control"]
            self.assertEqual(control["outcome"], "failed", ended)
        finally:
            daemon.signal(signal.SIGTERM)
            self.assertEqual(daemon.end().status, 0)


class UnfitHost(SelftestCase):
    def test_no_secret_key(self):
        shutil.rmtree(self.keys)
        self.keys.mkdir(mode=0o700)
        self.import_key("public-key.asc")
        steps = self.selftest(1)
        self.assertEqual(self.outcomes(steps, "failed"), {("preflight", "wal_e")})
        self.assertEqual(steps["preflight", "wal_e"]["reason"], "key_unavailable")
        self.assertEqual(steps["preflight", "postgresql"]["outcome"], "not_tried")
        self.assertEqual(steps["sample", "altered_byte"]["outcome"], "ok")

    def test_no_storage(self):
        shutil.rmtree(self.store)
        steps = self.selftest(1)
        self.assertEqual(steps["storage", "wal_e"]["reason"], "storage_unreachable")
        self.assertEqual(steps["preflight", "wal_e"]["reason"], "storage_unreachable")

    def test_no_server_of_this_major(self):
        self.target["instance"]["bin_dirs"] = [str(self.host.top / "nowhere-{major}")]
        steps = self.selftest(1)
        self.assertEqual(steps["preflight", "postgresql"]["reason"], "tool_missing", steps)
        # The sample cannot be restored either: not proved, and not said to be.
        self.assertEqual(steps["sample", "restored"]["outcome"], "not_tried")
        self.assertTrue(steps["sample", "restored"]["needed"])

    def test_configuration(self):
        self.target["restore"]["storge"] = "x"
        steps = self.selftest(2)
        self.assertEqual(steps["configuration", ""]["reason"], "config_invalid")

    def test_scratch_that_others_may_list(self):
        self.host.scratch.mkdir()
        self.host.scratch.chmod(0o777)
        steps = self.selftest(1)
        self.assertEqual(self.outcomes(steps, "failed"), {("scratch", "")})
        self.assertIn("chmod 07", steps["scratch", ""]["hint"])

    def test_no_space(self):
        self.host.config["agent"]["scratch_reserve"] = "100000TiB"
        steps = self.selftest(1)
        self.assertEqual(steps["scratch", ""]["reason"], "scratch_full")

    def test_store_cannot_be_opened(self):
        self.host.state.mkdir()
        self.host.database.write_bytes(b"this is no database at all" * 1000)
        ended = self.host.call("selftest", "t", "--json")
        self.assertEqual(ended.status, 1, ended)
        steps = {step["step"]: step["outcome"] for step in json.loads(ended.stdout)["steps"]}
        self.assertEqual((steps["store"], steps["sample"]), ("failed", "not_tried"), ended)

    def test_unknown_target(self):
        ended = self.host.call("selftest", "u")
        self.assertEqual(ended.status, 2, ended)
        self.assertIn("there is no target 'u'", ended.stderr)

    def test_a_dead_daemon(self):
        path = self.host.top / "control.sock"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        steps = self.selftest(1)
        self.assertEqual(self.outcomes(steps, "failed"), {("control", "")})


class AlarmPath(SelftestCase):
    def test_plugin_without_sample(self):
        self.host.config["targets"] = []
        self.host.add_fake()
        steps = self.selftest(3)
        self.assertEqual(steps["sample", "fake"]["outcome"], "not_tried")

    def test_a_plugin_that_passes_everything_is_found_out(self):
        # Everything says "pass", as it would if a tool that decrypts were replaced by /bin/true.
        samples = self.with_own_samples()
        directory = samples / "fake"
        directory.mkdir()
        (directory / "data").write_bytes(b"x" * 100)
        (directory / "selftest.json").write_text(json.dumps({
            "version": 1, "about": "nothing", "options": {}, "cases": [
                {"name": "good", "about": "good", "depth": "verify", "verdict": "pass"},
                {"name": "bad", "about": "bad", "depth": "verify", "verdict": "fail",
                 "reason": "truncated", "damage": [{"cut": "data", "at": 50}]}]}))
        self.host.config["targets"] = []
        self.host.add_fake()
        steps = self.selftest(1)
        self.assertEqual(steps["sample", "good"]["outcome"], "ok")
        self.assertEqual(steps["sample", "bad"]["outcome"], "failed")
        self.assertIn("the verdict is pass, and must be fail (truncated)",
                      steps["sample", "bad"]["message"])
        # Damage that hits nothing proves nothing.
        text = (directory / "selftest.json").read_text()
        (directory / "selftest.json").write_text(text.replace('"at": 50', '"at": 5000'))
        self.assertEqual(self.selftest(1)["sample", "bad"]["reason"], "config_invalid")
        # Nor does a sample that only knows good ones, or one that is broken itself.
        for wrong in (text.replace('"fail"', '"inconclusive"'), text[:-9], "[]",
                      text.replace("data", "../data"), text.replace("truncated", "trunkated")):
            (directory / "selftest.json").write_text(wrong)
            self.assertEqual(self.selftest(1)["sample", "fake"]["reason"], "config_invalid", wrong)

    def with_own_samples(self):
        """A build tree of the test's own: samples are found beside the executable."""
        build = self.host.top / "build"
        for folder in ("bin", "plugins.d", "selftest"):
            (build / folder).mkdir(parents=True)
        self.host.add_program(agent_under_test.BUILD / "bin" / "rad-agent",
                              build / "bin" / "rad-agent")
        before = agent_under_test.BUILD
        agent_under_test.BUILD = build
        self.addCleanup(setattr, agent_under_test, "BUILD", before)
        return build / "selftest"

    def test_interrupted_and_killed(self):
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 6)):
            run = self.host.start("selftest", "t")
            wait_until("sample", lambda: list(self.host.scratch.glob("*/sample-*")))
            run.signal(number)
            ended = run.end()
            self.assertEqual(ended.status, status, ended)
            self.assertRegex(ended.stdout, r"not tried  sample")
            self.check_nothing_left()
        run = self.host.start("selftest", "t")
        wait_until("sample", lambda: list(self.host.scratch.glob("*/*/wal_e")))
        run.signal(signal.SIGKILL)
        run.end()
        self.assertNotEqual(self.host.leftovers(), [])
        self.selftest_after_sweep()

    def selftest_after_sweep(self):
        # Any start of the agent sweeps.
        ended = self.host.run("t", "--depth", "inspect")
        self.assertEqual(ended.status, 0, ended)
        self.check_nothing_left()


if __name__ == "__main__":
    agent_under_test.main()
