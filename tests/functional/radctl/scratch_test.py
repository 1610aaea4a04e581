#!/usr/bin/env python3
"""Restores that do not fit beside each other never lie in scratch at once, known sizes or not."""

import os
import subprocess
import unittest

import real_agent_test
from real_agent_test import agent_under_test, wait_until



@unittest.skipIf(os.geteuid() != 0, "mounting needs root")
class Scratch(real_agent_test.RealAgent):
    def setUp(self):
        super().setUp()
        self.host.scratch.mkdir(mode=0o711)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=10m,mode=711", "tmpfs",
                        self.host.scratch], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.host.scratch], check=False)
        for name in ("a", "b"):
            self.host.add_fake(name, restore={"size": "6MiB", "delay": "2s"}, schedules=[])

    def tearDown(self):
        for agent in self.agents:
            agent.signal(15)
            agent.end()
        self.agents = []
        subprocess.run(["umount", self.host.scratch], check=True)
        super().tearDown()

    def restore(self, *targets):
        ids = [self.ask("run", "start", name, "--reason", "x")["run_id"] for name in targets]
        for run in ids:
            ended = self.radctl("run", "wait", run)
            self.assertEqual(ended.status, 0, ended)
        records = [self.host.recorded(run) for run in ids]
        return [{stage["stage"]: stage for stage in record["stages"]} for record in records]

    def check_apart(self, first, second):
        first, second = sorted((first, second), key=lambda stages: stages["restore"]["started_at"])
        self.assertLess(first["check"]["ended_at"], second["restore"]["started_at"])

    def test_whose_size_is_not_known_waits_in_preflight(self):
        self.serve()
        self.check_apart(*self.restore("a", "b"))

    def test_whose_size_is_known_waits_in_the_queue(self):
        for name in ("a", "b"):
            self.assertEqual(self.host.run(name).status, 0)
        self.serve()
        first = self.ask("run", "start", "a", "--reason", "x")
        second = self.ask("run", "start", "b", "--reason", "x")
        self.assertEqual((first["state"], second["state"]), ("started", "queued"))
        self.assertIn("scratch", second["waits_for"])
        # In whatever stage the first one is: nothing of it may be forgotten.
        wait_until("the first one has ended", lambda: self.host.query(
            "select count(*) from runs where id = ? and ended_at is not null", first["run_id"])
            == [(1,)] or not self.assertNotIn(second["run_id"], self.running()))
        self.assertEqual(self.radctl("run", "wait", second["run_id"]).status, 0)
        stages = [{stage["stage"]: stage for stage in self.host.recorded(run)["stages"]}
                  for run in (first["run_id"], second["run_id"])]
        self.check_apart(*stages)

    def test_what_cannot_fit_at_all_says_so_at_once(self):
        self.host.add_fake("huge", restore={"size": "60MiB"}, schedules=[])
        self.serve()
        ended = self.radctl("run", "start", "huge", "--reason", "x", "--wait")
        self.assertEqual(ended.status, 3, ended)
        self.assertIn("scratch_full", ended.stdout)


if __name__ == "__main__":
    agent_under_test.main()
