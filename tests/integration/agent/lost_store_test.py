#!/usr/bin/env python3
"""The first page of the store is destroyed: what lies on the host is known by its markers alone."""

import shutil
import signal

import hold_test
from hold_test import READ, HoldTest

import agent_under_test
from agent_under_test import wait_until


class LostStore(HoldTest):
    def destroy(self):
        """The holder has the file open, too, as it would have."""
        # Without the write-ahead log, which would mend the page.
        for name in ("rad.db-wal", "rad.db-shm"):
            (self.host.state / name).unlink(missing_ok=True)
        with open(self.host.database, "r+b") as file:
            file.write(b"\xa5" * 4096)

    def keep_one(self, keep):
        """A run that fails, and whose data is kept so long."""
        name = f"kept-{keep}"
        self.host.add_wale(name, keep={"on_fail": keep}, checks=[
            {"check": "row_counts", "manifest": self.host.rows(name, "end_of_archive",
                                                               {"shop.customers": {"rows": 7}})}])
        ended = self.host.run(name)
        self.assertEqual((ended.status, ended.report["cleanup"]), (1, "kept"), ended)
        return self.host.scratch / ended.report["id"]

    def kill_one(self):
        """A run that is killed while its data is there."""
        self.host.add_wale("killed", checks=[{"check": "read_all"}])
        before = set(self.host.scratch.iterdir())
        run = self.host.start("run", "killed", "--json")
        run.wait_for("recover: started")
        run.signal(signal.SIGKILL)
        run.end()
        (left,) = set(self.host.scratch.iterdir()) - before
        return left

    def ledger(self):
        return {path: kind for path, kind in self.host.query("select path, kind from ledger")}

    def test_everything_is_found_again(self):
        kept = self.keep_one("1h")
        over = self.keep_one("2h")
        server = self.serve()
        hold = self.hold_through_the_daemon()
        held = self.host.scratch / hold["run_id"]
        server.signal(signal.SIGKILL)
        server.end()
        killed = self.kill_one()
        # Not ours: no marker, a marker of another name, and what only looks like one.
        (self.host.scratch / "mine").mkdir()
        renamed = self.host.scratch / "20260101T000000-00000000"
        renamed.mkdir()
        (renamed / ".rad-run").write_text(killed.name)
        link = self.host.scratch / "20260101T000000-11111111"
        link.symlink_to(self.host.top / "encrypted")
        (over / ".rad-kept").write_text("2026-01-01T00:00:00Z\n")
        self.destroy()

        server = self.serve()
        self.assertIn("the damaged file lies in", server.stderr)
        for path in (kept, over, killed, held):
            self.assertIn(f"'{path}' of run {path.name} was known only to the store that is lost",
                          server.stderr)
        # What nobody uses went with the same sweep.
        wait_until("what nobody keeps is gone", lambda: not over.exists() and not killed.exists())
        self.assertTrue((kept / "wal_e").is_dir())
        wait_until("the ledger is swept", lambda: set(self.ledger()) >= {str(kept), str(held)}
                   and str(killed) not in self.ledger())
        self.assertEqual((self.ledger()[str(kept)], self.ledger()[str(held)]), ("kept", "kept"))
        for path in (self.host.scratch / "mine", renamed):
            self.assertTrue(path.is_dir())
        self.assertTrue((link / "wal_005").is_dir())

        # The held instance answers, and is released and listed as before.
        self.assertEqual(self.psql(hold["command"], READ).stdout, "t\n")
        wait_until("the hold is listed again", self.holds)
        (again,) = self.holds()
        self.assertEqual((again["state"], again["command"], again["until"]),
                         ("ready", hold["command"], hold["until"]))
        status, _ = self.ask("POST", f"/v1/holds/{hold['run_id']}/release", {})
        self.assertEqual(status, 202)
        self.check_gone()
        self.assertFalse(held.exists())
        self.stop(server)

        # A second start finds nothing new and still keeps what is kept.
        server = self.serve()
        self.assertNotIn("was known only to", server.stderr)
        self.assertTrue(kept.is_dir())
        self.stop(server)
        for name in ("mine", renamed.name):
            shutil.rmtree(self.host.scratch / name)
        link.unlink()

    def test_a_holder_ends_in_time_without_its_row(self):
        server = self.serve()
        hold = self.hold_through_the_daemon("20s")
        server.signal(signal.SIGKILL)
        server.end()
        self.destroy()
        server = self.serve()
        self.check_gone()
        wait_until("its data is gone", lambda: not (self.host.scratch / hold["run_id"]).exists())
        self.stop(server)
        self.check_nothing_left()


del HoldTest, hold_test.Held

if __name__ == "__main__":
    agent_under_test.main()
