"""The real rad-agent as a process, with directories of its own and the plugins it is given.

Every test has a directory below /tmp whose name stands in the command line, the environment or the
working directory of whatever the agent starts, so that survivors are found without guessing.
"""

import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[3]
# The machine that runs the tests may be busy: limits are for hangs, not for slowness.
PATIENCE = 120

BUILD = pathlib.Path(os.environ.get("RAD_BINARY_DIR", SOURCE / "build" / "dev"))


def main():
    """PROGRAM BUILD-DIRECTORY [unittest arguments]"""
    global BUILD
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-") and "." not in sys.argv[1][:1]:
        BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
    if not (BUILD / "bin" / "rad-agent").exists():
        sys.exit(f"error: there is no rad-agent in '{BUILD}/bin'")
    os.umask(0o022)
    unittest.main()


def wait_until(what, question, seconds=PATIENCE):
    """Asks until the answer is true and returns it."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def read_proc(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def start_time(pid):
    """Field 22 of /proc/PID/stat: tells a process from a later one with the same number."""
    stat = read_proc(pid, "stat")
    return stat.rpartition(b")")[2].split()[19] if stat else None


def state_of(pid):
    stat = read_proc(pid, "stat")
    return stat.rpartition(b")")[2].split()[0].decode() if stat else ""


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def command_of(pid):
    return read_proc(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def descendants(root):
    """Numbers of all processes below root, in whatever namespace, parents first."""
    children = {}
    for pid in all_pids():
        stat = read_proc(pid, "stat")
        if stat:
            children.setdefault(int(stat.rpartition(b")")[2].split()[1]), []).append(pid)
    found, open_list = [], [root]
    while open_list:
        below = children.get(open_list.pop(0), [])
        found += below
        open_list += below
    return found


def processes_of(directory):
    """Processes that name the directory in arguments, environment or working directory."""
    needle = str(directory).encode()
    found = []
    for pid in all_pids():
        if pid == os.getpid() or state_of(pid) == "Z":
            continue
        try:
            cwd = os.readlink(f"/proc/{pid}/cwd").encode()
        except OSError:
            cwd = b""
        if needle in read_proc(pid, "cmdline") + read_proc(pid, "environ") + cwd:
            found.append(pid)
    return found


class Ended:
    """What came of a command."""

    def __init__(self, status, stdout, stderr):
        self.status, self.stdout, self.stderr = status, stdout, stderr

    @property
    def report(self):
        return json.loads(self.stdout)

    def __str__(self):
        return f"exit {self.status}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


class Started:
    """A command that goes on; its stderr can be waited for."""

    def __init__(self, arguments, environment, user=None):
        preexec = None
        if user is not None:
            def preexec():
                os.setgroups([])
                os.setgid(user.pw_gid)
                os.setuid(user.pw_uid)
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment, preexec_fn=preexec)
        self.pid = self.process.pid
        self._texts = {"stdout": b"", "stderr": b""}
        self._changed = threading.Condition()
        self._readers = [threading.Thread(target=self._read, args=(name,), daemon=True)
                         for name in self._texts]
        for reader in self._readers:
            reader.start()

    def _read(self, name):
        stream = getattr(self.process, name)
        while True:
            chunk = stream.read1(65536)
            with self._changed:
                self._texts[name] += chunk
                if not chunk:
                    self._texts[name + "_ended"] = b"1"
                self._changed.notify_all()
            if not chunk:
                stream.close()
                return

    @property
    def stderr(self):
        with self._changed:
            return self._texts["stderr"].decode(errors="replace")

    def wait_for(self, text, seconds=PATIENCE):
        """Until stderr holds the text. Returns false if the command ended without it."""
        end = time.monotonic() + seconds
        with self._changed:
            while text.encode() not in self._texts["stderr"]:
                if "stderr_ended" in self._texts:
                    return False
                if not self._changed.wait(end - time.monotonic()):
                    raise AssertionError(f"no '{text}' within {seconds} s in:\n"
                                         + self._texts["stderr"].decode(errors="replace"))
        return True

    def running(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def end(self, seconds=PATIENCE):
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            tree = "\n".join(f"{pid} {command_of(pid)}" for pid in descendants(self.pid))
            self.process.kill()
            raise AssertionError(f"still running after {seconds} s; below it:\n{tree}\n"
                                 f"{self.stderr}") from None
        for reader in self._readers:
            reader.join(10)
        return Ended(status, self._texts["stdout"].decode(errors="replace"), self.stderr)


class Host:
    """Directories, configuration and plugins of one agent."""

    def __init__(self, plugins=("fake",), user=None):
        self.user = user
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="rad-t."))
        self.top.chmod(0o755)
        self.state, self.scratch = self.top / "state", self.top / "scratch"
        self.runtime, self.issues = self.top / "rt", self.top / "issues"
        self.plugins, self.libexec = self.top / "plugins", self.top / "libexec"
        self.database = self.state / "rad.db"
        # Hard links or copies: their paths, which stand in the command lines, are this test's.
        self.plugins.mkdir(mode=0o755)
        for name in plugins:
            self.add_program(BUILD / "plugins.d" / name, self.plugins / name)
        self.libexec.mkdir(mode=0o755)
        for program in (BUILD / "libexec").iterdir():
            self.add_program(program, self.libexec / program.name)
        self.config = {
            "agent": {
                "state_dir": str(self.state), "scratch_dir": str(self.scratch),
                "runtime_dir": str(self.runtime), "plugin_dir": str(self.plugins),
                "libexec_dir": str(self.libexec), "scratch_reserve": "64KiB",
                "control_socket": str(self.top / "control.sock"),
                # Groups that every Debian has.
                "viewer_group": "daemon", "operator_group": "adm",
                "metrics": {"listen": "off"},
            },
            "targets": [],
            "reporters": [{"reporter": "issue_directory", "path": str(self.issues)}],
        }
        self.config_file = self.top / "rad.yaml"
        if user is not None:
            os.chown(self.top, user.pw_uid, user.pw_gid)

    @staticmethod
    def add_program(source, destination):
        shutil.copyfile(source, destination)
        destination.chmod(0o755)

    def add_fake(self, name="t", script=None, instance=True, **fields):
        """A target of plugin fake. `restore`: further options; the rest: further fields."""
        restore = {"plugin": "fake", **fields.pop("restore", {})}
        if script is not None:
            path = self.top / f"{name}.script.json"
            path.write_text(json.dumps(script))
            restore["script"] = str(path)
        target = {"name": name, "restore": restore, **fields}
        target.setdefault("schedules",
                          [{"name": "rad", "cron": "0 6 2 * *", "depth": "restore"}])
        if instance:
            target["instance"] = {"plugin": "fake"}
        self.config["targets"].append(target)
        return target

    def write_config(self):
        # JSON is YAML. Whole at once: another agent may be reading it.
        new = self.config_file.with_suffix(".new")
        new.write_text(json.dumps(self.config, indent=1))
        new.replace(self.config_file)

    def start(self, *arguments):
        self.write_config()
        environment = {**os.environ, "RAD_TEST_DIRECTORY": str(self.top), "TERM": "dumb"}
        # Plugins that crash as told to do it as they would without sanitizers.
        for name in ("ASAN_OPTIONS", "TSAN_OPTIONS"):
            environment[name] = ":".join([os.environ.get(name, "exitcode=66"), "handle_segv=0",
                                          "handle_abort=0"])
        command = [str(BUILD / "bin" / "rad-agent"), *arguments, "--config",
                   str(self.config_file)]
        return Started(command, environment, self.user)

    def call(self, *arguments, seconds=PATIENCE):
        return self.start(*arguments).end(seconds)

    def run(self, target="t", *arguments, seconds=PATIENCE):
        return self.call("run", target, "--json", *arguments, seconds=seconds)

    def query(self, sql, *values):
        """Rows of the agent's store."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30) as database:
            return database.execute(sql, values).fetchall()

    def recorded(self, run_id):
        rows = self.query("select report from runs where id = ?", run_id)
        return json.loads(rows[0][0]) if rows else None

    def issue_files(self):
        return sorted(self.issues.glob("*.md"))

    def leftovers(self):
        """Everything of a run that is still there, as lines of text; waits for dying processes."""
        end = time.monotonic() + 10
        while processes_of(self.top) and time.monotonic() < end:
            time.sleep(0.02)
        left = [f"process {pid}: {command_of(pid)}" for pid in processes_of(self.top)]
        for directory in (self.scratch, self.runtime):
            if directory.exists():
                left += [f"path {path}" for path in directory.rglob("*")]
        left += [f"lock {path}" for path in self.state.glob("locks/run-*")]
        with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
            left += [f"mount {line.strip()}" for line in mounts if str(self.top) in line]
        if self.database.exists():
            left += [f"ledger {row[0]}" for row in self.query("select path from ledger")]
        return left

    def remove(self):
        for pid in processes_of(self.top):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.top, ignore_errors=True)


REPORT_FIELDS = {
    "id", "target", "schedule", "depth", "requested_by", "request_note",
    "requested_backup", "requested_recover_to", "host", "agent_version",
    "created_at", "ended_at", "backup", "recovery", "isolation", "stages", "checks", "findings",
    "faults", "verdict", "cause", "cleanup", "cleanup_message", "kept_path", "kept_until",
    "bytes_read", "bytes_restored", "measured_rto_seconds", "measured_rpo_seconds",
    "rto_target_seconds", "rpo_target_seconds"}
ERROR_FIELDS = {"reason", "message", "hint", "object", "offset", "retryable", "detail"}
CHECK_FIELDS = {"name", "check", "plugin", "outcome", "reason", "proof", "message", "hint",
                "object", "measured", "expected", "details", "duration_seconds"}
STATUS = {"pass": 0, "fail": 1, "inconclusive": 3, "cancelled": 6}


class AgentTest(unittest.TestCase):
    """A test with a host of its own, which must be clean when it ends."""

    longMessage = True
    maxDiff = None

    def setUp(self):
        self.host = Host()
        self.addCleanup(self.host.remove)

    def check_report(self, ended, verdict, reason=None):
        """That stdout is one whole record with this verdict, the status fits and nothing is left."""
        try:
            report = ended.report
        except json.JSONDecodeError:
            self.fail(f"stdout is no JSON: {ended}")
        self.assertEqual(set(report), REPORT_FIELDS, ended)
        for check in report["checks"]:
            self.assertEqual(set(check), CHECK_FIELDS, ended)
        if report["cause"] is not None:
            self.assertEqual(set(report["cause"]), ERROR_FIELDS, ended)
        found = (report["verdict"], (report["cause"] or {}).get("reason"))
        self.assertEqual(found, (verdict, reason), ended)
        self.assertEqual(ended.status, STATUS[verdict], ended)
        self.assertEqual(report["stages"][-1]["stage"], "report", ended)
        for stage in report["stages"]:
            self.assertIsNotNone(stage["ended_at"], ended)
        # What is printed is what is remembered.
        kept = self.host.recorded(report["id"])
        for field in ("id", "verdict", "cause", "cleanup", "checks"):
            self.assertEqual(kept[field], report[field], ended)
        return report

    def check_nothing_left(self, host=None):
        self.assertEqual((host or self.host).leftovers(), [])

    def stages(self, report):
        return [stage["stage"] for stage in report["stages"]]
