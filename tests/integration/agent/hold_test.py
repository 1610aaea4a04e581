#!/usr/bin/env python3
"""Held instances: reached by those who may, read only, released, expired, lost; they outlive the agent."""

import grp
import http.client
import json
import os
import pwd
import shlex
import signal
import socket
import stat
import subprocess

from wale_host import WaleHost

import agent_under_test
from agent_under_test import AgentTest, command_of, processes_of, wait_until

PSQL = "/usr/lib/postgresql/15/bin/psql"
READ = "select count(*) > 0 from pgbench_accounts"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class HoldTest(AgentTest):
    def setUp(self):
        self.host = WaleHost()
        self.addCleanup(self.host.remove)
        self.host.add_wale(checks=[{"check": "read_all"}])

    def ask(self, method, path, body=None):
        connection = UnixConnection(self.host.top / "control.sock")
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        finally:
            connection.close()

    def serve(self):
        server = self.host.start("serve")
        self.addCleanup(server.process.kill)
        wait_until("the control socket answers", lambda: self.answers(server))
        return server

    def answers(self, server):
        self.assertTrue(server.running(), server.stderr)
        try:
            return self.ask("GET", "/v1/status")[0] == 200
        except OSError:
            return False

    def stop(self, server):
        server.signal(signal.SIGTERM)
        ended = server.end()
        self.assertEqual(ended.status, 0, ended)

    def holds(self):
        return self.ask("GET", "/v1/holds")[1]["holds"]

    def hold_through_the_daemon(self, time_to_hold="1h"):
        """Starts a run and returns its held instance."""
        status, answer = self.ask("POST", "/v1/runs", {
            "target": "t", "depth": "restore", "hold": time_to_hold, "reason": "need one row back"})
        self.assertIn(status, (200, 201, 202), answer)
        wait_until("the instance is held", lambda: [
            hold for hold in self.holds() if hold["state"] not in ("starting",)])
        (hold,) = self.holds()
        self.assertEqual((hold["state"], hold["detail"]), ("ready", ""), hold)
        self.assertEqual(hold["run_id"], answer["run_id"])
        return hold

    def psql(self, command, statement, user=None, group=None):
        """Runs the line as it was told; as root, or as a nobody who is in one group."""
        words = shlex.split(command)
        self.assertEqual(words[0], "psql")

        def become():
            os.setgroups([grp.getgrnam(group).gr_gid] if group else [])
            os.setgid(pwd.getpwnam(user).pw_gid)
            os.setuid(pwd.getpwnam(user).pw_uid)
        return subprocess.run([PSQL, *words[1:], "-XAtqc", statement], text=True, timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              env={}, cwd="/", preexec_fn=become if user else None)

    def holder(self):
        """Process number of the one that keeps the instance."""
        (pid,) = [pid for pid in processes_of(self.host.top)
                  if " hold " in command_of(pid) and "rad-agent" in command_of(pid)]
        return pid

    def audit(self):
        return self.host.query("select user, action, subject, allowed from audit order by id")

    def check_gone(self):
        wait_until("the hold has ended", lambda: not self.host.query("select 1 from holds"))
        wait_until("its processes have ended", lambda: not [
            pid for pid in processes_of(self.host.top) if " hold " in command_of(pid)])
        self.assertEqual([path for path in self.host.state.glob("runs/*/hold*")], [])


class Held(HoldTest):
    def test_reached_by_operators_alone_and_read_only(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become others")
        server = self.serve()
        hold = self.hold_through_the_daemon()
        run_id = hold["run_id"]
        self.assertEqual(self.host.recorded(run_id)["cleanup"], "kept")
        status, answer = self.ask("POST", f"/v1/holds/{run_id}/open", {})
        self.assertEqual((status, answer["command"]), (200, hold["command"]), answer)
        command = answer["command"]

        for user, group in ((None, None), ("nobody", "adm")):
            with self.subTest(user=user, group=group):
                read = self.psql(command, READ, user, group)
                self.assertEqual((read.returncode, read.stdout), (0, "t\n"), read)
                for statement in ("delete from pgbench_accounts", "create table mine (id int)",
                                  "begin read write", "create role x superuser"):
                    refused = self.psql(command, statement, user, group)
                    self.assertEqual(refused.returncode, 1, statement)
                    self.assertIn("ERROR", refused.stderr)
        for user, group in (("nobody", None), ("nobody", "daemon")):
            with self.subTest(user=user, group=group):
                stranger = self.psql(command, READ, user, group)
                self.assertEqual(stranger.returncode, 2, stranger)
                self.assertIn("Permission denied", stranger.stderr)
        other = self.psql(command.replace("rad_reader", "postgres"), READ)
        self.assertIn("pg_hba.conf", other.stderr)

        # The data itself is nobody's but the plugins'.
        scratch = self.host.scratch / run_id / "wal_e"
        self.assertEqual(stat.S_IMODE(scratch.stat().st_mode), 0o700)
        log = (self.host.scratch / run_id / "postgresql" / "server.log").read_text()
        self.assertIn(f"statement: {READ}", log)
        self.assertIn("connection authorized: user=rad_reader", log)

        # The target can be tested again meanwhile.
        self.check_report(self.host.run("t", "--depth", "inspect"), "pass")

        status, answer = self.ask("POST", f"/v1/holds/{run_id}/release", {})
        self.assertEqual((status, answer), (202, {"run_id": run_id}))
        self.check_gone()
        self.assertEqual(self.host.recorded(run_id)["cleanup"], "clean")
        self.assertEqual(self.ask("POST", f"/v1/holds/{run_id}/open", {})[0], 404)
        actions = [(row[1], row[2]) for row in self.audit() if row[3]]
        for action in ("hold.open", "hold.release"):
            self.assertIn((action, run_id), actions)
        self.stop(server)
        self.check_nothing_left()

    def test_outlives_the_agent(self):
        server = self.serve()
        hold = self.hold_through_the_daemon()
        for end in (signal.SIGTERM, signal.SIGKILL):
            server.signal(end)
            server.end()
            self.assertEqual(self.psql(hold["command"], READ).stdout, "t\n")
            server = self.serve()
            (again,) = self.holds()
            self.assertEqual((again["state"], again["command"]), ("ready", hold["command"]))
            self.assertEqual(self.psql(hold["command"], READ).stdout, "t\n")
        self.ask("POST", f"/v1/holds/{hold['run_id']}/release", {})
        self.check_gone()
        self.stop(server)
        self.check_nothing_left()

    def test_ends_when_its_time_is_over(self):
        server = self.serve()
        hold = self.hold_through_the_daemon("15s")
        self.check_gone()
        self.assertEqual(self.psql(hold["command"], READ).returncode, 2)
        self.stop(server)
        self.check_nothing_left()

    def test_ends_though_the_store_is_full(self):
        """The end cannot be written down, but what is to go may be what makes room for that."""
        if os.geteuid() != 0:
            self.skipTest("only root can mount")
        state = self.host.state
        state.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "rad", state], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", state], check=True)
        server = self.serve()
        hold = self.hold_through_the_daemon("20s")
        filler = state / "filler"
        with self.assertRaises(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        wait_until("the data is gone", lambda: not list(self.host.scratch.iterdir()), 60)
        self.assertEqual(self.psql(hold["command"], READ).returncode, 2)
        self.assertEqual([row[0] for row in self.host.query("select run_id from holds")],
                         [hold["run_id"]])
        filler.unlink()
        self.check_gone()
        self.stop(server)

    def test_holder_that_is_killed(self):
        server = self.serve()
        hold = self.hold_through_the_daemon()
        os.kill(self.holder(), signal.SIGKILL)
        wait_until("the loss is told", lambda: self.holds()[0]["state"] == "failed")
        (lost,) = self.holds()
        self.assertEqual(lost["detail"], "the process that held it has ended")
        self.assertEqual(self.psql(hold["command"], READ).returncode, 2)
        status, answer = self.ask("POST", f"/v1/holds/{hold['run_id']}/open", {})
        self.assertGreaterEqual(status, 400, answer)
        self.stop(server)
        # The sweep of the start takes what the holder had, and leaves the data.
        server = self.serve()
        self.assertTrue((self.host.scratch / hold["run_id"] / "wal_e" / "data").exists())
        self.assertEqual([path.name for path in self.host.runtime.iterdir()
                          if not path.name.endswith(".sock")], [])
        self.ask("POST", f"/v1/holds/{hold['run_id']}/release", {})
        self.check_gone()
        self.stop(server)
        self.check_nothing_left()

    def test_server_that_is_killed(self):
        server = self.serve()
        hold = self.hold_through_the_daemon()
        (postmaster,) = [pid for pid in processes_of(self.host.top)
                         if "/bin/postgres -D" in command_of(pid)]
        os.kill(postmaster, signal.SIGKILL)
        wait_until("the loss is told", lambda: self.holds()[0]["state"] == "failed")
        self.assertEqual(self.holds()[0]["detail"], "the held server has ended by itself")
        wait_until("its processes have ended", lambda: not [
            pid for pid in processes_of(self.host.top) if "postgres" in command_of(pid)])
        self.ask("POST", f"/v1/holds/{hold['run_id']}/release", {})
        self.check_gone()
        self.stop(server)
        self.check_nothing_left()

    def test_holder_that_is_stopped(self):
        server = self.serve()
        self.hold_through_the_daemon()
        os.kill(self.holder(), signal.SIGTERM)
        self.check_gone()
        self.stop(server)
        self.check_nothing_left()

    def test_instance_that_cannot_be_started_again(self):
        script = self.host.top / "initdb"
        server = self.serve()
        # Its time begins when the server of the run is gone, and then there is no program.
        status, answer = self.ask("POST", "/v1/runs", {
            "target": "t", "depth": "restore", "hold": "1h", "reason": "look"})
        self.assertLess(status, 300, answer)
        wait_until("the run has ended", lambda: self.host.query(
            "select 1 from runs where ended_at is not null") or self.break_plugin())
        wait_until("the loss is told", lambda: [
            hold for hold in self.holds() if hold["state"] == "failed"])
        (lost,) = self.holds()
        self.assertIn("postgresql", lost["detail"])
        self.assertFalse(script.exists())
        self.ask("POST", f"/v1/holds/{lost['run_id']}/release", {})
        self.check_gone()
        self.stop(server)
        self.check_nothing_left()

    def break_plugin(self):
        """Takes the plugin's file away once the run has begun to check."""
        rows = self.host.query("select report from runs")
        if rows and any(stage["stage"] == "check" for stage in json.loads(rows[0][0])["stages"]):
            plugin = self.host.plugins / "postgresql"
            if plugin.exists():
                plugin.unlink()
        return False


class InTheForeground(HoldTest):
    def test_tells_how_to_reach_it(self):
        started = self.host.start("run", "t", "--hold", "20s", "--reason", "look", "--json")
        ended = started.end()
        report = json.loads(ended.stdout)
        self.assertEqual((report["verdict"], report["cleanup"]), ("pass", "kept"), ended)
        (line,) = [line for line in ended.stderr.splitlines() if "reach it with: " in line]
        command = line.partition("reach it with: ")[2]
        self.assertEqual(self.psql(command, READ).stdout, "t\n")
        self.check_gone()
        self.check_nothing_left()

    def test_nothing_to_hold(self):
        ended = self.host.run("t", "--depth", "verify", "--hold", "1h")
        report = self.check_report(ended, "pass")
        self.assertEqual([finding["code"] for finding in report["findings"]
                          if finding["code"] == "not_held"], ["not_held"])
        self.check_nothing_left()

    def test_bad_duration(self):
        for text in ("0s", "31d", "soon"):
            ended = self.host.call("run", "t", "--hold", text)
            self.assertEqual(ended.status, 2, ended)
            self.assertIn("hint: ", ended.stderr)


class Calling(HoldTest):
    def test_by_the_service_of_the_service_manager(self):
        """What rad-hold.socket does: the id comes over the connection as standard input."""
        self.host.runtime.mkdir(mode=0o711)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.host.runtime / "hold.sock"))
            listener.listen()
            started = self.host.start("run", "t", "--hold", "1h", "--reason", "look", "--json")
            listener.settimeout(agent_under_test.PATIENCE)
            connection, _ = listener.accept()
            with connection:
                holder = subprocess.Popen(
                    [str(agent_under_test.BUILD / "bin" / "rad-agent"), "hold", "-", "--config",
                     str(self.host.config_file)], stdin=connection, stderr=subprocess.DEVNULL)
            ended = started.end()
            self.assertIn("reach it with: ", ended.stderr)
            holder.send_signal(signal.SIGTERM)
            self.assertEqual(holder.wait(60), 0)
        (self.host.runtime / "hold.sock").unlink()
        self.check_gone()
        self.check_nothing_left()

    def test_of_what_is_no_run(self):
        for word in ("../../etc", "20261101T000000-00000000", "-"):
            ended = self.host.call("hold", word)
            self.assertEqual(ended.status, 2, ended)
            self.assertIn("error: ", ended.stderr)
        self.check_nothing_left()


class Backups(HoldTest):
    def test_are_listed(self):
        server = self.serve()
        status, answer = self.ask("GET", "/v1/targets/t/backups")
        self.assertEqual(status, 200, answer)
        (backup,) = [backup for backup in answer["backups"] if backup["complete"]]
        self.assertRegex(backup["name"], "^base_[0-9A-F]{24}_[0-9]{8}$")
        self.assertGreater(backup["stored_bytes"], 0)
        self.assertEqual(self.host.query("select name from backups where target = 't'"),
                         [(backup["name"],)])
        self.assertEqual(self.ask("GET", "/v1/targets/nosuch/backups")[0], 404)
        self.stop(server)
        self.check_nothing_left()


if __name__ == "__main__":
    agent_under_test.main()
