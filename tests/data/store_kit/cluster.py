"""A PostgreSQL cluster of our own, for as long as a `with` block lasts."""

import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

SEGMENT_BYTES = 16 * 1024 * 1024
CONFIGURATION = """\
listen_addresses = ''
unix_socket_directories = '{socket_dir}'
unix_socket_permissions = 0777
fsync = off
full_page_writes = on
autovacuum = off
max_connections = 40
max_locks_per_transaction = 1024
shared_buffers = 32MB
wal_level = replica
max_wal_senders = 4
max_wal_size = 4GB
archive_mode = on
archive_command = 'cp %p {archive}/tmp.%f && mv {archive}/tmp.%f {archive}/%f'
logging_collector = off
log_timezone = 'UTC'
timezone = 'UTC'
"""


def bin_dir(major=15):
    path = pathlib.Path(f"/usr/lib/postgresql/{major}/bin")
    if not (path / "postgres").exists():
        raise SystemExit(f"error: no PostgreSQL {major} in {path}\n"
                         f"hint: apt-get install postgresql-{major}")
    return path


def server_account():
    """The user that PostgreSQL programs run as: a server refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("rad-plugin", "postgres"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise SystemExit("error: running as root, and there is no user 'rad-plugin' or 'postgres'")


def as_server(argv, account):
    """argv as the server's account; it dies with us, so that a killed script leaves no server."""
    prefix = ["setpriv", "--pdeathsig", "QUIT"]
    if account:
        prefix += [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    return prefix + ["--"] + [str(a) for a in argv]


class Cluster:
    """One data directory, its archive and its server."""

    def __init__(self, root, archive, superuser="postgres", port=5432, segment_mb=16, major=15):
        self.root = pathlib.Path(root)
        self.data = self.root / "data"
        self.archive = pathlib.Path(archive)
        self.superuser = superuser
        self.port = port
        self.segment_bytes = segment_mb * 1024 * 1024
        self.bin = bin_dir(major)
        self.account = server_account()
        self.socket_dir = pathlib.Path(tempfile.mkdtemp(prefix="rad-pg-", dir="/tmp"))
        self.server = None
        for path in (self.root, self.archive):
            path.mkdir(parents=True, exist_ok=True)
        for path in (self.root, self.archive, self.socket_dir):
            self.give(path)

    def give(self, path):
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop("immediate")
        shutil.rmtree(self.socket_dir, ignore_errors=True)

    def run(self, program, *args, **kwargs):
        argv = as_server([self.bin / program, *args], self.account)
        done = subprocess.run(argv, check=False, cwd="/", text=True, capture_output=True, **kwargs)
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stderr.strip()}")
        return done

    def initdb(self, wal_dir=None):
        extra = ["-X", wal_dir] if wal_dir else []
        self.run("initdb", "-D", self.data, "-U", self.superuser, "-A", "trust", "-N", "-k",
                 "--locale=C", "--encoding=UTF8",
                 f"--wal-segsize={self.segment_bytes // 1024 // 1024}", *extra)
        self.configure()

    def configure(self, **settings):
        text = CONFIGURATION.format(socket_dir=self.socket_dir, archive=self.archive)
        text += "".join(f"{name} = '{value}'\n" for name, value in settings.items())
        (self.data / "postgresql.conf").write_text(text)

    def start(self):
        self.log = open(self.root / "server.log", "ab")
        argv = as_server([self.bin / "postgres", "-D", self.data, "-p", str(self.port)],
                         self.account)
        self.server = subprocess.Popen(argv, cwd="/", stdin=subprocess.DEVNULL,
                                       stdout=self.log, stderr=self.log)
        self.wait_until(self.accepts, "the server accepts connections")

    def accepts(self):
        if self.server.poll() is not None:
            tail = (self.root / "server.log").read_text(errors="replace")[-1200:]
            raise SystemExit(f"error: the test cluster did not start\n{tail}")
        argv = [self.bin / "pg_isready", "-q", "-h", self.socket_dir, "-p", str(self.port),
                "-U", self.superuser, "-d", "postgres"]
        return subprocess.run(argv, check=False).returncode == 0

    def stop(self, mode="fast"):
        if not self.server:
            return
        number = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode]
        if self.server.poll() is None:
            self.server.send_signal(number)
        try:
            self.server.wait(60)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
        self.server = None
        self.log.close()

    @staticmethod
    def wait_until(condition, what, limit=60.0):
        deadline = time.monotonic() + limit
        while not condition():
            if time.monotonic() > deadline:
                raise SystemExit(f"error: waited {limit:.0f} s in vain until {what}")
            time.sleep(0.02)

    def psql_argv(self, database="postgres"):
        os.environ["PGOPTIONS"] = "-c client_min_messages=warning"
        return [str(self.bin / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h",
                str(self.socket_dir), "-p", str(self.port), "-U", self.superuser, "-d", database]

    def sql(self, text, database="postgres"):
        """Output of `text` as one string. Fails loudly."""
        done = subprocess.run(self.psql_argv(database), input=text, text=True, check=False,
                              capture_output=True)
        if done.returncode != 0:
            raise SystemExit(f"error: SQL failed in the test cluster: {done.stderr.strip()}")
        return done.stdout.strip()

    def pgbench(self, *args, database="app"):
        """Starts pgbench; finish_pgbench() must follow."""
        argv = [self.bin / "pgbench", "-h", self.socket_dir, "-p", self.port, "-U",
                self.superuser, "-n", *args, database]
        return subprocess.Popen([str(a) for a in argv], stdout=subprocess.DEVNULL,
                                stderr=self.log)

    @staticmethod
    def finish_pgbench(process, stop=False):
        if stop:
            process.terminate()
        if process.wait(120) != 0 and not stop:
            raise SystemExit(f"error: pgbench ended with {process.returncode}")

    def switch_and_archive(self):
        """Ends the current segment and waits until the archive has it. -> its name."""
        name = self.sql("select pg_walfile_name(pg_switch_wal())")
        # A switch does nothing at the very beginning of a segment.
        if (self.archive / name).exists():
            return name
        self.wait_until(lambda: (self.archive / name).exists(), f"{name} is archived")
        return name

    def lsn(self):
        return parse_lsn(self.sql("select pg_current_wal_lsn()"))


def parse_lsn(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


class BackupSession:
    """pg_backup_start .. pg_backup_stop: both have to happen in one connection."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.psql = subprocess.Popen(cluster.psql_argv(), stdin=subprocess.PIPE, text=True,
                                     stdout=subprocess.PIPE)

    def ask(self, query):
        self.psql.stdin.write(query + ";\n")
        self.psql.stdin.flush()
        line = self.psql.stdout.readline()
        if not line:
            raise SystemExit(f"error: the backup session ended at: {query}")
        return line.strip()

    def start(self, label):
        """-> start LSN as text."""
        return self.ask(f"select pg_backup_start('{label}', true)")

    def stop(self):
        """-> {lsn, labelfile, spcmapfile, segment, offset}, when all its WAL is archived."""
        answer = self.ask(
            "select row_to_json(x) from (select lsn, labelfile, spcmapfile, (o).file_name as "
            "segment, (o).file_offset as offset from (select *, pg_walfile_name_offset(lsn) as o "
            "from pg_backup_stop(true)) s) x")
        self.psql.stdin.close()
        self.psql.wait(30)
        return json.loads(answer)
