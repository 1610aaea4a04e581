#!/usr/bin/env python3
"""Verdicts, exit statuses and output of `rad-agent run` with the plugin fake."""

import signal
import time

import agent_under_test
from agent_under_test import REPORT_FIELDS, AgentTest, wait_until


class Verdicts(AgentTest):
    def test_pass_at_every_depth(self):
        self.host.add_fake(objectives={"rto": "1h", "rpo": "1d"})
        for depth, stages in (
                ("restore", ["preflight", "restore", "recover", "check", "cleanup", "report"]),
                ("verify", ["preflight", "fetch", "check", "cleanup", "report"]),
                ("inspect", ["preflight", "fetch", "check", "cleanup", "report"])):
            with self.subTest(depth):
                ended = self.host.run("t", "--depth", depth, "--reason", "because")
                report = self.check_report(ended, "pass")
                self.assertEqual(self.stages(report), stages)
                self.assertEqual(report["depth"], depth)
                self.assertEqual(report["schedule"], "manual")
                self.assertEqual(report["request_note"], "because")
                self.assertEqual(report["cleanup"], "clean")
                outcomes = [check["outcome"] for check in report["checks"]]
                skipped = {"inspect": 2, "verify": 1, "restore": 0}[depth]
                self.assertEqual(outcomes,
                                 ["pass"] * (3 - skipped) + ["not_applicable"] * skipped)
        self.check_nothing_left()
        self.assertEqual(self.host.issue_files(), [])

    def test_target_without_instance(self):
        self.host.add_fake(instance=False)
        report = self.host.run().report
        # Nothing was started, so the data cannot have been looked at.
        self.assertEqual(self.stages(report),
                         ["preflight", "restore", "check", "cleanup", "report"])
        self.assertNotEqual(report["verdict"], "pass", report)
        self.check_nothing_left()

    def test_failed_check_fails(self):
        self.host.add_fake(script={"checks": {"fake_data": {
            "outcome": "fail", "reason": "row_count_mismatch", "message": "3 rows of 4",
            "object": "public.t", "measured": "3", "expected": "4"}}})
        report = self.check_report(self.host.run(), "fail", "row_count_mismatch")
        self.assertIn("3 rows of 4", report["cause"]["message"])
        self.assertEqual(report["cause"]["object"], "public.t")
        self.check_nothing_left()

    def test_errors_of_stages(self):
        for number, (method, depth, reason, verdict) in enumerate((
                ("preflight", "verify", "no_backup", "fail"),
                ("preflight", "restore", "key_unavailable", "inconclusive"),
                ("inspect", "inspect", "access_denied", "inconclusive"),
                ("verify", "verify", "decrypt_failed", "fail"),
                ("restore", "restore", "truncated", "fail"),
                ("restore", "restore", "storage_unreachable", "inconclusive"),
                ("start", "restore", "recovery_failed", "fail"),
                ("start", "restore", "library_missing", "inconclusive"),
                ("check", "restore", "out_of_memory", "inconclusive"))):
            with self.subTest(method=method, reason=reason):
                name = f"t{number}"
                self.host.add_fake(name, {method: {"error": {
                    "reason": reason, "message": "as told", "hint": "look", "object": "part_1",
                    "offset": 17}}})
                report = self.check_report(self.host.run(name, "--depth", depth), verdict, reason)
                self.assertEqual(report["cause"]["object"], "part_1")
                self.assertEqual(report["cause"]["offset"], 17)
                self.assertEqual(report["cleanup"], "clean")
                for check in report["checks"]:
                    self.assertNotEqual(check["outcome"], "pass", report)
        self.check_nothing_left()

    def test_a_check_that_proves_nothing_is_no_pass(self):
        self.host.add_fake(script={"checks": {
            "fake_bytes": {"outcome": "skipped", "message": "not now"},
            "fake_data": {"proof": "none"}}})
        self.check_report(self.host.run("t", "--depth", "verify"), "inconclusive", "no_check_ran")
        self.check_report(self.host.run(), "inconclusive", "no_check_ran")
        self.check_nothing_left()

    def test_artifact_outside_of_scratch_is_refused(self):
        for number, path in enumerate(("/etc", "{scratch}/../../etc", "")):
            self.host.add_fake(f"t{number}", {"restore": {"result": {
                "artifact": {"kind": "directory", "properties": {},
                             "path": path.format(scratch=self.host.scratch)}}}})
            self.check_report(self.host.run(f"t{number}"), "inconclusive", "plugin_protocol")
        self.check_nothing_left()

    def test_terminal_and_markdown(self):
        self.host.add_fake()
        self.host.add_fake("bad", {"checks": {"fake_data": {"outcome": "fail",
                                                              "message": "it differs"}}})
        ended = self.host.call("run", "t")
        self.assertEqual(ended.status, 0, ended)
        self.assertRegex(ended.stdout, r"\APASS  t at depth restore")
        self.assertNotIn("\x1b", ended.stdout + ended.stderr)
        ended = self.host.call("run", "bad", "--format", "markdown")
        self.assertEqual(ended.status, 1, ended)
        self.assertRegex(ended.stdout, r"(?m)^#+ ")
        self.assertIn("it differs", ended.stdout)
        self.assertIn("runbook", ended.stdout.lower())
        ended = self.host.call("run", "t", "--quiet")
        self.assertNotIn("started", ended.stderr, ended)


class Cleanup(AgentTest):
    def test_passed_but_something_is_left(self):
        self.host.add_fake(script={"check": {"delay": "1s"}})
        run = self.host.start("run", "t", "--json")
        run.wait_for("check: started")
        (scratch,) = self.host.scratch.iterdir()
        # Without its marker a directory is nobody's: it must not be removed.
        (scratch / ".rad-run").unlink()
        ended = run.end()
        self.assertEqual(ended.status, 7, ended)
        report = ended.report
        self.assertEqual((report["verdict"], report["cleanup"]), ("pass", "failed"), ended)
        self.assertIn(str(scratch), report["cleanup_message"])
        self.assertTrue(scratch.is_dir())
        # A later start says so again and leaves it alone, until it is put right.
        ended = self.host.call("run", "t", "--depth", "inspect")
        self.assertEqual(ended.status, 0, ended)
        self.assertIn(str(scratch), ended.stderr)
        self.assertTrue(scratch.is_dir())
        (scratch / ".rad-run").write_text(report["id"])
        self.assertEqual(self.host.run("t", "--depth", "inspect").status, 0)
        self.assertEqual(self.host.recorded(report["id"])["cleanup"], "clean")
        self.check_nothing_left()

    def test_what_a_plugin_forgets_is_removed(self):
        self.host.add_fake(script={
            "restore": {"files": [{"path": "a/b/forgotten", "bytes": 10, "keep": True},
                                  {"path": "socket", "bytes": 1, "where": "runtime", "keep": True}],
                        "daemon": True},
            "cleanup": {"error": {"reason": "internal_error"}}})
        report = self.check_report(self.host.run(), "pass")
        self.assertEqual(report["cleanup"], "clean")
        self.check_nothing_left()

    def test_keep_on_fail(self):
        self.host.add_fake(keep={"on_fail": "2s"}, script={"checks": {"fake_data": {
            "outcome": "fail", "message": "no"}}})
        ended = self.host.run()
        self.assertEqual(ended.status, 1, ended)
        report = ended.report
        self.assertEqual(report["cleanup"], "kept", ended)
        kept = self.host.scratch / report["id"]
        self.assertEqual(report["kept_path"], str(kept))
        self.assertTrue(list(kept.rglob("fake.bin")), "the data that was to be kept is gone")
        self.assertEqual(list(self.host.runtime.iterdir()), [])
        self.assertEqual(self.host.query("select run_id, kind, path from ledger"),
                         [(report["id"], "kept", str(kept))])
        until = self.host.query("select keep_until from ledger")[0][0] / 1000
        wait_until("the time to keep is over", lambda: time.time() > until)
        self.config_pass()
        self.assertEqual(self.host.run().status, 0)
        self.check_nothing_left()
        self.assertEqual(self.host.recorded(report["id"])["verdict"], "fail")

    def config_pass(self):
        (self.host.top / "t.script.json").write_text("{}")

    def test_kept_data_survives_a_sweep(self):
        self.host.add_fake(keep={"on_pass": "1h"})
        first = self.host.run().report
        self.assertEqual(first["cleanup"], "kept")
        second = self.host.run().report
        for report in (first, second):
            self.assertTrue(list((self.host.scratch / report["id"]).rglob("fake.bin")))


class Cancel(AgentTest):
    def test_signals(self):
        self.host.add_fake(script={"restore": {"delay": "60s", "daemon": True}})
        for number, status in ((signal.SIGTERM, 6), (signal.SIGINT, 130)):
            with self.subTest(number):
                run = self.host.start("run", "t", "--json")
                run.wait_for("restore: started")
                run.signal(number)
                ended = run.end()
                self.assertEqual(ended.status, status, ended)
                self.assertEqual(set(ended.report), REPORT_FIELDS)
                self.assertEqual(ended.report["verdict"], "cancelled", ended)
                self.assertEqual(ended.report["cleanup"], "clean", ended)
                self.check_nothing_left()
        self.assertEqual(self.host.issue_files(), [])

    def test_every_stage(self):
        for number, (stage, method, depth) in enumerate((
                ("preflight", "preflight", "restore"), ("fetch", "verify", "verify"),
                ("fetch", "inspect", "inspect"), ("recover", "start", "restore"),
                ("check", "check", "restore"))):
            with self.subTest(stage=stage, method=method):
                name = f"t{number}"
                self.host.add_fake(name, {method: {"delay": "60s"}})
                run = self.host.start("run", name, "--json", "--depth", depth)
                run.wait_for(f"{stage}: started")
                run.signal(signal.SIGTERM)
                self.check_report(run.end(), "cancelled", "cancelled")
        self.check_nothing_left()

    def test_second_signal_changes_nothing(self):
        self.host.add_fake(script={"restore": {"delay": "60s"}, "cleanup": {"delay": "500ms"}})
        run = self.host.start("run", "t", "--json")
        run.wait_for("restore: started")
        run.signal(signal.SIGTERM)
        run.wait_for("cleanup: started")
        run.signal(signal.SIGTERM)
        self.check_report(run.end(), "cancelled", "cancelled")
        self.check_nothing_left()

    def test_too_late_to_cancel(self):
        self.host.add_fake(script={"cleanup": {"delay": "1s"}})
        run = self.host.start("run", "t", "--json")
        run.wait_for("cleanup: started")
        run.signal(signal.SIGTERM)
        self.check_report(run.end(), "pass")
        self.check_nothing_left()

    def test_plugin_that_does_not_obey(self):
        self.host.add_fake(script={"restore": {"hang": True, "daemon": True}})
        run = self.host.start("run", "t", "--json")
        run.wait_for("restore: started")
        run.signal(signal.SIGTERM)
        self.check_report(run.end(), "cancelled", "cancelled")
        self.check_nothing_left()


class Busy(AgentTest):
    def test_refuse_and_queue(self):
        self.host.add_fake(script={"check": {"delay": "3s"}})
        self.host.add_fake("other")
        first = self.host.start("run", "t", "--json")
        first.wait_for("preflight: started")
        refused = self.host.call("run", "t", "--if-busy", "refuse")
        self.assertEqual(refused.status, 3, refused)
        self.assertRegex(refused.stderr, r"error: target 't' is being tested by run \d{8}T\d{6}-")
        self.assertRegex(refused.stderr, r"hint: ")
        self.assertEqual(self.host.run("other").status, 0, "another target is not in the way")
        queued = self.host.start("run", "t", "--json", "--if-busy", "queue")
        queued.wait_for("waiting for it to end")
        one = self.check_report(first.end(), "pass")
        two = self.check_report(queued.end(), "pass")
        self.assertLessEqual(one["ended_at"], two["created_at"])
        self.assertEqual(len(self.host.query("select id from runs where target = 't'")), 2)
        self.check_nothing_left()

    def test_waiting_can_be_cancelled(self):
        self.host.add_fake(script={"check": {"delay": "60s"}})
        first = self.host.start("run", "t", "--json")
        first.wait_for("check: started")
        queued = self.host.start("run", "t", "--json")
        queued.wait_for("waiting for it to end")
        queued.signal(signal.SIGTERM)
        self.assertEqual(queued.end().status, 6)
        self.assertTrue(first.running())
        first.signal(signal.SIGTERM)
        self.check_report(first.end(), "cancelled", "cancelled")
        self.check_nothing_left()


class Interrupted(AgentTest):
    def test_next_start_marks_cleans_and_reports(self):
        self.host.add_fake(script={"restore": {"delay": "60s", "daemon": True, "files": [
            {"path": "half", "bytes": 1000}]}})
        self.host.add_fake("next")
        run = self.host.start("run", "t", "--json")
        run.wait_for("restore: started")
        wait_until("data in scratch", lambda: list(self.host.scratch.rglob("half")))
        (scratch,) = self.host.scratch.iterdir()
        run.signal(signal.SIGKILL)
        run.end()
        wait_until("no process", lambda: not agent_under_test.processes_of(self.host.top), 20)
        self.assertTrue(scratch.is_dir())
        self.assertEqual(self.host.run("next", "--depth", "inspect").status, 0)
        self.check_nothing_left()
        record = self.host.recorded(scratch.name)
        self.assertEqual(record["verdict"], "inconclusive")
        self.assertEqual(record["cause"]["reason"], "interrupted")
        self.assertIn("restore", record["cause"]["message"])
        self.assertEqual(record["cleanup"], "clean")
        (issue,) = self.host.issue_files()
        self.assertIn(scratch.name, issue.read_text())

    def test_a_living_run_is_left_alone(self):
        self.host.add_fake(script={"restore": {"delay": "3s"}})
        self.host.add_fake("next")
        run = self.host.start("run", "t", "--json")
        run.wait_for("restore: started")
        self.assertEqual(self.host.run("next").status, 0)
        self.assertTrue(run.running())
        self.check_report(run.end(), "pass")


class Issues(AgentTest):
    def test_opened_appended_closed(self):
        script = self.host.top / "t.script.json"
        self.host.add_fake(script={"checks": {"fake_data": {"outcome": "fail",
                                                              "message": "3 rows of 4"}}})
        first = self.check_report(self.host.run(), "fail", "check_failed")
        (issue,) = self.host.issue_files()
        text = issue.read_text()
        self.assertIn("state: open", text)
        self.assertIn("3 rows of 4", text)
        self.assertEqual(issue.name, f"t-restore-{first['id']}.md")
        second = self.check_report(self.host.run(), "fail", "check_failed")
        self.assertEqual(self.host.issue_files(), [issue])
        text = issue.read_text()
        self.assertIn("count: 2", text)
        self.assertIn(second["id"], text)
        script.write_text("{}")
        self.check_report(self.host.run("t", "--depth", "verify"), "pass")
        self.assertIn("state: open", issue.read_text(), "verify cannot close what restore proves")
        self.check_report(self.host.run(), "pass")
        self.assertIn("state: closed", issue.read_text())
        self.assertEqual(self.host.query("select open, count from issues"), [(0, 2)])

    def test_a_reporter_that_cannot_report_changes_no_verdict(self):
        self.host.issues.write_text("a file where a directory should be")
        self.host.add_fake(script={"checks": {"fake_data": {"outcome": "fail", "message": "no"}}})
        ended = self.host.run()
        self.check_report(ended, "fail", "check_failed")
        self.assertIn("reporter 'issue_directory'", ended.stderr)
        self.assertEqual(self.host.query("select count from report_error_counts"), [(1,)])


if __name__ == "__main__":
    agent_under_test.main()
