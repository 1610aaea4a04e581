#!/usr/bin/env python3
"""A store that is damaged or cannot grow: the agent says so and goes on checking backups."""

import os
import signal
import sqlite3
import subprocess
import unittest
import urllib.request

import real_agent_test
from real_agent_test import agent_under_test, wait_until


class StoreTrouble(real_agent_test.RealAgent):
    def setUp(self):
        super().setUp()
        self.host.config["agent"]["metrics"] = {"listen": "127.0.0.1:0"}
        self.host.add_fake("t")

    def durable(self, agent):
        port = agent.stderr.split("metrics on port ")[1].split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
            text = reply.read().decode()
        return "\nrad_store_durable 1\n" in text

    def start_run(self, depth):
        return self.radctl("run", "start", "t", "--depth", depth, "--reason", "test", "--wait")

    def test_a_damaged_store_is_set_aside(self):
        self.check_report(self.host.run("t"), "pass")
        with open(self.host.database, "r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * 4096)
        agent = self.serve()
        self.assertIn("the damaged file lies in", agent.stderr)
        aside = list(self.host.state.glob("rad.db.damaged-*"))
        self.assertEqual(len([path for path in aside if not path.name.endswith(("-wal", "-shm"))]), 1)
        self.assertEqual(self.start_run("restore").status, 0)
        self.assertTrue(self.durable(agent))

    def test_a_file_that_goes_while_nobody_writes(self):
        agent = self.serve()
        self.assertEqual(self.start_run("restore").status, 0)
        self.assertTrue(self.durable(agent))
        away = self.host.top / "away.db"
        self.host.database.rename(away)
        wait_until("the metric says so", lambda: not self.durable(agent))
        self.assertIn("moved", self.radctl("status").stdout)
        self.assertEqual(self.start_run("restore").status, 3)
        away.rename(self.host.database)
        self.host.database.with_suffix(".db-wal").unlink()
        # It is put right within a minute, and what was only in the lost log is there still.
        wait_until("the store is in order again", lambda: self.durable(agent))
        self.assertEqual(self.start_run("restore").status, 0)
        self.assertEqual(len(self.ask("run", "list")["runs"]), 2)

    @unittest.skipIf(os.geteuid() != 0, "mounting needs root")
    def test_a_full_disk_stops_restores_and_nothing_else(self):
        self.host.state.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", self.host.state], check=True)
        self.check_report(self.host.run("t"), "pass")
        subprocess.run(["dd", "if=/dev/zero", f"of={self.host.state}/fill", "bs=4k"], check=False,
                       capture_output=True)
        agent = self.serve()
        self.assertIn("cannot grow", agent.stderr)
        self.assertFalse(self.durable(agent))
        self.assertIn("cannot grow", self.radctl("status").stdout)
        self.assertEqual(self.start_run("verify").status, 0)
        refused = self.start_run("restore")
        self.assertEqual(refused.status, 3, refused)
        self.assertIn("the store cannot be written", refused.stderr)
        agent.signal(signal.SIGTERM)
        self.assertEqual(agent.end().status, 0)
        self.agents.remove(agent)
        # It keeps what could not be written until the disk has room again or the host restarts.
        for path in self.host.top.glob("rt/store-stand-in.db*"):
            path.unlink()

    @unittest.skipIf(os.geteuid() != 0, "mounting needs root")
    def test_a_full_disk_holds_up_the_schedules_of_restores_alone(self):
        self.host.state.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", self.host.state], check=True)
        self.host.config["agent"]["max_concurrent_runs"] = 1
        self.host.config["targets"] = []
        hourly = {"cron": "0 * * * *"}
        self.host.add_fake("a", schedules=[{"name": "rad", "depth": "restore", **hourly},
                                           {"name": "look", "depth": "verify", **hourly}])
        self.host.add_fake("b", schedules=[{"name": "look", "depth": "verify", **hourly}])
        agent = self.serve()
        agent.signal(signal.SIGTERM)
        agent.end()
        self.agents.remove(agent)
        with sqlite3.connect(self.host.database) as database:
            database.execute("update schedules set first_seen = first_seen - 4000000")
        subprocess.run(["dd", "if=/dev/zero", f"of={self.host.state}/fill", "bs=4k"], check=False,
                       capture_output=True)
        agent = self.serve()
        # Neither has ever run before, so that not even their locks are there.
        wait_until("both are verified", lambda: {
            (run["target"], run["depth"], run["verdict"])
            for run in self.ask("run", "list")["runs"]}
            == {("a", "verify", "pass"), ("b", "verify", "pass")})
        rows = {(row["target"], row["schedule"]): row
                for row in self.ask("schedule", "list")["schedules"]}
        self.assertEqual(rows["a", "rad"]["state"], "due")
        self.assertIn("a store that can be written", rows["a", "rad"]["waits_for"])
        self.assertEqual(agent.stderr.count("restore of target a"), 0, agent.stderr)
        # With room again the restore is made up for.
        (self.host.state / "fill").unlink()
        wait_until("it is restored", lambda: ("a", "restore", "pass") in {
            (run["target"], run["depth"], run["verdict"])
            for run in self.ask("run", "list")["runs"]})
        agent.signal(signal.SIGTERM)
        self.assertEqual(agent.end().status, 0)
        self.agents.remove(agent)

    def tearDown(self):
        if os.path.ismount(self.host.state):
            subprocess.run(["umount", "--lazy", self.host.state], check=True)
        super().tearDown()


if __name__ == "__main__":
    agent_under_test.main()
