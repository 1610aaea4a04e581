#!/usr/bin/env python3
"""Schedules, rotations, pauses and the queue of a real agent, across restarts."""

import json
import signal
import sqlite3
import urllib.request

import real_agent_test
from real_agent_test import SLOW, agent_under_test, wait_until

MINUTE = 60 * 1000


class Schedules(real_agent_test.RealAgent):
    def answer(self, *words):
        ended = self.radctl(*words, "--json")
        self.assertEqual(ended.status, 0, ended)
        return json.loads(ended.stdout)

    def stop(self, agent):
        agent.signal(signal.SIGTERM)
        ended = agent.end()
        self.assertEqual(ended.status, 0, ended)
        self.agents.remove(agent)
        return ended

    def known_for(self, minutes):
        """As if the schedules had been there for long, and the agent not."""
        with sqlite3.connect(self.host.database) as database:
            database.execute("update schedules set first_seen = first_seen - ?, slot_done = null",
                             (minutes * MINUTE,))

    def add_idle(self, name, script=None):
        return self.host.add_fake(name, script, schedules=[])

    def test_a_rotation_takes_a_turn_and_tells_what_it_missed(self):
        for name in ("disk-1", "disk-2", "disk-3"):
            self.add_idle(name)
        self.host.config["rotations"] = [{"name": "fleet", "cron": "*/20 * * * *",
                                          "depth": "verify", "targets": ["disk-*"]}]
        self.host.config["agent"]["metrics"] = {"listen": "127.0.0.1:0"}
        self.stop(self.serve())
        # The last slot is caught up, once; those before it are told as missed.
        self.known_for(90)
        agent = self.serve()
        wait_until("a turn is over", lambda: self.host.query(
            "select target, schedule, verdict from runs where ended_at is not null")
            == [("disk-1", "fleet", "pass")])
        wait_until("the turn is noted", lambda: self.host.query(
            "select done from rotations")[0][0] == '["disk-1"]')
        missed = self.answer("schedule", "list")["missed"]
        self.assertGreaterEqual(len(missed), 3)
        self.assertEqual({row["cause"] for row in missed}, {"agent_down"})
        port = agent.stderr.split("metrics on port ")[1].split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
            text = reply.read().decode()
        self.assertIn('rad_coverage_ratio{target="disk-2"} 0.33', text)
        # Missed is the rotation's turn, whoever's it was.
        counted = float(text.split('rad_missed_runs_total{target="fleet",schedule="fleet"} ')[1]
                        .split()[0])
        self.assertEqual(counted, len(missed))
        self.assertNotIn('rad_missed_runs_total{target="disk-1"', text)
        shown = self.answer("target", "show", "disk-2")["schedules"]
        self.assertEqual([row["schedule"] for row in shown], ["fleet"])
        rows = self.answer("schedule", "list")["schedules"]
        self.assertEqual(rows[0]["members"], ["disk-1", "disk-2", "disk-3"])

    def test_a_pause_of_what_is_not_there_is_refused(self):
        self.host.add_fake("t")
        self.add_idle("disk-1")
        self.host.config["rotations"] = [{"name": "fleet", "cron": "0 5 2 * *",
                                          "depth": "verify", "targets": ["disk-*"]}]
        self.serve()
        for subject, schedule, says in ((["t"], "rda", "target 't' has no schedule 'rda'"),
                                        (["--all"], "rda", "no target has a schedule 'rda'"),
                                        (["t"], "fleet", "target 't' has no schedule 'fleet'")):
            ended = self.radctl("schedule", "pause", *subject, "--schedule", schedule,
                                "--reason", "a test")
            self.assertEqual(ended.status, 2, ended)
            self.assertIn(says, ended.stderr)
            self.assertIn("hint: ", ended.stderr)
        self.assertEqual(self.host.query("select count(*) from pauses"), [(0,)])
        for subject, schedule in ((["t"], "rad"), (["--all"], "fleet"), (["disk-1"], "fleet")):
            ended = self.radctl("schedule", "pause", *subject, "--schedule", schedule,
                                "--reason", "a test")
            self.assertEqual(ended.status, 0, ended)

    def test_a_pause_holds_and_ends(self):
        self.host.add_fake("t", schedules=[{"name": "hourly", "cron": "0 * * * *",
                                            "depth": "verify", "window": "59m"}])
        self.stop(self.serve())
        self.known_for(61)
        with sqlite3.connect(self.host.database) as database:
            database.execute("insert into pauses (target, schedule, owner, reason, since, until) "
                             "values ('*', '*', 'somebody', 'moving house', 1, null)")
        self.serve()
        self.assertEqual(self.host.query("select count(*) from runs"), [(0,)])
        row = self.answer("schedule", "list")["schedules"][0]
        self.assertEqual((row["state"], row["pause"]["owner"]), ("paused", "somebody"))
        self.assertIn("somebody", self.radctl("schedule", "list").stdout)
        ended = self.radctl("schedule", "resume", "--all")
        self.assertEqual(ended.status, 0, ended)
        wait_until("the slot is caught up", lambda: self.host.query(
            "select verdict, schedule from runs where ended_at is not null")
            == [("pass", "hourly")])
        (slot,), = self.host.query("select slot from runs where schedule = 'hourly'")
        self.assertEqual(slot % (60 * MINUTE), 0)
        actions = [entry["action"] for entry in self.answer("audit")["entries"]]
        self.assertIn("schedule.resume", actions)

    def test_what_waits_survives_a_restart_and_what_ran_is_interrupted(self):
        self.host.config["agent"]["max_concurrent_runs"] = 1
        self.add_idle("slow", SLOW)
        self.add_idle("next")
        agent = self.serve()
        first = self.answer("run", "start", "slow", "--reason", "first")
        second = self.answer("run", "start", "next", "--reason", "second")
        self.assertEqual((first["state"], second["state"]), ("started", "queued"))
        self.assertIn("1 of 1", second["waits_for"])
        self.stop(agent)
        self.assertEqual(self.host.query("select id, verdict from runs"),
                         [(first["run_id"], "inconclusive")])
        self.serve()
        wait_until("the second has run", lambda: self.host.query(
            "select id, verdict from runs where target = 'next' and ended_at is not null")
            == [(second["run_id"], "pass")])
        shown = self.answer("run", "show", first["run_id"])
        self.assertEqual(shown["cause"]["reason"], "interrupted")
        self.assertEqual(self.answer("status")["waiting"], [])

    def test_an_interrupted_slot_is_tried_again_at_once(self):
        self.host.add_fake("t", SLOW, schedules=[{"name": "rad", "cron": "0 6 2 * *",
                                                  "depth": "restore"}])
        self.stop(self.serve())
        self.known_for(40 * 24 * 60)
        for number in (1, 2):
            agent = self.serve()
            wait_until("the slot is being answered", lambda: self.host.query(
                "select count(*) from runs")[0][0] == number)
            self.stop(agent)
        self.assertEqual(self.host.query("select distinct verdict, schedule from runs"),
                         [("inconclusive", "rad")])

    def test_backups_of_several_targets_are_looked_for_at_once(self):
        slow = {"backups": {"delay": "5s"}}
        for name in ("a", "b", "c", "d", "e"):
            self.host.add_fake(name, slow, schedules=[
                {"name": "fresh", "after_backup": "30d", "depth": "verify"}])
        self.serve()
        seen = wait_until("all have been asked", lambda: [row for row in [self.host.query(
            "select min(first_seen), max(first_seen) from backups having count(*) = 5")] if row])
        first, last = seen[0][0]
        self.assertLess(last - first, 15_000, "one after the other takes 20 s")


if __name__ == "__main__":
    agent_under_test.main()
