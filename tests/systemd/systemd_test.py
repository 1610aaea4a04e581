"""The Debian package in a real systemd: PROGRAM BUILD-DIRECTORY PACKAGE NEWER-PACKAGE.

The tests run in the order of their names in one container, as a host lives: installed, used, upgraded,
removed.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

from container import Container

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 120
UNITS = ["rad-agent.service", "rad-agent.socket", "rad-remove.socket", "rad-hold.socket",
         "rad-plugin-wal_e.socket", "rad-plugin-postgresql.socket"]
TARGET = """\
targets:
  - name: customers-db
    restore: {plugin: wal_e, storage: "file:///srv/store", gpg_home: /etc/rad-agent/gnupg}
    instance: {plugin: postgresql}
    checks:
      - {check: amcheck}
    schedules:
      - {name: rad, cron: "0 6 2 * *", depth: restore}
"""

PACKAGES = []


def wait_until(what, question, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.1)


class SystemdTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Container()
        for package in PACKAGES:
            cls.host.path("/srv").mkdir(exist_ok=True)
            target = cls.host.path("/srv") / package.name
            target.write_bytes(package.read_bytes())
        subprocess.run(["cp", "-r", SOURCE / "tests/data/wale-small/encrypted",
                        cls.host.path("/srv/store")], check=True)
        subprocess.run(["cp", SOURCE / "tests/data/wale-small/keys/secret-key.asc",
                        cls.host.path("/srv/key.asc")], check=True)
        cls.host.run("chmod", "-R", "a+rX", "/srv")

    @classmethod
    def tearDownClass(cls):
        cls.host.stop()

    def tearDown(self):
        outcome = getattr(self, "_outcome", None)
        failed = outcome and any(error for _, error in getattr(outcome, "errors", []))
        failed = failed or (outcome and outcome.result.failures + outcome.result.errors)
        if failed:
            print(self.host.out("journalctl", "--no-pager", "-q", "-n", "80", "-o", "short-precise",
                                check=False), file=sys.stderr)

    # Helpers

    def show(self, unit, *names):
        lines = self.host.out("systemctl", "show", unit, *(f"-p{name}" for name in names))
        values = dict(line.split("=", 1) for line in lines.splitlines() if "=" in line)
        return values[names[0]] if len(names) == 1 else values

    def await_active(self):
        wait_until("the agent is active",
                   lambda: self.host.out("systemctl", "is-active", "rad-agent", check=False) == "active")

    def main_pid(self):
        return int(self.show("rad-agent.service", "MainPID"))

    def journal(self, *words):
        return self.host.out("journalctl", "--no-pager", "-q", "-o", "cat", *words, check=False)

    def agent(self, *words, **options):
        """rad-agent as its own user, as the handbook says."""
        return self.host.run("rad-agent", *words, user="rad-agent", **options)

    def left_in(self, directory):
        return self.host.out("find", directory, "-mindepth", "1", check=False).splitlines()

    def runtime_leftovers(self):
        names = self.host.out("ls", "/run/rad-agent").split()
        return [name for name in names if re.fullmatch("[0-9a-f]{8}", name)]

    def plugin_processes(self):
        return self.host.out("pgrep", "-u", "rad-plugin", "-a", check=False).splitlines()

    # Life

    def test_01_installs_and_starts(self):
        self.host.run("dpkg", "-i", f"/srv/{PACKAGES[0].name}")
        self.await_active()
        for unit in UNITS:
            self.assertEqual(self.host.out("systemctl", "is-active", unit), "active", unit)
            self.assertEqual(self.host.out("systemctl", "is-enabled", unit), "enabled", unit)
        self.assertEqual(self.show("rad-agent.service", "User"), "rad-agent")
        owner = self.host.out("ps", "-o", "user:20=", "-p", self.main_pid())
        self.assertEqual(owner, "rad-agent")
        for name, mode in [("/var/lib/rad-agent", "711 rad-agent"),
                           ("/var/lib/rad-agent/rad.db", "600 rad-agent"),
                           ("/run/rad-agent", "711 rad-agent"),
                           ("/run/rad-agent/control.sock", "666 root"),
                           ("/run/rad-agent/plugins", "755 root"),
                           ("/run/rad-agent/plugins/wal_e.sock", "660 root"),
                           ("/etc/rad-agent/gnupg", "700 rad-plugin")]:
            self.assertEqual(self.host.out("stat", "-c", "%a %U", name), mode, name)

    def test_02_units_are_in_order(self):
        templates = ["rad-plugin-wal_e@1.service", "rad-plugin-postgresql@1.service",
                     "rad-remove@1.service", "rad-hold@1.service"]
        for unit in UNITS + templates:
            ended = self.host.run("systemd-analyze", "verify", "--man=no", unit)
            about_us = [line for line in (ended.stdout + ended.stderr).splitlines() if "rad-" in line]
            self.assertEqual(about_us, [])
        for unit in ["rad-agent.service"] + templates:
            report = self.host.out("systemd-analyze", "security", "--no-pager", unit)
            score = re.search(r"exposure level for \S+: ([0-9.]+)", report).group(1)
            print(f"systemd-analyze security {unit}: {score}")
            self.assertLessEqual(float(score), 2.0, report)

    def test_03_takes_a_target(self):
        self.host.write("/etc/rad-agent/conf.d/customers-db.yaml", TARGET)
        self.host.run("sh", "-c", "cd / && gpg --homedir /etc/rad-agent/gnupg --batch --quiet "
                      "--import /srv/key.asc; gpgconf --homedir /etc/rad-agent/gnupg --kill all",
                      user="rad-plugin")
        self.host.run("rad-agent", "check-config")
        self.host.run("systemctl", "reload", "rad-agent")
        wait_until("the target is there", lambda: "1 target" in self.show("rad-agent.service", "StatusText"))

    def test_04_a_broken_file_changes_nothing(self):
        before = self.main_pid()
        self.host.write("/etc/rad-agent/conf.d/broken.yaml", "targets:\n  - {name: x, restore: {plugn: y}}\n")
        ended = self.host.run("systemctl", "reload", "rad-agent", check=False)
        self.assertNotEqual(ended.returncode, 0, "whoever asked for the reload must hear of it")
        wait_until("the status says so",
                   lambda: "reload failed" in self.show("rad-agent.service", "StatusText"))
        self.assertEqual(self.host.out("systemctl", "is-active", "rad-agent"), "active")
        self.assertEqual(self.main_pid(), before)
        self.assertIn("1 target", self.show("rad-agent.service", "StatusText"))
        self.assertIn("broken.yaml", self.journal("-u", "rad-agent"))
        self.host.run("rm", "/etc/rad-agent/conf.d/broken.yaml")
        self.host.run("systemctl", "reload", "rad-agent")
        wait_until("the reload went well",
                   lambda: "reload failed" not in self.show("rad-agent.service", "StatusText"))

    def test_05_restores_through_the_plugins_units(self):
        ended = self.agent("run", "customers-db", "--json", "--reason", "test", timeout=300)
        report = json.loads(ended.stdout)
        self.assertEqual(report["verdict"], "pass", ended.stdout)
        self.assertIn("unit of its own as user rad-plugin", report["isolation"])
        self.assertIn("network: own namespace", report["isolation"])
        self.assertEqual(self.left_in("/var/lib/rad-agent/scratch"), [])
        self.assertEqual(self.runtime_leftovers(), [])
        wait_until("nothing of the plugins runs", lambda: not self.plugin_processes())
        self.assertEqual(self.journal("-u", "rad-remove@*"), "", "the plugins clean up themselves")
        self.assertIn("rad-plugin-postgresql@", self.host.out(
            "journalctl", "-q", "--no-pager", "-o", "json", "--output-fields=_SYSTEMD_UNIT,UNIT",
            "-u", "rad-plugin-postgresql@*"))

    def test_06_watchdog_restarts_a_stopped_loop(self):
        self.host.run("mkdir", "-p", "/run/systemd/system/rad-agent.service.d")
        self.host.write("/run/systemd/system/rad-agent.service.d/watchdog.conf",
                        "[Service]\nWatchdogSec=3s\nRestartSec=100ms\n")
        self.host.run("systemctl", "daemon-reload")
        self.host.run("systemctl", "restart", "rad-agent")
        stopped = self.main_pid()
        self.host.run("kill", "-STOP", stopped)
        wait_until("another process has taken over",
                   lambda: self.main_pid() not in (0, stopped) and
                   self.host.out("systemctl", "is-active", "rad-agent", check=False) == "active")
        self.assertIn("watchdog", self.host.out("journalctl", "-q", "--no-pager", "-u", "rad-agent").lower())
        self.assertEqual(self.show("rad-agent.service", "NRestarts"), "1")
        self.host.run("rm", "-r", "/run/systemd/system/rad-agent.service.d")
        self.host.run("systemctl", "daemon-reload")
        self.host.run("systemctl", "restart", "rad-agent")

    def start_run(self):
        """A run of the daemon's own, in the middle of its work; \\return its id."""
        answer = self.host.out("radctl", "run", "start", "customers-db", "--reason", "test", "--json")
        self.assertTrue(answer)
        return wait_until("restored data is there", lambda: [
            name for name in self.left_in("/var/lib/rad-agent/scratch") if "/wal_e/" in name])[0].split("/")[5]

    def test_07_kill_during_a_run_leaves_nothing(self):
        run_id = self.start_run()
        before = self.main_pid()
        self.host.run("systemctl", "kill", "-s", "KILL", "rad-agent")
        wait_until("the agent is back", lambda: self.main_pid() not in (0, before))
        self.await_active()
        wait_until("the plugins of the dead agent are dead",
                   lambda: run_id not in "".join(self.left_in("/var/lib/rad-agent/scratch")))
        self.assertIn("interrupted", self.host.out("radctl", "run", "show", run_id, check=False))
        # A run by hand is not begun again, one of a schedule is: let that end, and look then.
        wait_until("nothing is left", lambda: not self.left_in("/var/lib/rad-agent/scratch") and
                   not self.runtime_leftovers() and not self.plugin_processes(), 300)

    def test_08_what_only_the_plugins_user_can_remove(self):
        """A ledger entry whose directory holds closed directories of rad-plugin, as after a crash."""
        run = self.start_run()
        self.host.run("sh", "-c", f"cd /var/lib/rad-agent/scratch/{run}/wal_e && mkdir -m 700 -p closed/in "
                      "&& touch closed/in/file && chmod 0 closed/in", user="rad-plugin")
        self.host.run("systemctl", "kill", "-s", "KILL", "rad-agent")
        self.await_active()
        wait_until("the remover has emptied it",
                   lambda: run not in "".join(self.left_in("/var/lib/rad-agent/scratch")))
        self.assertIn("ok", self.journal("-u", "rad-remove@*"))
        wait_until("nothing is left", lambda: not self.left_in("/var/lib/rad-agent/scratch"), 300)

    def spied_from(self, unit, files, pid, sockets):
        """What a hostile plugin was told that runs in a copy of this plugin's unit."""
        spy = (SOURCE / "tests/systemd/spy.py").read_text()
        self.host.write("/usr/lib/rad-agent/plugins.d/spy", spy, 0o755)
        for kind in (".socket", "@.service"):
            text = self.host.out("cat", f"/lib/systemd/system/rad-plugin-{unit}{kind}")
            self.host.write(f"/etc/systemd/system/rad-plugin-spy{kind}",
                            text.replace(unit, "spy") + "\n")
        self.host.run("systemctl", "daemon-reload")
        self.host.run("systemctl", "restart", "rad-agent")
        self.host.run("systemctl", "start", "rad-plugin-spy.socket")
        self.host.run("sh", "-c", 'printf %s "$1" > /srv/spy.json && chmod 644 /srv/spy.json', "spy",
                      json.dumps({"files": files(), "pid": pid(), "sockets": sockets}))
        self.host.write("/etc/rad-agent/conf.d/spied.yaml", "targets:\n  - name: spied\n"
                        "    restore: {plugin: spy}\n    schedules: [{name: x, cron: '0 0 1 1 *', depth: inspect}]\n")
        self.host.run("systemctl", "reload", "rad-agent")
        ended = self.agent("run", "spied", "--depth", "inspect", "--json", "--reason", "test", check=False)
        self.assertIn("findings", json.loads(ended.stdout), ended.stdout + ended.stderr)
        said = [item["message"] for item in json.loads(ended.stdout)["findings"] if item["code"] == "spied"]
        self.assertEqual(len(said), 1, ended.stdout)
        seen = json.loads(said[0])
        print(f"what the spy in the unit of {unit} was told:", json.dumps(seen, sort_keys=True))
        self.assertEqual(seen["user"], "rad-plugin")
        # It does see what it was given.
        self.assertTrue(seen["scratch_writable"])
        self.assertEqual(set(seen["answers"]),
                         set(files()) | {"ptrace", "kill"} | {"connect " + path for path in sockets})
        self.host.run("systemctl", "stop", "rad-plugin-spy.socket", check=False)
        for path in ("/etc/rad-agent/conf.d/spied.yaml", "/usr/lib/rad-agent/plugins.d/spy",
                     "/etc/systemd/system/rad-plugin-spy.socket",
                     "/etc/systemd/system/rad-plugin-spy@.service"):
            self.host.run("rm", path)
        self.host.run("systemctl", "daemon-reload")
        return seen["answers"]

    def test_09_a_hostile_plugin_sees_nothing_of_the_agent(self):
        self.host.write("/etc/rad-agent/token", "glpat-secret", 0o600)
        self.host.run("mkdir", "-p", "/etc/systemd/system/rad-agent.service.d")
        self.host.write("/etc/systemd/system/rad-agent.service.d/token.conf",
                        "[Service]\nLoadCredential=gitlab-token:/etc/rad-agent/token\n")
        self.host.run("systemctl", "daemon-reload")
        self.host.run("systemctl", "restart", "rad-agent")
        credential = "/run/credentials/rad-agent.service/gitlab-token"
        self.assertEqual(self.host.out("cat", credential), "glpat-secret")

        def files():
            proc = f"/proc/{self.main_pid()}"
            return {"token": credential, "token_source": "/etc/rad-agent/token",
                    "store": "/var/lib/rad-agent/rad.db", "locks": "/var/lib/rad-agent/locks",
                    "memory": f"{proc}/mem", "environment": f"{proc}/environ", "descriptors": f"{proc}/fd"}

        sockets = [f"/run/rad-agent/{name}.sock" for name in ("control", "remove", "hold", "plugins/wal_e")]
        for unit in ("wal_e", "postgresql"):
            for what, answer in self.spied_from(unit, files, self.main_pid, sockets).items():
                self.assertIn(answer, ("EACCES", "ENOENT", "EPERM", "ESRCH"), f"{unit}: {what}")
        self.host.run("rm", "/etc/rad-agent/token")
        self.host.run("rm", "-r", "/etc/systemd/system/rad-agent.service.d")
        self.host.run("systemctl", "daemon-reload")
        self.host.run("systemctl", "restart", "rad-agent")

    def test_09b_a_hostile_server_does_not_see_the_keys(self):
        # The restored server is the user whom the keys belong to.
        self.assertEqual(self.host.out("stat", "-c", "%U", "/etc/rad-agent/gnupg"), "rad-plugin")
        self.host.run("systemd-run", "--quiet", "--unit=decrypting", "--uid=rad-plugin", "--gid=rad-plugin",
                      "-p", "PrivateTmp=yes", "-E", "PASSPHRASE=secret", "sleep", "900")

        def other():
            return int(self.host.out("systemctl", "show", "-P", "MainPID", "decrypting"))

        def files():
            proc = f"/proc/{other()}"
            return {"keyring": "/etc/rad-agent/gnupg", "its_tmp": f"{proc}/root/tmp",
                    "its_memory": f"{proc}/mem", "its_environment": f"{proc}/environ", "its_files": f"{proc}/fd"}

        answers = self.spied_from("postgresql", files, other,
                                  ["/run/dbus/system_bus_socket", "/run/rad-agent/plugins/wal_e.sock"])
        # A process of the same user can be signalled; that costs a run its verdict, and no secret.
        self.assertEqual(answers.pop("kill"), "reached")
        for what, answer in answers.items():
            self.assertIn(answer, ("EACCES", "ENOENT", "EPERM", "ESRCH"), what)
        # The same questions are answered in a unit that hides nothing: the test can fail.
        told = self.host.out("systemd-run", "--quiet", "--wait", "--pipe", "--uid=rad-plugin", "ls",
                             "/etc/rad-agent/gnupg", f"/proc/{other()}/root/tmp")
        self.assertIn("private-keys-v1.d", told)
        self.host.run("systemctl", "stop", "decrypting")
        self.host.run("systemctl", "restart", "rad-agent")

    def test_10_the_control_socket_survives_a_restart(self):
        inode = self.host.out("stat", "-c", "%i", "/run/rad-agent/control.sock")
        self.host.run("systemctl", "restart", "rad-agent")
        self.assertEqual(self.host.out("stat", "-c", "%i", "/run/rad-agent/control.sock"), inode)
        self.host.run("radctl", "status")
        self.host.run("systemctl", "stop", "rad-agent")
        # Nobody is there: whoever connects wakes it up and gets its answer.
        self.host.run("radctl", "status")
        self.await_active()

    def holds(self):
        return json.loads(self.host.out("radctl", "hold", "list", "--json"))["holds"]

    def test_11_a_held_instance_survives_the_agent(self):
        self.host.run("useradd", "--groups", "rad-operator", "--user-group", "operator1")
        self.host.run("useradd", "--user-group", "stranger1")
        self.host.run("radctl", "run", "start", "customers-db", "--hold", "1h", "--reason", "look at it",
                      "--wait", user="operator1", timeout=300)
        hold = wait_until("it is held", lambda: [one for one in self.holds() if one["state"] == "ready"])[0]
        line = self.host.out("radctl", "hold", "psql", hold["run_id"], user="operator1")
        question = line.split() + ["-XAtc", "select count(*) > 0 from pgbench_accounts"]
        pid = self.host.out("pgrep", "-o", "-u", "rad-plugin", "postgres")
        self.assertEqual(self.host.out(*question, user="operator1"), "t", line)
        self.host.run("systemctl", "restart", "rad-agent")
        self.assertEqual(self.host.out(*question, user="operator1"), "t", "after a restart")
        self.host.run("systemctl", "kill", "-s", "KILL", "rad-agent")
        self.await_active()
        self.assertEqual(self.host.out(*question, user="operator1"), "t", "after kill -9")
        self.assertEqual(self.host.out("pgrep", "-o", "-u", "rad-plugin", "postgres"), pid)
        self.assertEqual([one["state"] for one in self.holds()], ["ready"])
        self.assertNotEqual(self.host.run(*question, user="stranger1", check=False).returncode, 0)
        self.host.run("radctl", "hold", "release", hold["run_id"], user="operator1")
        wait_until("nothing is left", lambda: not self.holds() and not self.plugin_processes() and
                   not self.left_in("/var/lib/rad-agent/scratch") and not self.runtime_leftovers())

    def user(self, name, *groups):
        self.host.run("useradd", "--groups", ",".join(groups), "--user-group", name, check=False)
        return name

    def manual(self, page):
        text = self.host.out("sh", "-c", f"zcat -f /usr/share/man/man?/{page}.[18]*")
        return text.replace("\\-", "-")

    def test_12_a_new_user_writes_starts_and_cancels(self):
        """With nothing but what the package brings: explain, the examples and the manual pages."""
        # The host's own, as WAL-E has it already.
        self.host.run("sh", "-c", "mkdir -p /etc/wal-e.d/env && echo file:///srv/store "
                      "> /etc/wal-e.d/env/WALE_FILE_PREFIX && chgrp -R rad-plugin /etc/wal-e.d && "
                      "chmod -R u=rwX,g=rX,o= /etc/wal-e.d")
        operator = self.user("operator2", "rad-operator")
        viewer = self.user("viewer2", "rad-viewer")
        stranger = self.user("stranger2")
        manual = self.manual("radctl")
        for command in ("run start", "run cancel", "run wait", "reload", "audit"):
            self.assertIn(command, manual)
        for command in ("check-config", "explain"):
            self.assertIn(command, self.manual("rad-agent"))
        every = self.host.out("rad-agent", "explain")
        for key in ("targets[].name", "targets[].restore.plugin", "targets[].schedules"):
            self.assertIn(key, every)
            self.assertTrue(self.host.out("rad-agent", "explain", key))
        # The least that works, under another name, and nothing changed.
        examples = "/usr/share/doc/rad-agent/examples"
        self.host.run("sh", "-c", f"sed s/customers-db/second-db/ {examples}/minimal.yaml "
                      "> /etc/rad-agent/conf.d/second.yaml")
        self.host.run("rad-agent", "check-config")
        self.assertIn("2 targets", self.host.out("radctl", "reload", user=operator))
        for words, user, group in ((("status",), stranger, "rad-viewer"),
                                   (("run", "start", "second-db", "--reason", "x"), stranger, "rad-viewer"),
                                   (("run", "start", "second-db", "--reason", "x"), viewer, "rad-operator")):
            refused = self.host.run("radctl", *words, user=user, check=False)
            self.assertEqual(refused.returncode, 5, refused)
            self.assertIn("error: ", refused.stderr)
            self.assertRegex(refused.stderr, f"(?m)^hint: .*{group}")
        self.host.run("radctl", "status", user=viewer)
        started = json.loads(self.host.out("radctl", "run", "start", "second-db", "--json",
                                           "--reason", "first try", user=operator))
        self.host.run("radctl", "run", "cancel", started["run_id"], "--reason", "enough seen",
                      user=operator)
        ended = self.host.run("radctl", "run", "wait", started["run_id"], user=operator,
                              check=False, timeout=120)
        self.assertEqual(ended.returncode, 6, ended)
        self.assertIn("cancelled by operator2: enough seen", ended.stdout + ended.stderr)
        passed = self.host.run("radctl", "run", "start", "second-db", "--reason", "now all of it",
                               "--wait", user=operator, timeout=300)
        self.assertIn("PASS", passed.stdout)
        said = [(entry["user"], entry["action"], entry["allowed"])
                for entry in json.loads(self.host.out("radctl", "audit", "--json"))["entries"]]
        # Of a stranger nothing is read but who it is.
        for entry in ((stranger, "connect", False), (viewer, "run.start", False),
                      (operator, "run.start", True), (operator, "run.cancel", True),
                      (operator, "reload", True)):
            self.assertIn(entry, said)
        self.host.run("rm", "-r", "/etc/rad-agent/conf.d/second.yaml", "/etc/wal-e.d")
        self.host.run("radctl", "reload")

    def test_20_upgrade_keeps_state(self):
        runs = self.host.out("radctl", "run", "list", "--json")
        count = len(json.loads(runs)["runs"])
        self.assertGreater(count, 0)
        self.host.write("/etc/rad-agent/rad.yaml",
                        self.host.out("cat", "/etc/rad-agent/rad.yaml") + "\n# edited by hand\n")
        before = self.main_pid()
        self.host.run("dpkg", "--force-confold", "-i", f"/srv/{PACKAGES[1].name}", timeout=300)
        self.await_active()
        self.assertNotEqual(self.main_pid(), before)
        self.assertEqual(len(json.loads(self.host.out("radctl", "run", "list", "--json"))["runs"]), count)
        self.assertIn("# edited by hand", self.host.out("cat", "/etc/rad-agent/rad.yaml"))
        self.assertIn("1 target", self.show("rad-agent.service", "StatusText"))
        version = self.host.out("dpkg-query", "-W", "-f=${Version}", "rad-agent")
        self.assertIn(version, PACKAGES[1].name)

    def test_30_remove_keeps_history(self):
        self.host.run("dpkg", "-r", "rad-agent", timeout=300)
        self.assertEqual(self.host.out("pgrep", "-u", "rad-agent,rad-plugin", "-a", check=False), "")
        self.host.run("test", "-s", "/var/lib/rad-agent/rad.db")
        self.host.run("test", "-e", "/etc/rad-agent/rad.yaml")

    def test_31_purge_is_clean(self):
        ended = self.host.run("dpkg", "-P", "rad-agent")
        self.assertIn("secret keys in /etc/rad-agent/gnupg are left", ended.stderr)
        self.host.run("rm", "-r", "/etc/rad-agent/gnupg")
        self.host.run("dpkg", "-i", f"/srv/{PACKAGES[1].name}")
        self.await_active()
        self.host.run("dpkg", "-P", "rad-agent", timeout=300)
        left = self.host.out(
            "find", "/etc", "/usr", "/var", "/run", "/lib/systemd", "-xdev", "-name", "*rad-*",
            "-not", "-path", "/var/lib/rad-ccache*", "-not", "-path", "/var/cache/*",
            "-not", "-path", "*/python3*", "-not", "-path", "/usr/src/*", check=False).splitlines()
        ours = [path for path in left if re.search(r"/_?rad-(agent|plugin|hold|remove)|radctl", path)]
        self.assertEqual(ours, [])
        for user in ("rad-agent", "rad-plugin"):
            self.assertNotEqual(self.host.run("getent", "passwd", user, check=False).returncode, 0)
        failed = self.host.out("systemctl", "--failed", "--plain", "--no-legend", "rad-*", check=False)
        self.assertEqual(failed, "")


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("error: this test boots a container and needs root")
    PACKAGES = [pathlib.Path(sys.argv.pop(1)).resolve(), pathlib.Path(sys.argv.pop(1)).resolve()]
    unittest.main()
