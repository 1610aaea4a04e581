#!/usr/bin/env python3
"""Schedules by the clock: what cron says is due starts by itself, on time, again and again."""

import pathlib
import re
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "functional" / "agent"))

# pylint: disable=wrong-import-position
import agent_under_test  # noqa: E402
from agent_under_test import wait_until  # noqa: E402
from serve_test import ServeTest  # noqa: E402


class EveryMinute(ServeTest):
    def test_two_minutes(self):
        self.host.config["agent"]["max_concurrent_runs"] = 1
        for name in ("one", "two"):
            self.host.add_fake(name, restore={"delay": "1s"}, schedules=[
                {"name": "minutely", "cron": "* * * * *", "depth": "verify"}])
        server = self.serve()
        runs = "from runs where ended_at is not null"
        wait_until("two runs of each target", lambda: len(self.host.query(
            f"select target {runs} group by target having count(*) >= 2")) == 2, 240)
        rows = self.host.query(f"select target, created_at, ended_at, verdict {runs} "
                               "order by created_at")
        self.stop(server)
        for target in ("one", "two"):
            minutes = [row[1] // 60000 for row in rows if row[0] == target]
            self.assertEqual(len(minutes), len(set(minutes)), "twice in one minute")
        for target, created, _, verdict in rows:
            self.assertEqual(verdict, "pass")
            self.assertLess(created % 60000, 45000, f"{target} began late")
        for before, after in zip(rows, rows[1:]):
            self.assertLessEqual(before[2], after[1], "one run at a time was asked for")
        told = re.findall(r"run (\S+): verify of target \w+ \(minutely\)", server.stderr)
        self.assertEqual(sorted(told), sorted(
            row[0] for row in self.host.query("select id from runs")))


if __name__ == "__main__":
    agent_under_test.main()
