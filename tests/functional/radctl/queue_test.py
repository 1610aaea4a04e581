#!/usr/bin/env python3
"""What waits and can never begin, or not at present: it ends with a record, and holds nobody up."""

import sqlite3

import real_agent_test
from real_agent_test import SLOW, agent_under_test, wait_until


class Queue(real_agent_test.RealAgent):
    def setUp(self):
        super().setUp()
        self.host.config["agent"]["max_concurrent_runs"] = 1

    def queue_behind_a_slow_one(self, *names):
        first = self.ask("run", "start", "slow", "--reason", "first")["run_id"]
        ids = [self.ask("run", "start", name, "--reason", "then")["run_id"] for name in names]
        self.assertEqual([run["id"] for run in self.ask("status")["waiting"]], ids)
        return first, ids

    def remove_target(self, name):
        targets = self.host.config["targets"]
        self.host.config["targets"] = [target for target in targets if target["name"] != name]
        self.host.write_config()

    def check_refused(self, run, text):
        ended = self.radctl("run", "wait", run)
        self.assertEqual(ended.status, 3, ended)
        self.assertTrue(ended.stdout.startswith("INCONCLUSIVE"), ended)
        self.assertIn(text, ended.stdout)
        self.assertIn(text, self.ask("run", "show", run)["cause"]["message"])
        refused = [entry for entry in self.ask("audit")["entries"] if entry["subject"] == run]
        self.assertIn(text, refused[0]["outcome"])

    def test_a_request_of_a_target_that_is_taken_out_ends(self):
        for name, script in (("slow", SLOW), ("gone", None), ("next", None)):
            self.host.add_fake(name, script, schedules=[])
        agent = self.serve()
        first, (gone, then) = self.queue_behind_a_slow_one("gone", "next")
        watcher = self.start("run", "wait", gone)
        self.remove_target("gone")
        self.assertEqual(self.radctl("reload").status, 0)
        self.check_refused(gone, "was taken out of the configuration")
        self.assertEqual(self.finish(watcher).status, 3)
        self.assertEqual(self.radctl("run", "cancel", first).status, 0)
        self.assertEqual(self.radctl("run", "wait", then).status, 0)
        # The same when the target goes while the agent is away.
        with sqlite3.connect(self.host.database) as database:
            database.execute(
                "insert into requests (id, target, depth, schedule, backup, recover_to, priority, "
                "requested_by, note, requested_at) values ('20260101T000000-00000000', 'gone', "
                "'restore', 'manual', '', '', 0, 'somebody', 'a test', 1)")
        agent.signal(15)
        self.assertEqual(agent.end().status, 0)
        self.agents.remove(agent)
        self.serve()
        self.check_refused("20260101T000000-00000000", "was taken out of the configuration")
        self.assertEqual(self.radctl("run", "start", "next", "--reason", "x", "--wait").status, 0)

    def test_a_request_that_cannot_begin_leaves_a_record(self):
        self.host.add_fake("slow", SLOW, schedules=[])
        self.host.add_fake("locked", schedules=[])
        (self.host.state / "locks" / "target-locked").mkdir(parents=True)
        self.serve()
        first, (locked,) = self.queue_behind_a_slow_one("locked")
        watcher = self.start("run", "wait", locked)
        self.assertEqual(self.radctl("run", "cancel", first).status, 0)
        self.check_refused(locked, "target-locked")
        ended = self.finish(watcher)
        self.assertEqual(ended.status, 3, ended)
        self.assertIn("target-locked", ended.stdout)

    def test_a_schedule_that_cannot_begin_holds_nobody_up(self):
        self.host.add_fake("locked", schedules=[
            {"name": "hourly", "cron": "0 * * * *", "depth": "restore"}])
        self.host.add_fake("next", schedules=[
            {"name": "hourly", "cron": "0 * * * *", "depth": "restore"}])
        (self.host.state / "locks" / "target-locked").mkdir(parents=True)
        agent = self.serve()
        agent.signal(15)
        agent.end()
        self.agents.remove(agent)
        with sqlite3.connect(self.host.database) as database:
            database.execute("update schedules set first_seen = first_seen - 4000000")
        agent = self.serve()
        wait_until("the other one has had its turn", lambda: self.host.query(
            "select target from runs where verdict = 'pass'") == [("next",)])
        ticks = self.ask("status")["last_tick"]
        wait_until("some more looks", lambda: self.ask("status")["last_tick"] > ticks)
        waits = {row["target"]: row["waits_for"] for row in
                 self.ask("schedule", "list")["schedules"]}
        self.assertIn("target-locked", waits["locked"])
        self.assertEqual(agent.stderr.count("cannot begin"), 1, agent.stderr)
        # By hand somebody is told at once.
        ended = self.radctl("run", "start", "locked", "--reason", "x", "--wait")
        self.assertEqual(ended.status, 3, ended)
        self.assertIn("target-locked", ended.stderr)

    def test_busy_with_a_run_of_another_process_and_with_one_that_waits(self):
        self.host.add_fake("slow", SLOW, schedules=[])
        self.host.add_fake("next", schedules=[])
        self.serve()
        beside = self.host.start("run", "slow", "--json")
        run = wait_until("the other process has begun", lambda: self.host.query(
            "select id from runs where ended_at is null"))[0][0]
        start = ("run", "start", "slow", "--reason", "x", "--if-busy")
        refused = self.radctl(*start, "refuse")
        self.assertEqual(refused.status, 3, refused)
        self.assertIn(run, refused.stderr)
        self.assertEqual(self.ask(*start, "attach")["run_id"], run)
        self.assertEqual(self.ask(*start, "queue")["behind_run"], run)
        watcher = self.start(*start, "attach", "--wait")
        wait_until("it has attached", lambda: [entry["outcome"] for entry in self.ask("audit")["entries"]]
                   .count(f"attached to run {run}") == 2)
        beside.signal(2)
        self.assertEqual(beside.end().status, 130)
        self.assertEqual(self.finish(watcher).status, 6)
        # What waited for it takes its turn and holds the only place.
        wait_until("the queued one goes on", lambda: self.running())
        waiting = self.ask("run", "start", "next", "--reason", "x")["run_id"]
        start = ("run", "start", "next", "--reason", "x", "--if-busy")
        refused = self.radctl(*start, "refuse")
        self.assertEqual(refused.status, 3, refused)
        self.assertIn(waiting, refused.stderr)
        self.assertEqual(self.ask(*start, "attach")["run_id"], waiting)
        self.assertEqual(self.radctl("run", "cancel", "slow").status, 0)
        self.assertEqual(self.radctl("run", "wait", waiting).status, 0)


if __name__ == "__main__":
    agent_under_test.main()
