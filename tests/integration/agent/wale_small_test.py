#!/usr/bin/env python3
"""The whole path on a genuine WAL-E store: restore, recover, check, report."""

import os
import pwd

from wale_host import EXPECTED, WaleHost

import agent_under_test
from agent_under_test import AgentTest


class WaleSmall(AgentTest):
    def setUp(self):
        self.host = WaleHost()
        self.addCleanup(self.host.remove)

    def rows(self, moment, change=None):
        return {"check": "row_counts", "manifest": self.host.rows(moment, moment, change)}

    def outcome(self, report, name):
        (check,) = [check for check in report["checks"] if check["name"] == name]
        return check["outcome"]

    def test_restore_to_the_end_of_the_archive(self):
        self.host.add_wale(checks=[self.rows("end_of_archive"), {"check": "amcheck"}],
                           objectives={"rto": "10m", "rpo": "366d"})
        report = self.check_report(self.host.run(), "pass")
        self.assertEqual(report["backup"]["name"], EXPECTED["stores"]["encrypted"]["backup"])
        for name in ("row_counts", "amcheck", "recovery_point"):
            self.assertEqual(self.outcome(report, name), "pass")
        self.assertGreater(report["bytes_restored"], 40_000_000)
        self.assertGreater(report["measured_rto_seconds"], 0)
        self.assertIsNotNone(report["recovery"]["last_transaction"])
        self.check_nothing_left()

    def test_restore_to_a_name(self):
        self.host.add_wale(checks=[self.rows("fixture_target")])
        report = self.check_report(self.host.run("t", "--recover-to", "name=fixture_target"),
                                   "pass")
        self.assertEqual(self.outcome(report, "row_counts"), "pass")
        self.check_nothing_left()

    def test_the_counts_really_are_compared(self):
        self.host.add_wale(checks=[self.rows("end_of_archive",
                                             {"public.pgbench_tellers": {"rows": 11}})])
        report = self.check_report(self.host.run(), "fail", "row_count_mismatch")
        self.assertIn("pgbench_tellers", str(report["checks"]))
        self.check_nothing_left()

    def test_plain_store(self):
        self.host.add_wale(store="plain", checks=[{"check": "read_all"}])
        self.check_report(self.host.run(), "pass")
        self.check_nothing_left()

    def test_verify_and_inspect(self):
        self.host.add_wale()
        for depth in ("verify", "inspect"):
            self.check_report(self.host.run("t", "--depth", depth), "pass")
        self.check_nothing_left()

    def test_without_privileges(self):
        if os.geteuid() != 0:
            self.skipTest("the other tests already run without")
        self.host.remove()
        self.host = WaleHost(pwd.getpwnam("nobody"))
        self.addCleanup(self.host.remove)
        self.host.add_wale(checks=[self.rows("end_of_archive")])
        report = self.check_report(self.host.run(), "pass")
        self.assertIn("namespace", report["isolation"])
        self.check_nothing_left()


if __name__ == "__main__":
    agent_under_test.main()
