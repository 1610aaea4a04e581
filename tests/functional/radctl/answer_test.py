#!/usr/bin/env python3
"""What radctl asks, what it makes of the answers, and of an agent that does not answer."""

import json
import os
import pwd
import socket
import subprocess

import radctl_under_test
from fake_agent import answer, error, report
from radctl_under_test import RadctlTest

RUN = "20261120T184451-1a2b3c4d"


class UnreachableAgent(RadctlTest):
    def check(self, status, message, hint, *arguments, **options):
        ended = self.call(*(arguments or ("status",)), **options)
        self.assertEqual(ended.status, status, ended)
        self.assertEqual(ended.stdout, "", ended)
        lines = ended.stderr.splitlines()
        self.assertEqual(len(lines), 2, ended)
        self.assertTrue(lines[0].startswith("error: "), ended)
        self.assertTrue(lines[1].startswith("hint: "), ended)
        self.assertIn(message, lines[0], ended)
        self.assertIn(hint, lines[1], ended)

    def test_no_socket(self):
        self.check(4, f"there is no socket '{self.socket}'", "systemctl status rad-agent")
        for arguments in (("run", "start", "x", "--reason", "y", "--wait"), ("run", "show"),
                          ("run", "logs", "-f"), ("hold", "psql", "x"), ("report",),
                          ("schedule", "pause", "--all", "--reason", "x")):
            with self.subTest(arguments=arguments):
                self.check(4, "there is no socket", "systemctl status rad-agent", *arguments)

    def test_nobody_listens(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.socket))
        self.check(4, "nobody listens", "systemctl status rad-agent")

    def test_no_answer_in_time(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.socket))
            listener.listen()
            self.check(4, "does not answer within 1 s", "systemctl status rad-agent",
                       "status", "--timeout", "1s")

    def test_an_answer_that_cannot_be_written(self):
        self.agent.start()
        for arguments in (("--help",), ("target", "list"), ("target", "list", "--json")):
            with self.subTest(arguments=arguments), open("/dev/full", "wb") as full:
                ended = subprocess.run([str(self.program), *arguments], stdin=subprocess.DEVNULL,
                                       stdout=full, stderr=subprocess.PIPE, check=False,
                                       env=self.environment(), timeout=120)
                self.assertEqual(ended.returncode, 3, ended)
                self.assertIn(b"error: the answer could not be written to stdout: No space left",
                              ended.stderr)
        # Whoever has seen enough is no error.
        ended = subprocess.run(["bash", "-c", '"$0" --help | true; exit ${PIPESTATUS[0]}',
                                str(self.program)], stdin=subprocess.DEVNULL, check=False,
                               capture_output=True, env=self.environment(), timeout=120)
        self.assertEqual((ended.returncode, ended.stderr), (0, b""))

    def test_a_path_that_is_too_long(self):
        self.check(4, "File name too long", "systemctl", "status", "--socket", "/" + "x" * 200)

    def test_nonsense_instead_of_an_answer(self):
        for text in (b"", b"\0" * 5000, b"SSH-2.0-OpenSSH\r\n",
                     b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{"):
            self.agent.answers["GET", "/v1/status"] = text
            self.agent.start()
            ended = self.call("status")
            self.assertEqual(ended.status, 4, (text, ended))
            self.agent.stop()
        self.agent.start()
        for value in (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n[1,2,3]",
                      b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{{{"):
            self.agent.answers["GET", "/v1/status"] = value
            ended = self.call("status")
            self.assertEqual(ended.status, 3, ended)
            self.assertIn("is not understood", ended.stderr)

    def test_an_answer_without_end(self):
        def flood(_query, _body):
            return b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n" + b"x" * 80_000_000
        self.agent.answers["GET", "/v1/status"] = flood
        self.agent.start()
        self.assertEqual(self.call("status").status, 4)

    def test_a_socket_that_is_not_for_us(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to become somebody else")
        self.agent.start()
        os.chown(self.socket, 0, 4)
        os.chmod(self.socket, 0o660)
        nobody = pwd.getpwnam("nobody")
        self.check(5, "you may not use the agent's socket", "member of group 'adm'",
                   user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])

    def test_with_json_the_error_is_one_object(self):
        ended = self.call("status", "--json")
        self.assertEqual(ended.status, 4, ended)
        found = json.loads(ended.stdout)
        self.assertEqual(set(found), {"error"}, ended)
        self.assertEqual(set(found["error"]), {"reason", "message", "hint"}, ended)
        self.assertEqual(found["error"]["reason"], "agent_unreachable")


class Answers(RadctlTest):
    def setUp(self):
        super().setUp()
        self.agent.answers["GET", f"/v1/runs/{RUN}"] = report(RUN, "fail", "decrypt_failed")
        self.agent.start()

    def test_json_is_the_agents_own_object(self):
        self.agent.answers["POST", "/v1/reload"] = {"targets": 3, "schedules": 4}
        self.agent.answers["POST", f"/v1/runs/{RUN}/cancel"] = (202, {"run_id": RUN})
        self.agent.answers["POST", f"/v1/holds/{RUN}/release"] = (202, {"run_id": RUN})
        pause = answer("status_trouble")["pauses"][0]
        self.agent.answers["POST", "/v1/schedules/pause"] = pause
        self.agent.answers["POST", "/v1/schedules/resume"] = {"target": "*", "schedule": "*"}
        for arguments, expected in (
                (("status",), answer("status_calm")),
                (("target", "list"), answer("targets")),
                (("target", "show", "customers-db"), answer("targets")["targets"][0]),
                (("schedule", "list"), answer("schedules")),
                (("schedule", "pause", "--all", "--reason", "x"), pause),
                (("schedule", "resume", "--all"), {"target": "*", "schedule": "*"}),
                (("backup", "list", "customers-db"), answer("backups")),
                (("run", "list"), answer("runs")),
                (("run", "show", RUN), report(RUN, "fail", "decrypt_failed")),
                (("run", "start", "customers-db", "--reason", "x"), answer("start_started")),
                (("run", "cancel", RUN), {"run_id": RUN}),
                (("hold", "list"), answer("holds")),
                (("hold", "release", RUN), {"run_id": RUN}),
                (("plugin", "list"), answer("plugins")),
                (("reload",), {"targets": 3, "schedules": 4}),
                (("audit",), answer("audit"))):
            with self.subTest(arguments=arguments):
                ended = self.call("--json", *arguments)
                self.assertEqual(ended.status, 0, ended)
                self.assertEqual(json.loads(ended.stdout), expected)
                self.assertEqual(ended.stderr, "")

    def test_every_command_without_json_has_a_first_line(self):
        for arguments, first in (
                (("status",), "ATTENTION"), (("target", "list"), "2 of 3 targets"),
                (("target", "show", "customers-db"), "FAIL  customers-db"),
                (("schedule", "list"), "next: inspect of images-disk"),
                (("backup", "list", "customers-db"), "3 backups of customers-db"),
                (("run", "show", RUN), "FAIL  customers-db at depth restore"),
                (("run", "start", "customers-db", "--reason", "x"), "STARTED"),
                (("hold", "list"), "1 restored copy is kept"),
                (("plugin", "list"), "1 plugin cannot be used"),
                (("report", "--month", "2026-11"), "# Backup tests, November 2026"),
                (("audit",), "  2026-11-21 00:25 UTC  alice (operator) run.start")):
            with self.subTest(arguments=arguments):
                ended = self.call(*arguments)
                self.assertEqual(ended.status, 0, ended)
                self.assertTrue(ended.stdout.startswith(first), ended)
                self.assertNotIn("\033", ended.stdout)

    def test_what_is_asked(self):
        self.call("run", "start", "a/b c", "--reason", "why not", "--hold", "4h", "--depth",
                  "verify", "--backup", "latest", "--recover-to", "immediate", "--if-busy",
                  "attach")
        self.assertEqual(self.agent.requests[-1][3], {
            "target": "a/b c", "reason": "why not", "depth": "verify", "if_busy": "attach",
            "backup": "latest", "recover_to": "immediate", "hold": "4h"})
        self.call("run", "list", "--target", "a&b", "--verdict", "fail", "-n", "7")
        self.assertIn(("GET", "/v1/runs", {"limit": "7", "target": "a&b", "verdict": "fail"}, None),
                      self.agent.requests)
        self.call("schedule", "pause", "x", "--schedule", "daily", "--until", "4h", "--reason", "r")
        self.assertEqual(self.agent.requests[-1][3], {
            "target": "x", "schedule": "daily", "until": "4h", "reason": "r"})
        self.call("schedule", "resume", "--all")
        self.assertEqual(self.agent.requests[-1][3], {"target": "*", "schedule": "*"})
        self.call("target", "show", "../runs")
        self.assertEqual(self.agent.requests[-1][1], "/v1/targets/..%2Fruns")

    def test_a_pause_needs_to_know_of_what(self):
        for arguments in (("schedule", "pause", "--reason", "x"),
                          ("schedule", "pause", "t", "--all", "--reason", "x")):
            ended = self.call(*arguments)
            self.assertEqual(ended.status, 2, ended)
        self.assertEqual(self.agent.asked("POST", "/v1/schedules/pause"), [])

    def test_refusals_have_their_exit_statuses(self):
        for status, expected in ((400, 2), (403, 5), (404, 2), (409, 3), (500, 3), (503, 3)):
            self.agent.answers["POST", "/v1/runs"] = (
                status, error("some_reason", "the\033[31m message", "the hint"))
            ended = self.call("run", "start", "x", "--reason", "y", "--wait")
            self.assertEqual(ended.status, expected, ended)
            self.assertEqual(ended.stderr, "error: the?[31m message\nhint: the hint\n")

    def test_runs_are_found_as_people_name_them(self):
        self.agent.answers["GET", "/v1/runs/20261121T002000-11111111"] = report(
            "20261121T002000-11111111", None)
        for word in (RUN, "1a2b3c4d"):
            ended = self.call("run", "show", word)
            self.assertEqual(ended.status, 0, ended)
            self.assertIn(RUN, ended.stdout)
        for arguments in (("run", "show"), ("run", "show", "last")):
            ended = self.call(*arguments)
            self.assertIn("20261121T002000-11111111", ended.stdout, ended)
        runs = answer("runs")
        self.agent.answers["GET", "/v1/runs"] = lambda query, _: {
            "runs": [run for run in runs["runs"] if query.get("target") in (None, run["target"])],
            "next_before": None}
        self.assertIn(RUN, self.call("run", "show", "customers-db").stdout)
        ended = self.call("run", "show", "orders-db")
        self.assertEqual(ended.status, 2, ended)
        self.assertIn("was never tested", ended.stderr)
        ended = self.call("run", "show", "customer-db")
        self.assertEqual(ended.status, 2, ended)
        self.assertIn("did you mean 'customers-db'?", ended.stderr)
        # What goes on or waits is meant before what has ended.
        self.agent.answers["GET", "/v1/status"] = answer("status_trouble")
        ended = self.call("run", "show", "orders-db")
        self.assertEqual(ended.status, 0, ended)
        self.assertTrue(ended.stdout.startswith("WAITING  restore of orders-db"), ended)

    def test_psql_line(self):
        hold = answer("holds")["holds"][0]
        path = f"/v1/holds/{hold['run_id']}/open"
        self.agent.answers["POST", path] = {"run_id": hold["run_id"], "command": hold["command"]}
        ended = self.call("hold", "psql", "customers-db")
        self.assertEqual((ended.status, ended.stdout), (0, hold["command"] + "\n"), ended)
        ended = self.call("hold", "psql", "orders-db")
        self.assertEqual(ended.status, 2, ended)
        # Run as words, never by a shell: what comes out of a backup may be a name in it.
        self.agent.answers["POST", path]["command"] = "A='b c' /usr/bin/env printf '%s|' \"$A\" 'd e'"
        ended = self.call("hold", "psql", "customers-db", "--exec")
        self.assertEqual((ended.status, ended.stdout), (3, ""), ended)
        self.agent.answers["POST", path]["command"] = "A='b c' printf '%s|' '$A;' 'd e'"
        ended = self.call("hold", "psql", "customers-db", "--exec")
        self.assertEqual((ended.status, ended.stdout), (0, "$A;|d e|"), ended)
        # A copy that is being started is waited for, without asking to open it again and again.
        states = ["starting", "starting", "ready"]
        self.agent.answers["POST", path]["command"] = "psql x"
        self.agent.answers["GET", "/v1/holds"] = lambda *_: {"holds": [
            {**hold, "state": states.pop(0) if len(states) > 1 else states[0]}]}
        before = len(self.agent.asked("POST", path))
        ended = self.call("hold", "psql", "customers-db")
        self.assertEqual((ended.status, ended.stdout), (0, "psql x\n"), ended)
        self.assertEqual(len(self.agent.asked("POST", path)), before + 1)
        mark = self.top / "mark"
        for command in (f"psql $(touch {mark})", f"psql `touch {mark}`", f"psql; touch {mark}",
                        f"psql | touch {mark}"):
            self.agent.answers["POST", path]["command"] = command
            self.assertEqual(self.call("hold", "psql", "customers-db", "--exec").status, 3)
        self.assertFalse(mark.exists())

    def test_log_of_a_run(self):
        pages = [{"lines": answer("log")["lines"][:1], "next_after": 1, "ended": False},
                 {"lines": [], "next_after": 1, "ended": False},
                 {"lines": answer("log")["lines"][1:], "next_after": 2, "ended": True}]
        asked = []

        def page(query, _body):
            asked.append(int(query["after"]))
            return pages[min(len(asked), len(pages)) - 1]
        self.agent.answers["GET", f"/v1/runs/{RUN}/log"] = page
        ended = self.call("run", "logs", RUN)
        self.assertEqual(ended.stdout, "00:20:01 info    wal_e: reading partition 1\n", ended)
        asked.clear()
        ended = self.call("run", "logs", "-f", RUN)
        self.assertEqual(ended.status, 0, ended)
        self.assertEqual(asked, [0, 1, 1])
        self.assertEqual(len(ended.stdout.splitlines()), 2, ended)
        for character in ended.stdout:
            self.assertTrue(character == "\n" or ord(character) >= 32, ended)
        asked.clear()
        ended = self.call("run", "logs", "-f", RUN, "--level", "warning")
        self.assertEqual(len(ended.stdout.splitlines()), 1, ended)
        asked.clear()
        ended = self.call("run", "logs", "-f", RUN, "--json")
        self.assertEqual(json.loads(ended.stdout),
                         {"run_id": RUN, "lines": answer("log")["lines"], "ended": True})

    def test_report(self):
        run = "20261102T060000-00000003"
        self.agent.answers["GET", "/v1/restores"] = {"restores": [{
            "target": "customers-db", "run_id": run, "measured_rto_seconds": 540,
            "rto_target_seconds": 14400, "measured_rpo_seconds": None, "rpo_target_seconds": None}]}
        ended = self.call("report", "--month", "2026-11")
        self.assertIn("9m of 4h", ended.stdout, ended)
        # However many targets there are: the pages of the history and four questions more.
        asked = {path for _, path, _, _ in self.agent.requests}
        self.assertEqual(asked, {"/v1/missed", "/v1/restores", "/v1/runs", "/v1/status",
                                 "/v1/targets"})
        value = json.loads(self.call("report", "--month", "2026-11", "--json").stdout)
        self.assertEqual([target["name"] for target in value["targets"]],
                         ["customers-db", "orders-db", "images-disk"])
        self.assertEqual(value["from"], "2026-11-01T00:00:00.000Z")
        for month in ("2026-13", "november", "2026"):
            ended = self.call("report", "--month", month)
            self.assertEqual(ended.status, 2, ended)

    def test_colours_only_on_a_terminal_that_wants_them(self):
        for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False),
                                      ({"TERM": "dumb"}, False)):
            terminal = self.terminal("target", "list", **environment)
            self.assertEqual(terminal.end(), 0)
            self.assertEqual("\033[" in terminal.seen, coloured, terminal.seen)


class Shells(RadctlTest):
    def setUp(self):
        super().setUp()
        self.agent.start()
        self.env = self.environment(PATH=f"{self.top}:{os.environ['PATH']}", HOME=str(self.top))

    def shell(self, *arguments):
        done = subprocess.run(arguments, env=self.env, capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertEqual(done.stderr, "", done)
        return done.stdout.split("\n")

    def bash(self, *words):
        """What bash offers with the cursor behind the last word."""
        listed = " ".join(f"'{word}'" for word in words)
        return self.shell("bash", "--norc", "-c", f"""
            source <(radctl completion bash)
            COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}
            _radctl; printf '%s\\n' "${{COMPREPLY[@]}}" """)

    def test_bash(self):
        self.assertEqual(self.bash("radctl", "run", "s"), ["start", "show", ""])
        self.assertEqual(self.bash("radctl", "run", "start", ""),
                         ["customers-db", "orders-db", "images-disk", ""])
        self.assertEqual(self.bash("radctl", "run", "start", "x", "--depth", "=", "ver"),
                         ["verify", ""])

    def test_fish(self):
        def offers(line):
            return self.shell("fish", "--no-config", "-c", "radctl completion fish | source; "
                              f"complete -C '{line}'")
        self.assertEqual([line.split("\t")[0] for line in offers("radctl run s")],
                         ["show", "start", ""])
        self.assertIn("customers-db", offers("radctl target show "))

    def test_zsh(self):
        # The function runs only inside of its line editor: its list is caught on the way there.
        script = """
            autoload -Uz compinit; compinit -D
            source <(radctl completion zsh)
            _describe() { print -l -- ${(P)4} }
            words=(radctl run s); CURRENT=3; _radctl
            words=(radctl target show ''); CURRENT=4; _radctl
        """
        lines = self.shell("zsh", "-f", "-c", script)
        self.assertEqual(lines, ["start:test the backups of a target now",
                                 "show:what came of a run, and what to do about it",
                                 "customers-db:customers-db", "orders-db:orders-db",
                                 "images-disk:images-disk", ""])

    def test_silence_when_the_agent_is_away(self):
        self.agent.stop()
        self.assertEqual(self.bash("radctl", "run", "start", ""), ["", ""])

    def test_names_are_never_commands(self):
        targets = answer("targets")
        targets["targets"][0]["name"] = "$(touch${IFS}x)"
        self.agent.answers["GET", "/v1/targets"] = targets
        self.assertEqual(self.bash("radctl", "run", "start", ""), ["orders-db", "images-disk", ""])


class ManualPages(RadctlTest):
    def test_groff_has_nothing_to_say(self):
        pages = sorted((radctl_under_test.pathlib.Path(__file__).resolve().parents[3] / "docs" /
                        "man").glob("*.[18]"))
        self.assertEqual([page.name for page in pages], ["rad-agent.8", "radctl.1"])
        for page in pages:
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", str(page)],
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), page)


if __name__ == "__main__":
    radctl_under_test.main()
