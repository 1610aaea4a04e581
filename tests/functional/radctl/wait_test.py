#!/usr/bin/env python3
"""Following a run to its end: progress, Ctrl-C, and agents that go away in the middle."""

import json
import os
import signal
import threading
import time

import radctl_under_test
from fake_agent import answer, report
from radctl_under_test import PATIENCE, RadctlTest

RUN = answer("start_started")["run_id"]
START = ("run", "start", "customers-db", "--reason", "a test", "--wait")


class Waiting(RadctlTest):
    def setUp(self):
        super().setUp()
        self.go_on = threading.Event()
        self.addCleanup(self.go_on.set)

    def progress(self, end=None, before=()):
        """A stream that shows some stages, waits for `go_on` and then ends with this record."""
        def stream(send, _after):
            send("stage", {"stage": "preflight", "started_at": "2026-11-20T18:44:51Z"}, 1)
            send("stage", {"stage": "restore", "started_at": "2026-11-20T18:44:52Z"}, 2)
            send("progress", {"stage": "restore", "bytes_done": 500, "bytes_total": 1000,
                              "note": "part 1\033[31m"}, 3)
            for event in before:
                send(*event)
            self.go_on.wait(PATIENCE)
            if end is not None:
                send("end", end, 9)
        return stream

    def begin(self, *streams):
        self.agent.streams = list(streams)
        self.agent.start()

    def test_exit_statuses_of_runs(self):
        self.go_on.set()
        for record, status in ((report(RUN, "pass"), 0),
                               (report(RUN, "fail", "decrypt_failed"), 1),
                               (report(RUN, "inconclusive", "storage_unreachable"), 3),
                               (report(RUN, "cancelled", "cancelled"), 6),
                               (report(RUN, "pass", cleanup="failed"), 7)):
            self.begin(self.progress(record))
            ended = self.call(*START)
            self.assertEqual(ended.status, status, ended)
            self.assertTrue(ended.stdout.startswith(record["verdict"].upper()), ended)
            self.assertIn("restore: started", ended.stderr)
            self.assertNotIn("\033", ended.stdout + ended.stderr)
            ended = self.call(*START, "--json")
            self.assertEqual(ended.status, status, ended)
            self.assertEqual(json.loads(ended.stdout), record)
            self.agent.stop()

    def test_a_run_that_waits_and_warns(self):
        self.go_on.set()
        self.begin(self.progress(report(RUN, "pass"), before=(
            ("waiting", {"waits_for": "run x"}), ("waiting", {"waits_for": "run x"}),
            ("log", {"plugin": "wal_e", "level": "warning", "text": "a\033b"}, 4),
            ("log", {"plugin": "wal_e", "level": "info", "text": "chatter"}, 5))))
        ended = self.call(*START)
        self.assertEqual(ended.stderr.count("waiting for run x"), 1, ended)
        self.assertIn("warning: wal_e: a?b\n", ended.stderr)
        self.assertNotIn("chatter", ended.stderr)

    def test_a_run_that_could_not_begin(self):
        record = report(RUN, "inconclusive", "config_invalid")
        self.begin(lambda send, _: send("end", record))
        ended = self.call(*START)
        self.assertEqual(ended.status, 3, ended)
        self.assertTrue(ended.stdout.startswith("INCONCLUSIVE"), ended)
        self.assertIn("what happened", ended.stdout)

    def test_a_record_that_is_not_understood(self):
        self.begin(lambda send, _: send("end", {"error": {"message": "x"}}, 1))
        ended = self.call(*START)
        self.assertEqual(ended.status, 3, ended)
        self.assertIn("error: the record of the run is not understood\nhint: ", ended.stderr)

    def test_waiting_for_a_run_by_hand(self):
        self.go_on.set()
        self.begin(self.progress(report(RUN, "pass")))
        self.assertEqual(self.call("run", "wait", RUN).status, 0)
        self.agent.streams = [(404, {"error": {"reason": "config_invalid",
                                               "message": "no such run", "hint": ""}})]
        ended = self.call("run", "wait", RUN)
        self.assertEqual((ended.status, ended.stderr), (2, "error: no such run\n"), ended)

    def test_interrupt_without_a_terminal_leaves_the_run(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            self.begin(self.progress(report(RUN, "pass")))
            process = self.start(*START)
            self.agent.wait_for_request("GET", f"/v1/runs/{RUN}/events")
            line = b""
            while b"restore" not in line:
                line = process.stderr.readline()
            process.send_signal(number)
            ended = self.finish(process)
            self.assertEqual(ended.status, 130, ended)
            self.assertIn(f"run {RUN} goes on without you", ended.stderr)
            self.assertEqual(self.agent.asked("POST", f"/v1/runs/{RUN}/cancel"), [])
            self.agent.stop()

    # Before the agent has answered: the run may have begun already.

    def asked_slowly(self):
        """The answer to the request for a run comes when `answered` is set."""
        answered = threading.Event()
        self.addCleanup(answered.set)

        def start(_query, _body):
            answered.wait(PATIENCE)
            return 202, answer("start_started")
        self.agent.answers["POST", "/v1/runs"] = start
        self.begin(self.progress(report(RUN, "pass")))
        return answered

    def test_interrupt_before_the_answer(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            answered = self.asked_slowly()
            process = self.start(*START)
            self.agent.wait_for_request("POST", "/v1/runs")
            process.send_signal(number)
            answered.set()
            ended = self.finish(process)
            self.assertEqual(ended.status, 130, ended)
            self.assertIn(f"run {RUN} goes on without you", ended.stderr)
            self.agent.stop()
            self.agent.requests.clear()

    def test_interrupt_before_the_answer_on_a_terminal(self):
        answered = self.asked_slowly()
        terminal = self.terminal(*START)
        self.agent.wait_for_request("POST", "/v1/runs")
        terminal.type("\x03")
        terminal.wait_for("^C")
        answered.set()
        terminal.wait_for(self.QUESTION)
        terminal.type("l\n")
        self.assertEqual(terminal.end(), 130)
        self.assertIn(f"run {RUN} goes on without you", terminal.seen)

    def test_interrupt_before_the_answer_without_watching(self):
        answered = self.asked_slowly()
        process = self.start("run", "start", "customers-db", "--reason", "a test")
        self.agent.wait_for_request("POST", "/v1/runs")
        process.send_signal(signal.SIGINT)
        answered.set()
        ended = self.finish(process)
        self.assertEqual(ended.status, -signal.SIGINT, ended)
        self.assertIn(f"radctl run cancel {RUN}", ended.stdout)

    def test_interrupt_of_a_request_that_is_never_answered(self):
        self.asked_slowly()
        process = self.start(*START)
        self.agent.wait_for_request("POST", "/v1/runs")
        process.send_signal(signal.SIGINT)
        ended = self.finish(process)
        self.assertEqual(ended.status, 130, ended)
        self.assertIn("the test of customers-db may have begun all the same\n"
                      "hint: radctl run list --target customers-db", ended.stderr)

    def test_interrupt_of_a_log_that_is_followed(self):
        self.agent.answers["GET", f"/v1/runs/{RUN}/log"] = {"lines": [], "next_after": 0,
                                                            "ended": False}
        self.begin(self.progress())
        process = self.start("run", "logs", "-f", RUN)
        self.agent.wait_for_request("GET", f"/v1/runs/{RUN}/log")
        process.send_signal(signal.SIGINT)
        ended = self.finish(process)
        self.assertEqual(ended.status, 130, ended)
        self.assertIn("goes on", ended.stderr)

    # On a terminal.

    QUESTION = "leave it running (l), cancel it (c), or go on watching (Enter)? "

    def watch(self, end):
        self.begin(self.progress(end))
        terminal = self.terminal(*START)
        terminal.wait_for("restore  [##########----------]  50%")
        return terminal

    def test_a_bar_on_a_terminal(self):
        terminal = self.watch(report(RUN, "pass"))
        self.go_on.set()
        self.assertEqual(terminal.end(), 0)
        self.assertIn("PASS", terminal.seen)
        self.assertIn("part 1?[31m", terminal.seen)

    def test_leave(self):
        terminal = self.watch(report(RUN, "pass"))
        terminal.type("\x03")
        terminal.wait_for(self.QUESTION)
        terminal.type("l\n")
        self.assertEqual(terminal.end(), 130)
        self.assertIn(f"radctl run wait {RUN}", terminal.seen)
        self.assertEqual(self.agent.asked("POST", f"/v1/runs/{RUN}/cancel"), [])

    def test_go_on(self):
        terminal = self.watch(report(RUN, "fail", "wal_gap"))
        terminal.type("\x03")
        at = terminal.wait_for(self.QUESTION)
        terminal.type("what?\n")
        at = terminal.wait_for(self.QUESTION, at)
        terminal.type("\n")
        terminal.wait_for("restore  [", at)
        terminal.type("\x03")
        terminal.wait_for(self.QUESTION, at)
        terminal.type("\n")
        self.go_on.set()
        self.assertEqual(terminal.end(), 1)

    def test_cancel(self):
        def cancel(_query, _body):
            self.go_on.set()
            return 202, {"run_id": RUN}
        self.agent.answers["POST", f"/v1/runs/{RUN}/cancel"] = cancel
        terminal = self.watch(report(RUN, "cancelled", "cancelled"))
        terminal.type("\x03")
        terminal.wait_for(self.QUESTION)
        terminal.type("c\n")
        self.assertEqual(terminal.end(), 6)
        self.assertIn("cancelling", terminal.seen)
        self.assertIn("CANCELLED", terminal.seen)
        body = self.agent.wait_for_request("POST", f"/v1/runs/{RUN}/cancel")
        self.assertEqual(body, {"reason": "cancelled by Ctrl-C in radctl"})

    def test_cancel_that_is_not_permitted(self):
        self.agent.answers["POST", f"/v1/runs/{RUN}/cancel"] = (
            403, {"error": {"reason": "access_denied", "message": "viewers may not", "hint": "ask"}})
        terminal = self.watch(report(RUN, "pass"))
        terminal.type("\x03")
        terminal.wait_for(self.QUESTION)
        terminal.type("c\n")
        terminal.wait_for("error: viewers may not")
        self.go_on.set()
        self.assertEqual(terminal.end(), 0)

    def test_a_second_interrupt_leaves(self):
        terminal = self.watch(report(RUN, "pass"))
        terminal.type("\x03")
        terminal.wait_for(self.QUESTION)
        terminal.type("\x03")
        self.assertEqual(terminal.end(), 130)
        self.assertIn("goes on without you", terminal.seen)

    def test_the_run_ends_while_the_question_stands(self):
        terminal = self.watch(report(RUN, "pass"))
        terminal.type("\x03")
        terminal.wait_for(self.QUESTION)
        self.go_on.set()
        self.assertEqual(terminal.end(), 0)
        self.assertIn("the run has ended meanwhile", terminal.seen)

    # Agents that go away.

    def test_the_agent_is_restarted(self):
        after = []
        last = report(RUN, "inconclusive", "interrupted")

        def second(send, number):
            after.append(number)
            send("end", last, 1)
        self.begin(self.progress(), second)
        process = self.start(*START)
        self.agent.wait_for_request("GET", f"/v1/runs/{RUN}/events")
        self.agent.stop()
        self.go_on.set()
        line = b""
        while b"looking for it again" not in line:
            line = process.stderr.readline()
            self.assertNotEqual(line, b"")
        self.agent.answers["GET", "/v1/status"] = {
            **answer("status_calm"), "started_at": "2026-11-21T00:29:00.000Z"}
        self.agent.start()
        ended = self.finish(process)
        self.assertEqual(ended.status, 3, ended)
        self.assertIn("the agent was restarted in the middle of the run", ended.stderr)
        # The new agent counts its events from one again.
        self.assertEqual(after, [0])
        self.assertIn("INCONCLUSIVE", ended.stdout)

    def test_the_connection_breaks_and_the_agent_goes_on(self):
        after = []

        def second(send, number):
            after.append(number)
            send("end", report(RUN, "pass"), 9)
        self.go_on.set()
        self.begin(self.progress(), second)
        ended = self.call(*START)
        self.assertEqual(ended.status, 0, ended)
        self.assertEqual(after, [3])
        self.assertNotIn("restarted", ended.stderr)

    def test_the_agent_does_not_come_back(self):
        self.begin(self.progress())
        process = self.start(*START, "--patience", "2s")
        self.agent.wait_for_request("GET", f"/v1/runs/{RUN}/events")
        began = time.monotonic()
        self.agent.stop()
        os.unlink(self.socket)
        self.go_on.set()
        ended = self.finish(process)
        self.assertEqual(ended.status, 4, ended)
        self.assertGreater(time.monotonic() - began, 1.5)
        self.assertIn(f"radctl run show {RUN}", ended.stderr)

    def test_interrupt_while_the_agent_is_away(self):
        self.begin(self.progress())
        process = self.start(*START)
        self.agent.wait_for_request("GET", f"/v1/runs/{RUN}/events")
        self.agent.stop()
        self.go_on.set()
        while b"looking for it again" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(process).status, 130)


if __name__ == "__main__":
    radctl_under_test.main()
