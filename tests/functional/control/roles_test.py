#!/usr/bin/env python3
"""Who may do what: real users of this host, and what the audit says of them.

Groups and users are made for the test, which therefore needs root.
"""

import grp
import os
import pwd
import shutil
import subprocess
import unittest
import uuid

import control_client
from control_client import ControlTest, as_user

CLIENT = """
import json, sys
sys.path.insert(0, {folder!r})
import control_client
answers = []
for method, target, body in json.loads({requests!r}):
    answer = control_client.call({socket!r}, method, target, body)
    answers.append([answer.status, answer.text])
print(json.dumps(answers))
"""


@unittest.skipIf(os.geteuid() != 0, "makes users: needs root")
class Roles(ControlTest):
    def setUp(self):
        super().setUp()
        tag = uuid.uuid4().hex[:8]
        self.groups = {role: f"rt-{role}-{tag}" for role in ("viewer", "operator")}
        for group in self.groups.values():
            subprocess.run(["groupadd", "--system", group], check=True)
            self.addCleanup(subprocess.run, ["groupdel", group], check=False)
        self.users = {}
        for role in ("viewer", "operator", "stranger", "primary"):
            name = f"rt-{role[:4]}-{tag}"
            command = ["useradd", "--system", "--no-create-home", name]
            if role in self.groups:
                command += ["--groups", self.groups[role]]
            if role == "primary":
                command += ["--gid", self.groups["viewer"]]
            subprocess.run(command, check=True)
            self.addCleanup(subprocess.run, ["userdel", name], check=False)
            self.users[role] = pwd.getpwnam(name)
        agent = self.host.config["agent"]
        agent["viewer_group"] = self.groups["viewer"]
        agent["operator_group"] = self.groups["operator"]
        # The directory of the test is 0755.
        self.host.add_fake(script={"restore": {"delay": "60s", "daemon": True}})
        self.server = self.serve()

    def call_as(self, role, *requests, groups=()):
        user = self.users[role]
        script = CLIENT.format(folder=str(control_client.SOURCE / "tests/functional/control"),
                               requests=control_client.json.dumps(requests),
                               socket=str(self.socket))
        # No supplementary group in the process: the host's database is asked, not the process.
        ended = as_user((user.pw_uid, user.pw_gid, groups), ["-c", script])
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return [(status, control_client.json.loads(text))
                for status, text in control_client.json.loads(ended.stdout)]

    def check_refused(self, answer, role, group):
        status, body = answer
        self.assertEqual((status, body["error"]["reason"]), (403, "access_denied"), body)
        self.assertIn(f"user '{self.users[role].pw_name}' may not", body["error"]["message"])
        self.assertIn(self.groups[group], body["error"]["hint"])

    def test_roles(self):
        start = ("POST", "/v1/runs", {"target": "t", "reason": "let me"})
        acts = (start, ("POST", "/v1/runs/x/cancel", {"reason": "no"}),
                ("POST", "/v1/schedules/pause", {"reason": "quiet"}),
                ("POST", "/v1/schedules/resume", {}), ("POST", "/v1/reload", None),
                ("POST", "/v1/holds/x/open", None), ("POST", "/v1/holds/x/release", None),
                ("GET", "/v1/audit", None))
        for role in ("viewer", "primary"):
            look, targets, *refused = self.call_as(
                role, ("GET", "/v1/status", None), ("GET", "/v1/targets", None), *acts)
            self.assertEqual((look[0], targets[0]), (200, 200))
            for answer in refused:
                self.check_refused(answer, role, "operator")
        for method, target, body in (("GET", "/v1/status", None), start):
            (answer,) = self.call_as("stranger", (method, target, body))
            self.check_refused(answer, "stranger", "viewer")
        self.assertEqual(self.ask("GET", "/v1/runs")["runs"], [])
        self.assertEqual(self.ask("GET", "/v1/status")["waiting"], [])

        (look, started) = self.call_as("operator", ("GET", "/v1/status", None), start)
        self.assertEqual((look[0], started[0]), (200, 202))
        run = started[1]["run_id"]
        self.assertEqual(self.call_as("operator", (
            "POST", f"/v1/runs/{run}/cancel", {"reason": "done"}))[0][0], 202)
        report = self.wait_for_end(run)
        self.assertEqual(report["requested_by"], self.users["operator"].pw_name)

        rows = [(entry["user"], entry["role"], entry["action"], entry["subject"], entry["note"],
                 entry["allowed"]) for entry in self.ask("GET", "/v1/audit?limit=1000")["entries"]]
        names = {role: user.pw_name for role, user in self.users.items()}
        for role in ("viewer", "primary"):
            for action, subject, note in (
                    ("run.start", "t", "let me"), ("run.cancel", "x", "no"),
                    ("schedule.pause", "", "quiet"), ("reload", "", ""), ("hold.open", "x", ""),
                    ("audit.list", "", "")):
                self.assertIn((names[role], "viewer", action, subject, note, False), rows)
        self.assertEqual([row for row in rows if row[0] == names["stranger"]],
                         [(names["stranger"], "none", "connect", "", "", False)] * 2)
        self.assertIn((names["operator"], "operator", "run.start", "t", "let me", True), rows)
        self.assertIn((names["operator"], "operator", "run.cancel", run, "done", True), rows)
        self.stop(self.server)

    def radctl_as(self, role, *words):
        user = self.users[role]
        return subprocess.run(
            ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups",
             str(self.program), "--socket", str(self.socket), *words],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=control_client.agent_under_test.PATIENCE)

    def test_radctl_says_who_may_do_what(self):
        self.program = self.host.top / "radctl"
        shutil.copyfile(control_client.agent_under_test.BUILD / "bin" / "radctl", self.program)
        self.program.chmod(0o755)
        start = ("run", "start", "t", "--depth", "verify", "--reason", "let me")
        for role, words, status, group in (
                ("stranger", ("status",), 5, "viewer"), ("stranger", start, 5, "viewer"),
                ("viewer", ("status",), 0, ""), ("viewer", start, 5, "operator"),
                ("viewer", ("reload",), 5, "operator"),
                ("operator", ("status",), 0, ""), ("operator", start, 0, "")):
            ended = self.radctl_as(role, *words)
            self.assertEqual(ended.returncode, status, (role, words, ended))
            if status == 0:
                continue
            error, hint = ended.stderr.splitlines()
            self.assertTrue(error.startswith("error: "), ended)
            self.assertIn(self.users[role].pw_name, error)
            self.assertTrue(hint.startswith("hint: "), ended)
            self.assertIn(self.groups[group], hint)
        names = {role: user.pw_name for role, user in self.users.items()}
        said = [(entry["user"], entry["action"], entry["allowed"])
                for entry in self.ask("GET", "/v1/audit?limit=1000")["entries"]]
        for entry in ((names["stranger"], "connect", False), (names["viewer"], "run.start", False),
                      (names["viewer"], "reload", False), (names["operator"], "run.start", True)):
            self.assertIn(entry, said)
        self.stop(self.server)

    def test_who_left_the_group_is_out_soon(self):
        name = self.users["operator"].pw_name
        self.assertEqual(self.call_as("operator", ("GET", "/v1/audit", None))[0][0], 200)
        subprocess.run(["gpasswd", "--delete", name, self.groups["operator"]], check=True,
                       capture_output=True)
        control_client.agent_under_test.wait_until("it is refused", lambda: self.call_as(
            "operator", ("GET", "/v1/audit", None))[0][0] == 403, 30)
        # Who holds the group in the process is a member by the kernel's word.
        gid = grp.getgrnam(self.groups["viewer"]).gr_gid
        user = self.users["stranger"]
        ended = as_user((user.pw_uid, gid, ()), ["-c", CLIENT.format(
            folder=str(control_client.SOURCE / "tests/functional/control"),
            requests='[["GET", "/v1/status", null]]', socket=str(self.socket))])
        self.assertEqual(control_client.json.loads(ended.stdout)[0][0], 200)
        self.stop(self.server)

    def test_a_stranger_cannot_fill_the_audit(self):
        answers = self.call_as("stranger", *[("GET", "/v1/status", None)] * 200)
        self.assertEqual({status for status, _ in answers}, {403})
        entries = self.ask("GET", "/v1/audit?limit=1000")["entries"]
        self.assertLess(len(entries), 40)
        self.stop(self.server)


if __name__ == "__main__":
    control_client.agent_under_test.main()
