#!/usr/bin/env python3
"""`rad-agent serve`: schedules, metrics, a graceful stop, and a real Prometheus that scrapes it."""

import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import agent_under_test
from agent_under_test import AgentTest, Started, wait_until

HOUR = 3600 * 1000


def get(port, path, method="GET"):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


class Samples:
    """A scrape, asked by name and labels."""

    def __init__(self, text):
        self.text = text
        self.rows = []
        for line in text.splitlines():
            if line.startswith("#") or not line:
                continue
            name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
            self.rows.append((name, dict(re.findall(r'(\w+)="([^"]*)"', labels or "")),
                              float(value)))

    def value(self, name, **labels):
        found = [value for row, have, value in self.rows
                 if row == name and labels.items() <= have.items()]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} series {name}{labels} in:\n{self.text}")
        return found[0]


class ServeTest(AgentTest):
    def setUp(self):
        super().setUp()
        self.host.config["agent"]["metrics"]["listen"] = "127.0.0.1:0"

    def serve(self):
        server = self.host.start("serve")
        self.addCleanup(lambda: server.running() and server.process.kill())
        if not server.wait_for("metrics on port "):
            self.fail(str(server.end()))
        self.port = wait_until("port", lambda: re.search(r"metrics on port (\d+)", server.stderr))[1]
        return server

    def scrape(self):
        return Samples(get(self.port, "/metrics")[1])

    def stop(self, server, number=signal.SIGTERM):
        server.signal(number)
        ended = server.end()
        self.assertEqual(ended.status, 0, ended)
        self.check_nothing_left()
        return ended

    def set_first_seen(self, hours_ago):
        """As if the schedule had been known for long and the daemon not been there meanwhile."""
        with agent_under_test.sqlite3.connect(self.host.database) as database:
            done = database.execute("update schedules set first_seen = first_seen - ?",
                                    (hours_ago * HOUR,))
            self.assertGreater(done.rowcount, 0)


class Serving(ServeTest):
    def test_answers(self):
        self.host.add_fake(objectives={"rto": "1h", "rpo": "1d"})
        server = self.serve()
        self.assertEqual(get(self.port, "/-/healthy")[:2], (200, "ok\n"))
        status, text, headers = get(self.port, "/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                                 capture_output=True, check=False)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""))
        self.assertEqual(get(self.port, "/nothing")[0], 404)
        self.assertEqual(get(self.port, "/metrics", "POST")[0], 405)
        for garbage in (b"\0\1\2\r\n\r\n", b"GET " + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", b""):
            with socket.create_connection(("127.0.0.1", int(self.port)), 30) as connection:
                connection.sendall(garbage)
        self.assertEqual(get(self.port, "/-/healthy")[0], 200)
        fresh = Samples(text)
        labels = {"target": "t", "schedule": "rad", "depth": "restore"}
        self.assertEqual(fresh.value("rad_last_success_timestamp_seconds", **labels), 0)
        never = fresh.value("rad_last_verdict", verdict="pass", **labels)
        self.assertNotEqual(never, never)  # NaN
        self.assertGreater(fresh.value("rad_next_run_timestamp_seconds", **labels), time.time())
        self.assertEqual(fresh.value("rad_rto_target_seconds", target="t"), 3600)
        self.stop(server)

    def test_sees_runs_beside_it(self):
        self.host.add_fake(script={"check": {"delay": "2s"}})
        self.host.add_fake("bad", {"restore": {"error": {"reason": "truncated"}}})
        server = self.serve()
        run = self.host.start("run", "t", "--json")
        run.wait_for("check: started")
        self.assertEqual(self.scrape().value("rad_run_in_progress", target="t"), 1)
        report = self.check_report(run.end(), "pass")
        self.check_report(self.host.run("bad"), "fail", "truncated")
        after = self.scrape()
        labels = {"target": "t", "schedule": "manual", "depth": "restore"}
        self.assertEqual(after.value("rad_run_in_progress", target="t"), 0)
        self.assertEqual(after.value("rad_last_verdict", verdict="pass", **labels), 1)
        self.assertEqual(after.value("rad_last_verdict", verdict="fail", **labels), 0)
        self.assertAlmostEqual(after.value("rad_last_success_timestamp_seconds", **labels),
                               time.time(), delta=120)
        self.assertEqual(after.value("rad_check_passed", target="t", check="fake_data"), 1)
        self.assertEqual(after.value("rad_bytes_restored_total", target="t"), 65536)
        self.assertAlmostEqual(after.value("rad_restore_duration_seconds", target="t"),
                               report["measured_rto_seconds"], places=3)
        self.assertEqual(after.value("rad_failures_total", target="bad", reason="truncated"), 1)
        self.assertEqual(after.value("rad_issue_open", target="bad", depth="restore"), 1)
        self.assertEqual(after.value("rad_issue_open", target="t", depth="restore"), 0)
        self.assertEqual(after.value("rad_leftover_bytes"), 0)
        self.assertNotIn(report["id"], after.text)
        self.stop(server, signal.SIGINT)

    def test_a_slot_that_was_missed_is_caught_up_once(self):
        self.host.add_fake(schedules=[{"name": "hourly", "cron": "0 * * * *", "depth": "verify"}])
        server = self.serve()
        wait_until("the schedule is known", lambda: self.host.query("select 1 from schedules"))
        self.assertEqual(self.host.query("select count(*) from runs"), [(0,)],
                         "a new schedule does not start at once")
        self.stop(server)
        self.set_first_seen(hours_ago=5)
        server = self.serve()
        rows = wait_until("the run has ended", lambda: self.host.query(
            "select schedule, depth, verdict from runs where ended_at is not null"))
        self.assertEqual(rows, [("hourly", "verify", "pass")])
        labels = {"target": "t", "schedule": "hourly", "depth": "verify"}
        self.assertEqual(self.scrape().value("rad_last_verdict", verdict="pass", **labels), 1)
        first_tick = self.scrape().value("rad_scheduler_last_tick_timestamp_seconds")
        wait_until("another tick", lambda: self.scrape().value(
            "rad_scheduler_last_tick_timestamp_seconds") > first_tick)
        # The hour may have turned meanwhile; the four missed before it are not made up for.
        self.assertLessEqual(self.host.query("select count(*) from runs")[0][0], 2)
        self.stop(server)

    def test_stop_during_a_run(self):
        self.host.add_fake(script={"verify": {"delay": "60s", "daemon": True}},
                           schedules=[{"name": "hourly", "cron": "0 * * * *", "depth": "verify"}])
        server = self.serve()
        wait_until("the schedule is known", lambda: self.host.query("select 1 from schedules"))
        self.stop(server)
        self.set_first_seen(hours_ago=5)
        server = self.serve()
        wait_until("the plugin works", lambda: any(
            "fetch" in row[0] for row in self.host.query("select report from runs")))
        beside = self.host.call("run", "t", "--if-busy", "refuse")
        self.assertEqual(beside.status, 3, beside)
        self.stop(server)
        self.assertEqual(self.host.query("select verdict, cleanup from runs"),
                         [("inconclusive", "clean")])

    def test_killed_and_started_again(self):
        self.host.add_fake(script={"verify": [{"delay": "60s", "daemon": True}]},
                           schedules=[{"name": "hourly", "cron": "0 * * * *", "depth": "verify"}])
        server = self.serve()
        wait_until("the schedule is known", lambda: self.host.query("select 1 from schedules"))
        self.stop(server)
        self.set_first_seen(hours_ago=5)
        server = self.serve()
        wait_until("the plugin works", lambda: any(
            "fetch" in row[0] for row in self.host.query("select report from runs")))
        server.signal(signal.SIGKILL)
        server.end()
        (self.host.top / "t.script.json").write_text("{}")
        server = self.serve()
        # Interrupted runs are tried again at once.
        wait_until("the second attempt", lambda: len(self.host.query(
            "select 1 from runs where ended_at is not null")) == 2)
        self.assertEqual(
            self.host.query("select verdict, reason from runs order by created_at"),
            [("inconclusive", "interrupted"), ("pass", None)])
        self.stop(server)

    def test_port_that_is_taken(self):
        self.host.add_fake()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            self.host.config["agent"]["metrics"]["listen"] = (
                f"127.0.0.1:{taken.getsockname()[1]}")
            ended = self.host.start("serve").end()
        self.assertEqual(ended.status, 3, ended)
        self.assertRegex(ended.stderr, r"error: .*127\.0\.0\.1:\d+")
        self.assertIn("hint: ", ended.stderr)


class RealPrometheus(ServeTest):
    def test_scrape(self):
        prometheus = shutil.which("prometheus")
        self.assertIsNotNone(prometheus, "scripts/setup installs prometheus")
        self.host.add_fake()
        self.host.add_fake("bad", {"restore": {"error": {"reason": "truncated"}}})
        server = self.serve()
        self.check_report(self.host.run(), "pass")
        self.check_report(self.host.run("bad"), "fail", "truncated")
        config = self.host.top / "prometheus.yaml"
        config.write_text(f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: rad
    static_configs: [{{targets: ["127.0.0.1:{self.port}"]}}]
""")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            own_port = free.getsockname()[1]
        started = Started([prometheus, f"--config.file={config}",
                           f"--storage.tsdb.path={self.host.top}/tsdb",
                           f"--web.listen-address=127.0.0.1:{own_port}"], {})
        self.addCleanup(started.process.kill)

        def ask(query):
            try:
                status, text, _ = get(own_port,
                                      "/api/v1/query?query=" + urllib.parse.quote(query))
            except OSError:
                self.assertTrue(started.running(), started.stderr)
                return []
            return agent_under_test.json.loads(text)["data"]["result"] if status == 200 else []

        wait_until("the target is up", lambda: [
            row for row in ask("up") if row["value"][1] == "1"])
        for query, expected in (
                ('rad_last_verdict{target="t",schedule="manual",depth="restore",verdict="pass"}',
                 "1"),
                ('rad_last_verdict{target="bad",schedule="manual",depth="restore",'
                 'verdict="fail"}', "1"),
                ('rad_failures_total{target="bad",reason="truncated"}', "1"),
                ('rad_check_passed{target="t",check="fake_data"}', "1"),
                ('rad_issue_open{target="bad",depth="restore"}', "1"),
                # What the alerts are made of: nothing has passed on this schedule.
                ('time() - rad_last_success_timestamp_seconds{target="t",schedule="rad"} > 1e6',
                 None)):
            with self.subTest(query):
                (row,) = wait_until(query, lambda query=query: ask(query))
                if expected is not None:
                    self.assertEqual(row["value"][1], expected)
        started.signal(signal.SIGTERM)
        started.end()
        self.stop(server)


if __name__ == "__main__":
    agent_under_test.main()
