"""A real systemd: this machine's own root, booted as a throw-away container.

Needs root, systemd-nspawn and a cgroup2 hierarchy. Nothing of the host is changed: the container
writes to an overlay in memory, has a network of its own, and is powered off at the end.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

CGROUPS = pathlib.Path("/sys/fs/cgroup")
# Services of the host that would only cost time.
MASKED = re.compile(
    r"^(ceph|swift|keystone|prometheus|postgresql|apache2|memcached|radosgw|lvm2|nvmf|cron|apt-daily|"
    r"e2scrub|dpkg-db|fstrim|man-db|nginx|ssh|systemd-networkd|systemd-resolved)[^@]*\.(service|timer|socket)$")
# What the package makes itself.
USERS = ("rad-agent", "rad-plugin", "rad-viewer", "rad-operator")


def call(*words, check=True, text=True, timeout=120, **options):
    return subprocess.run([str(word) for word in words], check=check, text=text, timeout=timeout,
                          stdin=subprocess.DEVNULL, **options)


class Container:
    """Booted in the constructor; stop() takes it down."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="rad-systemd."))
        self.name = f"rad-systemd-{os.getpid()}"
        self.nspawn = None
        self.cgroup_mount = None
        self.cgroup = None
        try:
            self._mount()
            self._prepare()
            self._boot()
        except BaseException:
            self.stop()
            raise

    def _mount(self):
        cgroups = CGROUPS / "unified"
        if (CGROUPS / "cgroup.controllers").exists():
            cgroups = CGROUPS
        elif not os.path.ismount(cgroups):
            cgroups = self.cgroup_mount = self.dir / "cgroup"
            cgroups.mkdir()
            call("mount", "-t", "cgroup2", "none", cgroups)
        self.cgroup = cgroups / self.name
        self.cgroup.mkdir()
        self.layers = self.dir / "layers"
        self.layers.mkdir()
        call("mount", "-t", "tmpfs", "rad-systemd", self.layers)
        self.root = self.layers / "root"
        for name in ("upper", "work", "root"):
            (self.layers / name).mkdir()
        call("mount", "-t", "overlay", "rad-systemd", "-o",
             f"lowerdir=/,upperdir={self.layers}/upper,workdir={self.layers}/work", self.root)

    def _prepare(self):
        units = self.root / "etc/systemd/system"
        for unit in os.listdir(self.root / "lib/systemd/system"):
            if MASKED.match(unit) and not (units / unit).exists():
                os.symlink("/dev/null", units / unit)
        for name in ("fstab", "machine-id"):
            (self.root / "etc" / name).unlink(missing_ok=True)
        (self.root / "etc/machine-id").touch()
        (self.root / "usr/sbin/policy-rc.d").unlink(missing_ok=True)
        for user in USERS:
            for table in ("passwd", "group", "shadow", "gshadow"):
                path = self.root / "etc" / table
                lines = path.read_text().splitlines(keepends=True)
                path.write_text("".join(line for line in lines if not line.startswith(user + ":")))

    def _boot(self):
        script = ('echo $BASHPID > "$1/cgroup.procs"; export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1; '
                  'exec systemd-nspawn --quiet -D "$2" --machine="$3" --register=no --keep-unit '
                  "--private-network --console=read-only --link-journal=no -b")
        self.console = open(self.dir / "console", "wb")
        self.nspawn = subprocess.Popen(
            ["bash", "-c", script, "boot", self.cgroup, self.root, self.name],
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console)
        end = time.monotonic() + 120
        while time.monotonic() < end:
            leader = call("pgrep", "-P", self.nspawn.pid, check=False, capture_output=True).stdout.split()
            if leader:
                self.leader = leader[0]
                state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
                if state in ("running", "degraded"):
                    return
            if self.nspawn.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError("systemd did not boot:\n" + (self.dir / "console").read_text())

    def run(self, *words, check=True, user=None, timeout=120, env=None):
        """A command inside, as root or another user. Output is captured."""
        # nsenter does not look into the container's PATH for us.
        inside = ["nsenter", "-t", self.leader, "-a", "/usr/bin/env", "-i",
                  "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "PAGER=", "TERM=dumb"]
        inside += [f"{key}={value}" for key, value in (env or {}).items()]
        if user:
            inside += ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]
        try:
            ended = call(*inside, *words, check=False, capture_output=True, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"{words} took longer than {timeout} s: {error.stdout}") from None
        if check and ended.returncode != 0:
            raise AssertionError(
                f"{' '.join(map(str, words))}: exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}")
        return ended

    def out(self, *words, **options):
        return self.run(*words, **options).stdout.strip()

    def path(self, inside):
        """Seen from the host; not for /run and /tmp, which are mounts of the container."""
        return self.root / str(inside).lstrip("/")

    def write(self, inside, text, mode=0o644):
        self.run("sh", "-c", 'printf %s "$1" > "$2" && chmod "$3" "$2"', "write", text, inside,
                 oct(mode)[2:])

    def stop(self):
        if self.nspawn and self.nspawn.poll() is None:
            if hasattr(self, "leader"):
                self.run("systemctl", "poweroff", check=False)
            try:
                self.nspawn.wait(60)
            except subprocess.TimeoutExpired:
                self.nspawn.kill()
                self.nspawn.wait()
        if self.nspawn:
            self.console.close()
        if self.cgroup and self.cgroup.exists():
            for _ in range(50):
                if call("find", self.cgroup, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";",
                        check=False, capture_output=True).returncode == 0 and not self.cgroup.exists():
                    break
                time.sleep(0.1)
        for mount in (getattr(self, "root", None), getattr(self, "layers", None), self.cgroup_mount):
            if mount and os.path.ismount(mount):
                call("umount", "-l", mount, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)
