"""radctl as a process, with and without a terminal."""

import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from fake_agent import FakeAgent

# The machine that runs the tests may be busy: limits are for hangs, not for slowness.
PATIENCE = 120
BUILD = pathlib.Path(os.environ.get("RAD_BINARY_DIR", "build/dev"))


def main():
    """PROGRAM BUILD-DIRECTORY [unittest arguments]"""
    global BUILD
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
    if not (BUILD / "bin" / "radctl").exists():
        sys.exit(f"error: there is no radctl in '{BUILD}/bin'")
    unittest.main()


class Ended:
    def __init__(self, status, stdout, stderr):
        self.status, self.stdout, self.stderr = status, stdout, stderr

    def __str__(self):
        return f"exit {self.status}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


class Terminal:
    """radctl on a pseudo terminal of its own: what it writes is read, what is typed is sent."""

    def __init__(self, arguments, environment):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(arguments[0], arguments, environment)
        self.seen = ""

    def _read(self, seconds):
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return True
        try:
            chunk = os.read(self.fd, 65536)
        except OSError:
            return False
        self.seen += chunk.decode(errors="replace")
        return bool(chunk)

    def wait_for(self, text, start=0, seconds=PATIENCE):
        """Position after the first such text from `start` on."""
        end = time.monotonic() + seconds
        while text not in self.seen[start:]:
            if not self._read(0.2) or time.monotonic() > end:
                raise AssertionError(f"no '{text}' in:\n{self.seen}")
        return self.seen.index(text, start) + len(text)

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self, seconds=PATIENCE):
        """Exit status; reads on, so that the program is never held up."""
        end = time.monotonic() + seconds
        while True:
            self._read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self._read(0.05) and select.select([self.fd], [], [], 0)[0]:
                    pass
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                raise AssertionError(f"still running:\n{self.seen}")


class RadctlTest(unittest.TestCase):
    longMessage = True
    maxDiff = None

    def setUp(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="rad-c."))
        self.top.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.top, True)
        # A copy that any account can reach, wherever the build lies.
        self.program = self.top / "radctl"
        shutil.copyfile(BUILD / "bin" / "radctl", self.program)
        self.program.chmod(0o755)
        self.socket = self.top / "s"
        self.agent = FakeAgent(self.socket)
        self.addCleanup(self.agent.stop)

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items()
                if name not in ("NO_COLOR", "RAD_SOCKET")}
        return {**kept, "RAD_SOCKET": str(self.socket), "TERM": "xterm", "TZ": "UTC", **more}

    def start(self, *arguments, **options):
        return subprocess.Popen([str(self.program), *arguments], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=self.environment(), **options)

    def call(self, *arguments, **options):
        process = self.start(*arguments, **options)
        return self.finish(process)

    def finish(self, process):
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return Ended(process.returncode, out.decode(), err.decode())

    def terminal(self, *arguments, **environment):
        return Terminal([str(self.program), *arguments], self.environment(**environment))
