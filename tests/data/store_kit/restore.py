"""Restoring a store by hand, with gpg, lzop, tar and PostgreSQL: the second opinion."""

import json
import pathlib
import re
import shutil
import subprocess

from . import capture as cap
from . import cluster as pg
from . import objects


def partitions_of(store, name):
    folder = pathlib.Path(store) / "basebackups_005" / name / "tar_partitions"
    numbered = {int(re.fullmatch(r"part_(\d+)\.tar\.lzo", p.name)[1]): p for p in folder.iterdir()}
    return [numbered[n] for n in sorted(numbered)]


def unpack(path, data, keyring):
    """gpg -d | lzop -dc | tar -x, each of which has to succeed."""
    with open(path, "rb", buffering=0) as stored:
        encrypted = objects.is_encrypted(stored.read(9))
        stored.seek(0)
        processes, source = [], stored
        if encrypted:
            processes.append(subprocess.Popen(keyring.argv("-d"), stdin=stored,
                                              stdout=subprocess.PIPE, stderr=subprocess.PIPE))
            source = processes[-1].stdout
        processes.append(subprocess.Popen(["lzop", "-dc"], stdin=source, stdout=subprocess.PIPE,
                                          stderr=subprocess.PIPE))
        tar = ["tar", "-x", "--no-same-owner", "-C", str(data), "-f", "-"]
        processes.append(subprocess.Popen(tar, stdin=processes[-1].stdout,
                                          stderr=subprocess.PIPE))
        for process in processes[:-1]:
            process.stdout.close()
        for process in reversed(processes):
            message = process.stderr.read().decode(errors="replace")
            if process.wait() != 0:
                raise RuntimeError(f"{process.args[0]}: {message.strip()}")


def put_right(data, spaces):
    """What a restore of a WAL-E backup has to put right before the server may start."""
    wal = data / "pg_wal"
    if wal.is_symlink():
        wal.unlink()
    wal.mkdir(exist_ok=True)
    (data / "postgresql.auto.conf").unlink(missing_ok=True)
    for name in ("pg_replslot", "pg_tblspc", "pg_stat_tmp", "pg_twophase"):
        (data / name).mkdir(exist_ok=True)
    lines = []
    for directory in sorted((data / "pg_tblspc").iterdir()):
        target = spaces / directory.name
        target.parent.mkdir(exist_ok=True)
        directory.rename(target)
        directory.symlink_to(target)
        lines.append(f"{directory.name} {target}\n")
    if (data / "tablespace_map").exists():
        (data / "tablespace_map").write_text("".join(lines))
    for name in ("standby.signal", "recovery.conf"):
        (data / name).unlink(missing_ok=True)
    (data / "recovery.signal").touch()
    (data / "pg_hba.conf").write_text("local all all trust\n")
    (data / "pg_ident.conf").touch()


def give_tree(account, top):
    if account:
        subprocess.run(["chown", "-R", "-h", f"{account.pw_uid}:{account.pw_gid}", str(top)],
                       check=True)


def restore(store, name, work, keyring, target=None, superuser="postgres"):
    """-> a started Cluster, promoted; the caller leaves its `with` block."""
    store, work = pathlib.Path(store), pathlib.Path(work)
    data, archive = work / "data", work / "wal"
    data.mkdir(parents=True)
    archive.mkdir()
    for path in partitions_of(store, name):
        unpack(path, data, keyring)
    for path in (store / "wal_005").iterdir():
        plain = objects.decode(path.read_bytes(), keyring)
        (archive / path.name.removesuffix(".lzo")).write_bytes(plain)
    put_right(data, work / "spaces")
    cluster = pg.Cluster(work, work / "new_archive", superuser=superuser)
    settings = {"restore_command": f"cp {archive}/%f %p", "archive_mode": "off",
                "max_connections": 200, "max_prepared_transactions": 100,
                "max_wal_senders": 30, "max_worker_processes": 40}
    if target:
        settings["recovery_target_name"] = target
        settings["recovery_target_action"] = "promote"
    cluster.configure(**settings)
    give_tree(cluster.account, work)
    data.chmod(0o700)
    try:
        cluster.start()
        cluster.wait_until(lambda: cluster.sql("select pg_is_in_recovery()") == "f",
                           "recovery ends")
    except BaseException:
        cluster.__exit__()
        raise
    return cluster


def compare(found, expected):
    """-> lines of difference between two {database: {table: {rows, md5}}}."""
    lines = []
    for database, tables in expected.items():
        for table, want in tables.items():
            have = found.get(database, {}).get(table)
            if have and "md5" not in want:
                have = {"rows": have["rows"]}
            if have != want:
                lines.append(f"{database}: {table}: found {have}, expected {want}")
        for table in set(found.get(database, {})) - set(tables):
            lines.append(f"{database}: {table}: not expected")
    return lines


def check(store, expected, work, keyring, target, with_md5=True):
    """Restores to `target` (None: end of the archive) and compares. -> lines of difference"""
    name = next(iter(expected["stores"].values()))["backup"]
    want = expected["targets"][target or "end_of_archive"]["tables"]
    cluster = None
    try:
        cluster = restore(store, name, work, keyring, target, expected.get("superuser", "postgres"))
        lines = compare(cap.count_rows(cluster, with_md5), want)
        log = (pathlib.Path(work) / "server.log").read_text(errors="replace")
        lines += [line for line in log.splitlines() if "page verification failed" in line]
        cluster.stop()
        sums = subprocess.run(pg.as_server([cluster.bin / "pg_checksums", "-c", "-D",
                                            cluster.data], cluster.account),
                              check=False, capture_output=True, text=True)
        if sums.returncode != 0:
            lines.append(f"pg_checksums: {sums.stdout}{sums.stderr}")
        return lines
    finally:
        if cluster:
            cluster.__exit__()
        shutil.rmtree(work, ignore_errors=True)


def load_expected(directory):
    return json.loads((pathlib.Path(directory) / "expected.json").read_text())
