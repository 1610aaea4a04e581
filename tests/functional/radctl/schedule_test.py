#!/usr/bin/env python3
"""Schedules, rotations, pauses and the queue of a real agent, across restarts."""

import datetime
import json
import signal
import sqlite3
import sys
import urllib.parse
import urllib.request

import real_agent_test
from real_agent_test import SLOW, agent_under_test, wait_until

sys.path.insert(0, str(real_agent_test.SOURCE / "tests" / "functional" / "control"))
import control_client  # noqa: E402

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

    def test_members_see_their_rotation_and_what_it_missed(self):
        for name in ("disk-1", "disk-2", "other"):
            self.add_idle(name)
        self.host.config["rotations"] = [{"name": "fleet", "cron": "0 5 2 * *",
                                          "depth": "verify", "targets": ["disk-*"]}]
        self.stop(self.serve())
        now = datetime.datetime.now(datetime.timezone.utc)
        last = int(now.replace(minute=0, second=0, microsecond=0).timestamp() * 1000)
        before = now.replace(day=1) - datetime.timedelta(days=1)
        with sqlite3.connect(self.host.database) as database:
            database.executemany(
                "insert into missed_slots (target, schedule, slot, cause, detail, recorded_at) "
                "values ('fleet', 'fleet', ?, 'agent_down', 'as told', 1)",
                [(last - hour * 60 * MINUTE,) for hour in range(2400)])
        self.serve()
        for name, seen in (("disk-1", True), ("disk-2", True), ("other", False)):
            rows = self.answer("target", "show", name)["schedules"]
            self.assertEqual([(row["target"], row["schedule"], row["turns"]) for row in rows],
                             [("fleet", "fleet", 2)] if seen else [])
            shown = self.radctl("target", "show", name).stdout
            self.assertEqual("tested only by hand" not in shown, seen, shown)
            listed = self.radctl("schedule", "list", "-t", name).stdout
            self.assertEqual("nothing is scheduled" not in listed, seen, listed)
            self.assertEqual("fleet of fleet: as told" in listed, seen, listed)
        self.assertIn("in turn of fleet", self.radctl("target", "list").stdout)
        self.assertIn("fleet", self.radctl("schedule", "list", "-t", "fleet").stdout)
        # A month of which more than the list shows was missed.
        name = before.strftime("%Y-%m")
        month = self.answer("report", "--month", name)
        self.assertEqual(len(month["missed"]), before.day * 24)
        self.assertEqual({row["target"] for row in month["missed"]}, {"fleet"})
        text = self.radctl("report", "--month", name).stdout
        self.assertIn(f"{before.day * 24} times from {name}-01 00:00 UTC to "
                      f"{name}-{before.day} 23:00 UTC: as told", text)
        whole = self.pages("/v1/missed?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z")
        self.assertEqual(len({row["slot"] for row in whole}), 2400)

    def pages(self, path):
        rows, after = [], ""
        while True:
            answer = control_client.call(str(self.socket), "GET", path + after)
            self.assertEqual(answer.status, 200, answer.text)
            page = json.loads(answer.text)
            rows += page["missed"]
            if page["next_after"] is None:
                return rows
            after = "&after=" + urllib.parse.quote(page["next_after"], safe="")

    def test_a_rotation_is_paused_by_its_name(self):
        self.add_idle("disk-1")
        self.host.config["rotations"] = [{"name": "fleet", "cron": "0 5 2 * *",
                                          "depth": "verify", "targets": ["disk-*"]}]
        self.serve()
        for wrong, says in ((("fleat",), "did you mean 'fleet'?"),
                            (("fleet", "--schedule", "fleat"), "did you mean 'fleet'?"),
                            (("fleet", "--schedule", "rad"), "'fleet' has no schedule 'rad'")):
            ended = self.radctl("schedule", "pause", *wrong, "--reason", "x")
            self.assertEqual(ended.status, 2, ended)
            self.assertIn(says, ended.stderr)
        ended = self.radctl("schedule", "pause", "fleet", "--reason", "moving house")
        self.assertEqual(ended.status, 0, ended)
        self.assertIn("radctl schedule resume fleet\n", ended.stdout)
        self.assertEqual(self.answer("schedule", "list")["schedules"][0]["pause"]["target"], "fleet")
        self.assertIn("paused", self.radctl("target", "show", "disk-1").stdout)
        self.assertTrue(self.radctl("status").stdout.startswith("ATTENTION"))
        line = ended.stdout.split("resumes it: ")[1].split()
        self.assertEqual(self.radctl(*line[1:]).status, 0)
        self.assertIsNone(self.answer("schedule", "list")["schedules"][0]["pause"])

    def test_what_was_refused_stands_in_the_audit_with_its_cause(self):
        self.host.add_fake("t")
        self.serve()
        gone = "20261121T000000-0000beef"
        for path, body in ((f"runs/{gone}/cancel", {"reason": "x"}), (f"holds/{gone}/open", None),
                           (f"holds/{gone}/release", None)):
            answer = control_client.call(str(self.socket), "POST", "/v1/" + path, body)
            self.assertEqual(answer.status, 404, answer)
        for words in (("schedule", "pause", "t", "--schedule", "rda", "--reason", "x"),
                      ("schedule", "resume", "t"), ("run", "start", "u", "--reason", "x")):
            self.assertEqual(self.radctl(*words).status, 2, words)
        self.host.config_file.write_text("targets: [{nmae: t}]")
        self.assertEqual(self.radctl("reload").status, 2)
        said = {entry["action"]: entry for entry in self.answer("audit")["entries"]}
        for action, outcome in (("schedule.pause", "has no schedule 'rda'"),
                                ("run.cancel", "there is no such run"),
                                ("hold.open", "no instance"), ("hold.release", "no instance"),
                                ("schedule.resume", "no pause of target 't'"),
                                ("run.start", "there is no target 'u'"),
                                ("reload", "nothing is changed: the configuration has")):
            self.assertIn(outcome, said[action]["outcome"])
        self.assertEqual(said["reload"]["note"], "")

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
