#!/usr/bin/env python3
"""WAL of clusters that were promoted, and of other segment sizes than 16 MiB: real servers, the real agent."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

from wale_host import DATA, WaleHost

import agent_under_test
from agent_under_test import SOURCE, AgentTest

sys.path.insert(0, str(SOURCE / "tests" / "data"))

# pylint: disable=wrong-import-position
from store_kit import capture as cap  # noqa: E402
from store_kit import cluster as pg  # noqa: E402
from store_kit import encode, objects  # noqa: E402

ROWS = "insert into t select i from generate_series(1, {}) i"


def backup(cluster, into):
    into.mkdir(parents=True)
    facts = cap.new_facts(cluster, into.name, 1)
    cap.hot_backup(cluster, into, facts)
    facts.save(into)
    return facts


def standby_of(primary, root, then):
    """A streaming standby of `primary`; `then` happens on the primary, which dies; -> the promoted one."""
    standby = pg.Cluster(root, primary.archive, segment_mb=primary.segment_bytes >> 20)
    argv = pg.as_server([primary.bin / "pg_basebackup", "-h", primary.socket_dir, "-p", primary.port,
                         "-U", "postgres", "-D", standby.data, "-X", "stream", "-c", "fast", "-R"],
                        primary.account)
    subprocess.run(argv, check=True, cwd="/", capture_output=True)
    standby.configure()
    (standby.data / "postgresql.auto.conf").write_text(
        f"primary_conninfo = 'host={primary.socket_dir} port={primary.port} user=postgres'\n")
    standby.start()
    then()
    goal = primary.lsn()
    primary.wait_until(lambda: pg.parse_lsn(standby.sql("select pg_last_wal_replay_lsn()")) >= goal,
                       "the standby has caught up")
    primary.stop("immediate")
    promote(standby)
    return standby


def promote(cluster):
    before = set(cluster.archive.glob("*.history"))
    cluster.sql("select pg_promote()")
    cluster.wait_until(lambda: set(cluster.archive.glob("*.history")) > before,
                       "the history file is archived")


def fork(primary_capture, archive, root, segment_mb, name):
    """Somebody restores the backup up to a restore point, promotes it, and archives into the same prefix."""
    fork_cluster = pg.Cluster(root, archive, segment_mb=segment_mb)
    shutil.copytree(primary_capture / "data", fork_cluster.data, symlinks=True)
    subprocess.run(["chown", "-R", f"--reference={root}", str(fork_cluster.data)], check=True)
    fork_cluster.data.chmod(0o700)
    fork_cluster.configure(restore_command=f"cp {archive}/%f %p", recovery_target_name=name,
                           recovery_target_timeline="1", recovery_target_action="pause")
    (fork_cluster.data / "recovery.signal").touch()
    (fork_cluster.data / "pg_hba.conf").write_text("local all all trust\nlocal replication all trust\n")
    (fork_cluster.data / "pg_ident.conf").touch()
    fork_cluster.give(fork_cluster.data / "recovery.signal")
    fork_cluster.start()
    fork_cluster.wait_until(lambda: fork_cluster.sql("select pg_get_wal_replay_pause_state()") == "paused",
                            "the restore point is reached")
    promote(fork_cluster)
    return fork_cluster


class WalTest(AgentTest):
    def setUp(self):
        self.host = WaleHost()
        self.addCleanup(self.host.remove)


class Promoted(WalTest):
    """Backup A on timeline 1; 2 and 3 follow it, each from the middle of a segment, with backup B on 3;
    then timeline 4, which leaves timeline 1 behind A and before all that."""
    SEGMENT_MB = 1

    @classmethod
    def setUpClass(cls):
        cls.top = pathlib.Path(tempfile.mkdtemp(prefix="rad-tl-"))
        cls.addClassCleanup(shutil.rmtree, cls.top, ignore_errors=True)
        cls.top.chmod(0o755)
        archive = cls.top / "archive"
        clusters = []
        try:
            first = pg.Cluster(cls.top / "1", archive, segment_mb=cls.SEGMENT_MB)
            clusters.append(first)
            first.initdb()
            first.start()
            first.sql("create table t (id int)")
            backup(first, cls.top / "a")
            first.sql(ROWS.format(1))
            first.sql("select pg_create_restore_point('fork')")
            first.sql(ROWS.format(10))
            first.switch_and_archive()
            clusters.append(standby_of(first, cls.top / "2", lambda: first.sql(ROWS.format(30000))))
            second = clusters[-1]
            second.sql(ROWS.format(100))
            second.switch_and_archive()
            second.sql(ROWS.format(1000))
            clusters.append(standby_of(second, cls.top / "3", lambda: second.sql(ROWS.format(2000))))
            third = clusters[-1]
            backup(third, cls.top / "b")
            third.sql(ROWS.format(10000))
            third.switch_and_archive()
            third.stop()
            cls.write("three", ("a", "b"))
            clusters.append(fork(cls.top / "a", archive, cls.top / "4", cls.SEGMENT_MB, "fork"))
            clusters[-1].sql(ROWS.format(5))
            clusters[-1].switch_and_archive()
            clusters[-1].stop()
            cls.write("four", ("a", "b"))
        finally:
            for cluster in clusters:
                cluster.__exit__()

    @classmethod
    def write(cls, name, captures):
        with objects.Keyring(DATA / "keys") as keyring:
            for capture in captures:
                shutil.copytree(cls.top / "archive", cls.top / capture / "archive", dirs_exist_ok=True)
                cls.names = getattr(cls, "names", {})
                cls.names[capture], _ = encode.write_store(
                    cls.top / capture, cls.top / name, encode.Format(encryption="all"), keyring)

    def restored(self, store, capture, rows, timeline):
        self.host.add_wale(
            restore={"storage": f"file://{self.top}/{store}", "backup": self.names[capture]},
            checks=[{"check": "sql", "name": "rows", "database": "postgres",
                     "query": f"select count(*) = {rows} from t"}])
        self.check_report(self.host.run("t", "--depth", "verify"), "pass")
        report = self.check_report(self.host.run(), "pass")
        self.assertEqual(report["recovery"]["timeline"], timeline, report["recovery"])
        return report

    def test_three_deep(self):
        names = {path.name for path in (self.top / "three" / "wal_005").iterdir()}
        self.assertTrue(any(name.endswith(".partial.lzo") for name in names), names)
        self.restored("three", "a", 1 + 10 + 30000 + 100 + 1000 + 2000 + 10000, 3)

    def test_backup_of_a_later_timeline_beside_a_stranger(self):
        report = self.restored("four", "b", 1 + 10 + 30000 + 100 + 1000 + 2000 + 10000, 3)
        self.assertIn("timeline_not_followed", str(report["findings"]))

    def test_the_newest_timeline_is_followed(self):
        self.restored("four", "a", 1 + 5, 4)

    def test_the_newest_without_its_first_segment(self):
        # The segment of the switch is still on timeline 1, but the rest of it would be missing.
        store = self.top / "cut"
        shutil.copytree(self.top / "three", store)
        self.addCleanup(shutil.rmtree, store)
        first_of_3 = min(path for path in (store / "wal_005").glob("00000003*.lzo")
                         if len(path.name) == 28)
        first_of_3.unlink()
        self.host.add_wale(restore={"storage": f"file://{store}", "backup": self.names["a"]}, checks=[])
        self.check_report(self.host.run(), "fail", "wal_gap")


class LargeSegments(WalTest):
    def test_of_64_mib(self):
        top = pathlib.Path(tempfile.mkdtemp(prefix="rad-64-"))
        self.addCleanup(shutil.rmtree, top, ignore_errors=True)
        top.chmod(0o755)
        with pg.Cluster(top / "1", top / "archive", segment_mb=64) as cluster:
            cluster.initdb()
            cluster.configure(min_wal_size="128MB")
            cluster.start()
            cluster.sql("create table t (id int)")
            backup(cluster, top / "capture")
            cluster.sql(ROWS.format(2000000))
            cluster.switch_and_archive()
            cluster.sql(ROWS.format(1))
            cluster.switch_and_archive()
        shutil.copytree(top / "archive", top / "capture" / "archive")
        with objects.Keyring(DATA / "keys") as keyring:
            encode.write_store(top / "capture", top / "store", encode.Format(encryption="all"), keyring)
        self.host.add_wale(restore={"storage": f"file://{top}/store"},
                      checks=[{"check": "sql", "name": "rows", "database": "postgres",
                               "query": "select count(*) = 2000001 from t"}])
        self.check_report(self.host.run("t", "--depth", "verify"), "pass")
        self.check_report(self.host.run(), "pass")


if __name__ == "__main__":
    agent_under_test.main()
