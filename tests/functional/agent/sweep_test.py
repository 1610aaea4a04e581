#!/usr/bin/env python3
"""What a killed agent left is removed beside the loop: it ticks, whatever disks and removers do."""

import os
import pwd
import re
import shutil
import signal
import socket
import threading
import time

import agent_under_test
from agent_under_test import AgentTest, Host, wait_until
from serve_test import Samples, get

LARGEST_GAP = 4.5  # seconds; the loop ticks each 2 s


class Listening:
    """A unix stream socket that takes connections and says nothing."""

    def __init__(self, path):
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        os.chmod(path, 0o666)
        self.server.listen(16)
        self.asked = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.asked.append((connection, connection.recv(4096)))


class Notified:
    """What the agent tells the service manager."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        os.chmod(path, 0o666)
        self.said = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            try:
                text = self.socket.recv(65536).decode()
            except OSError:
                return
            self.said.append((time.monotonic(), text))

    def all(self, word):
        return [when for when, text in self.said if word in text.split("\n")]


class Ticks:
    """The gaps between ticks, as a scraper sees them."""

    def __init__(self, port):
        self.port = port
        self.seen = []

    def watch(self, seconds):
        end = time.monotonic() + seconds
        slowest = 0.0
        while time.monotonic() < end:
            asked = time.monotonic()
            tick = Samples(get(self.port, "/metrics")[1]).value(
                "rad_scheduler_last_tick_timestamp_seconds")
            slowest = max(slowest, time.monotonic() - asked)
            if tick > 0 and tick not in self.seen:
                self.seen.append(tick)
            time.sleep(0.05)
        gaps = [b - a for a, b in zip(self.seen, self.seen[1:])]
        gaps.append(time.time() - self.seen[-1])
        print(f"largest gap between ticks {max(gaps):.2f} s, slowest scrape {slowest:.3f} s")
        return max(gaps), slowest


class SweepTest(AgentTest):
    user = None

    def setUp(self):
        super().setUp()
        if self.user is not None:
            self.host.remove()
            self.host = Host(user=pwd.getpwnam(self.user))
            self.addCleanup(self.host.remove)
        self.host.config["agent"]["metrics"]["listen"] = "127.0.0.1:0"
        self.host.config["agent"]["stop_timeout"] = "10s"
        self.notified = Notified(self.host.top / "notify")
        os.environ["NOTIFY_SOCKET"] = str(self.host.top / "notify")
        self.addCleanup(os.environ.pop, "NOTIFY_SOCKET")

    def serve(self):
        server = self.host.start("serve")
        self.addCleanup(lambda: server.running() and server.process.kill())
        self.assertTrue(server.wait_for("metrics on port "), server.stderr)
        self.port = wait_until("port", lambda: re.search(r"metrics on port (\d+)",
                                                         server.stderr))[1]
        return server

    def stop(self, server, seconds=15):
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        ended = server.end()
        self.assertEqual(ended.status, 0, ended)
        self.assertLess(time.monotonic() - began, seconds)
        return ended

    def leave_a_killed_run(self, target="t"):
        """\\return its id and its scratch directory"""
        run = self.host.start("run", target, "--json")
        self.assertTrue(run.wait_for("restore: started", 30), run.stderr)
        row = wait_until("the run is on record", lambda: self.host.query(
            "select id from runs where target = ? and ended_at is null", target))
        scratch = self.host.scratch / row[0][0]
        wait_until("its plugins' directories", lambda: scratch.exists() and any(
            path.is_dir() for path in scratch.iterdir()))
        run.signal(signal.SIGKILL)
        run.end()
        return row[0][0], scratch

    def slow_target(self, name="t"):
        self.host.add_fake(name, script={"restore": {"delay": "60s"}})

    def quicken(self, name="t"):
        (self.host.top / f"{name}.script.json").write_text("{}")

    def ended(self, run_id):
        rows = self.host.query("select reason, cleanup from runs where id = ? and ended_at "
                               "is not null", run_id)
        return rows[0] if rows else None


class Sweeping(SweepTest):
    def test_tree_of_many_files(self):
        self.slow_target()
        run_id, scratch = self.leave_a_killed_run()
        self.quicken()
        for i in range(60):
            directory = scratch / "many" / str(i)
            directory.mkdir(parents=True)
            for j in range(1000):
                os.mknod(directory / str(j))
        server = self.serve()
        ticks = Ticks(self.port)
        wait_until("the first tick", lambda: Samples(get(self.port, "/metrics")[1]).value(
            "rad_scheduler_last_tick_timestamp_seconds"))
        gap, slowest = ticks.watch(8)
        self.assertLess(gap, LARGEST_GAP)
        self.assertLess(slowest, 1)
        wait_until("the tree is gone", lambda: self.ended(run_id))
        self.assertEqual(self.ended(run_id), ("interrupted", "clean"))
        self.stop(server)
        self.check_nothing_left()

    def test_killed_while_it_removes(self):
        self.slow_target()
        run_id, scratch = self.leave_a_killed_run()
        self.quicken()
        for i in range(40):
            directory = scratch / "many" / str(i)
            directory.mkdir(parents=True)
            for j in range(1000):
                os.mknod(directory / str(j))
        before = sum(1 for _ in (scratch / "many").iterdir())
        server = self.serve()
        wait_until("some of it is gone", lambda: not (scratch / "many").exists()
                   or sum(1 for _ in (scratch / "many").iterdir()) < before)
        server.signal(signal.SIGKILL)
        server.end()
        self.assertIsNone(self.ended(run_id), "its record ends when all of it is gone")
        server = self.serve()
        wait_until("the next start has removed it", lambda: self.ended(run_id))
        self.assertEqual(self.ended(run_id), ("interrupted", "clean"))
        self.stop(server)
        self.check_nothing_left()


@agent_under_test.unittest.skipUnless(os.geteuid() == 0, "needs other users")
class RootBeside(SweepTest):
    """`rad-agent run` by root, on a host whose daemon is somebody else."""
    user = "nobody"

    def test_locks_stay_the_daemons(self):
        self.host.add_fake()
        self.check_report(self.host.run(), "pass")
        for directory in (self.host.scratch, self.host.runtime):
            directory.chmod(0o711)  # as the package makes them
        user, self.host.user = self.host.user, None
        self.check_report(self.host.run(), "pass")
        shutil.rmtree(self.host.state / "locks")
        self.check_report(self.host.run(), "pass")
        self.host.user = user
        locks = self.host.state / "locks"
        for path in [locks, *locks.iterdir()]:
            self.assertEqual(path.stat().st_uid, user.pw_uid, path)
        self.check_report(self.host.run(), "pass")


@agent_under_test.unittest.skipUnless(os.geteuid() == 0, "needs other users")
class SilentRemover(SweepTest):
    """An agent that is not root, and a remover that never answers."""
    user = "nobody"

    def setUp(self):
        super().setUp()
        self.slow_target()
        self.host.add_fake("other")
        self.run_id, self.scratch = self.leave_a_killed_run()
        self.quicken()
        plugins_own = self.scratch / "of-another"
        plugins_own.mkdir(mode=0o700)  # root's, and so are its files
        (plugins_own / "data").write_text("x" * 100000)
        self.remover = Listening(self.host.runtime / "remove.sock")
        self.addCleanup(self.remover.server.close)

    def test_the_loop_goes_on(self):
        began = time.monotonic()
        server = self.serve()
        wait_until("ready", lambda: self.notified.all("READY=1"))
        self.assertLess(self.notified.all("READY=1")[0] - began, 10)
        wait_until("the remover was asked", lambda: self.remover.asked)
        self.assertIsNone(self.ended(self.run_id))
        scraped = Samples(get(self.port, "/metrics")[1])
        self.assertEqual(scraped.value("rad_run_in_progress", target="t"), 0)
        gap, slowest = Ticks(self.port).watch(24)
        self.assertLess(gap, LARGEST_GAP)
        self.assertLess(slowest, 1)
        wait_until("it was given up", lambda: self.ended(self.run_id))
        self.assertEqual(self.ended(self.run_id), ("interrupted", "failed"))
        wait_until("what is left is measured", lambda: Samples(
            get(self.port, "/metrics")[1]).value("rad_leftover_bytes") > 0)
        self.assertEqual(Samples(get(self.port, "/metrics")[1]).value(
            "rad_cleanup_failed", target="t"), 1)
        self.assertIn("is still being removed after 20s", self.stop(server).stderr)

    def test_only_its_target_waits(self):
        schedule = [{"name": "often", "cron": "* * * * *", "depth": "restore"}]
        for target in self.host.config["targets"]:
            target["schedules"] = schedule
        server = self.serve()
        wait_until("the remover was asked", lambda: self.remover.asked)
        wait_until("another target is tested", lambda: self.host.query(
            "select 1 from runs where target = 'other' and verdict = 'pass'"), 90)
        for run_id, created in self.host.query("select id, created_at from runs where "
                                               "target = 't' and id <> ?", self.run_id):
            ended = self.host.query("select ended_at from runs where id = ?", self.run_id)[0][0]
            self.assertIsNotNone(ended, run_id)
            self.assertGreaterEqual(created, ended)
        self.stop(server)

    def test_stop_does_not_wait_for_it(self):
        server = self.serve()
        wait_until("the remover was asked", lambda: self.remover.asked)
        self.stop(server, seconds=5)
        self.assertIsNone(self.ended(self.run_id))
        self.remover.server.close()
        (self.host.runtime / "remove.sock").unlink()
        os.chown(self.scratch / "of-another", self.host.user.pw_uid, self.host.user.pw_gid)
        server = self.serve()
        wait_until("the next start has removed it", lambda: self.ended(self.run_id))
        self.assertEqual(self.ended(self.run_id), ("interrupted", "clean"))
        self.stop(server)
        self.assertFalse(self.scratch.exists())



class Reloads(SweepTest):
    def test_the_service_manager_is_told_whoever_asked(self):
        """RELOADING=1 with the time, then READY=1: after a signal and after a request alike."""
        self.host.add_fake("t")
        server = self.serve()
        wait_until("READY=1", lambda: self.notified.all("READY=1"))

        def by_signal():
            server.signal(signal.SIGHUP)

        def by_request():
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(self.host.top / "control.sock"))
                client.sendall(b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                               b"Connection: close\r\n\r\n")
                answer = b""
                while piece := client.recv(65536):
                    answer += piece
            self.assertIn(b" 200 ", answer.split(b"\r\n")[0])

        for times, ask in enumerate((by_signal, by_request), 1):
            ask()
            wait_until("the reload is over", lambda times=times: len(self.notified.all("READY=1")) == 1 + times)
            self.assertEqual(len(self.notified.all("RELOADING=1")), times)
            self.assertLess(self.notified.all("RELOADING=1")[-1], self.notified.all("READY=1")[-1])
        said = [text for _, text in self.notified.said if "RELOADING=1" in text]
        for text in said:
            self.assertRegex(text, r"MONOTONIC_USEC=\d+")
        self.stop(server)


if __name__ == "__main__":
    agent_under_test.main()
