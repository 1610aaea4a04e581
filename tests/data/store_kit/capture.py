"""From a running cluster to a capture: a copy taken hot, the archived WAL and the truth.

A capture is a directory:

    data/               the copied data directory, backup_label and tablespace_map in place
    tablespaces/<oid>/  copies of the tablespaces
    archive/            plain WAL files as archive_command got them
    capture.json        Facts (below)

One capture becomes any number of stores (encode.py): plain, encrypted, PAX, GNU, ...
"""

import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import shutil
import time

from . import cluster as pg

# One page and a half: every other read ends in mid-page, so that a page which the server writes
# meanwhile is really torn.
READ_BYTES = 3 * 4096


@dataclasses.dataclass
class Facts:
    """What the encoder and the tests have to know about a capture."""
    profile: str
    seed: int
    version_text: str               # what select version() says
    base_prefix: str                # data directory at the source, with trailing "/"
    owner: list                     # uid, gid, user name, group name of the source's files
    start_lsn: str
    stop_segment: str
    stop_offset: int
    tablespaces: dict               # oid -> original location
    offline: bool = False
    segment_bytes: int = pg.SEGMENT_BYTES
    expected: dict = dataclasses.field(default_factory=dict)

    def save(self, directory):
        path = pathlib.Path(directory) / "capture.json"
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")

    @staticmethod
    def load(directory):
        return Facts(**json.loads((pathlib.Path(directory) / "capture.json").read_text()))


def copy_file(source, target, pause=0.0):
    """Copies at most the size seen at the start, as WAL-E plans it; missing bytes become zeros.

    `pause` (seconds) after reads that end in mid-page stands for a reader with a rate limit."""
    with contextlib.ExitStack() as stack:
        reader = os.open(source, os.O_RDONLY)
        stack.callback(os.close, reader)
        writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        stack.callback(os.close, writer)
        status = os.fstat(reader)
        left = status.st_size
        # What nobody writes cannot tear: no time is spent on it.
        pause = pause if time.time() - status.st_mtime < 30 else 0.0
        while left > 0:
            chunk = os.read(reader, min(READ_BYTES, left))
            if not chunk:
                chunk = bytes(min(left, 1 << 20))
            os.write(writer, chunk)
            left -= len(chunk)
            if pause and left % 8192:
                time.sleep(pause)
    shutil.copystat(source, target)


def copy_tree(source, target, skip_top=(), pause=0.0):
    """Copies what is there; what vanishes meanwhile is left out, as on any busy cluster."""
    os.makedirs(target, exist_ok=True)
    for entry in list(os.scandir(source)):
        if entry.name in skip_top:
            continue
        there = os.path.join(target, entry.name)
        try:
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), there)
            elif entry.is_dir():
                copy_tree(entry.path, there, pause=pause)
            elif entry.is_file():
                copy_file(entry.path, there, pause)
        except FileNotFoundError:
            pass
    shutil.copystat(source, target)


def copy_cluster(cluster, into, pause=0.0):
    """Copies the data directory and every tablespace. -> {oid: original location}"""
    data = into / "data"
    tablespaces = {}
    skip = ("pg_wal", "pg_tblspc", "postmaster.pid", "postmaster.opts")
    copy_tree(cluster.data, data, skip_top=skip, pause=pause)
    wal = cluster.data / "pg_wal"
    if wal.is_symlink():
        os.symlink(os.readlink(wal), data / "pg_wal")
    else:
        (data / "pg_wal").mkdir(mode=0o700)
    (data / "pg_tblspc").mkdir(mode=0o700)
    for link in sorted((cluster.data / "pg_tblspc").iterdir()):
        tablespaces[link.name] = os.readlink(link)
        copy_tree(os.readlink(link), into / "tablespaces" / link.name)
    return tablespaces


def owner_of(path):
    import grp
    import pwd
    status = os.stat(path)
    return [status.st_uid, status.st_gid, pwd.getpwuid(status.st_uid).pw_name,
            grp.getgrgid(status.st_gid).gr_name]


def new_facts(cluster, profile, seed):
    return Facts(profile=profile, seed=seed, version_text=cluster.sql("select version()"),
                 base_prefix=f"{cluster.data}/", owner=owner_of(cluster.data), start_lsn="",
                 stop_segment="", stop_offset=0, tablespaces={},
                 segment_bytes=cluster.segment_bytes)


def hot_backup(cluster, into, facts, while_copying=None, before_stop=None, pause=0.0):
    """A backup of the running cluster into `into`, as WAL-E takes one: start, copy, stop."""
    session = pg.BackupSession(cluster)
    moment = datetime.datetime.now(datetime.timezone.utc).isoformat()
    facts.start_lsn = session.start(f"freeze_start_{moment}")
    if while_copying:
        while_copying()
    facts.tablespaces = copy_cluster(cluster, into, pause)
    if before_stop:
        before_stop(pg.parse_lsn(facts.start_lsn))
    end = session.stop()
    facts.stop_segment, facts.stop_offset = end["segment"], end["offset"]
    # WAL-E's exclusive mode has these two in the data directory while it copies; today's server
    # hands them over at the end.
    (into / "data" / "backup_label").write_text(end["labelfile"])
    if end["spcmapfile"]:
        (into / "data" / "tablespace_map").write_text(end["spcmapfile"])


def offline_backup(cluster, into, facts):
    """A backup of the stopped cluster, as with --while-offline: no label, no stop."""
    out = cluster.run("pg_controldata", "-D", cluster.data).stdout
    control = dict(line.split(":", 1) for line in out.splitlines() if ":" in line)
    facts.offline = True
    facts.start_lsn = control["Latest checkpoint's REDO location"].strip()
    facts.stop_segment = control["Latest checkpoint's REDO WAL file"].strip()
    facts.stop_offset = pg.parse_lsn(facts.start_lsn) % cluster.segment_bytes
    facts.tablespaces = copy_cluster(cluster, into)
    facts.version_text = cluster.run("pg_config", "--version").stdout.strip()


def count_rows(cluster, with_md5=True):
    """-> {database: {"schema.table": {"rows": n, "md5": ...}}}, as the fixtures' expected.json."""
    result = {}
    databases = cluster.sql("select datname from pg_database where datallowconn and "
                            "datname <> 'template1' order by 1").splitlines()
    for database in databases:
        names = cluster.sql(
            "select format('%I.%I', n.nspname, c.relname), n.nspname || '.' || c.relname, "
            "c.relpersistence = 'u' from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "where c.relkind in ('r', 'm') and n.nspname not in "
            "('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_t%' order by 2",
            database).splitlines()
        result[database] = {}
        rows = [name.split("|") for name in names]
        content = ("coalesce(md5(string_agg(t::text, E'\\n' order by t::text collate \"C\")), '-')"
                   if with_md5 else "'-'")
        script = "".join(f"select count(*), {content} from {quoted} t;\n" for quoted, _, _ in rows)
        answers = cluster.sql(script, database).splitlines() if rows else []
        for (_, name, unlogged), answer in zip(rows, answers, strict=True):
            count, md5 = answer.split("|")
            # Unlogged tables are empty after any recovery.
            entry = {"rows": 0, "md5": "-"} if unlogged == "t" else {"rows": int(count), "md5": md5}
            if not with_md5:
                del entry["md5"]
            result[database][name] = entry
    return result


def note_target(cluster, facts, name, with_md5=True):
    """A restore point with the counts of that moment; nothing else may be running."""
    tables = count_rows(cluster, with_md5)
    lsn = cluster.sql(f"select pg_create_restore_point('{name}')")
    facts.expected["targets"][name] = {
        "recovery_target_name": name, "recovery_target_lsn": lsn,
        "recovery_target_time": cluster.sql("select clock_timestamp()"),
        "timeline": timeline_of(cluster), "tables": tables}


def note_end(cluster, facts, with_md5=True):
    """The counts at the end of the archive, then the last segment switch."""
    tables = count_rows(cluster, with_md5)
    timeline = timeline_of(cluster)
    last = cluster.switch_and_archive()
    facts.expected["targets"]["end_of_archive"] = {
        "last_segment": last, "timeline": timeline, "tables": tables}


def begin_expected(cluster, facts):
    row = cluster.sql("select (pg_control_system()).system_identifier")
    facts.expected = {
        "postgresql": {
            "major": 15, "version": cluster.sql("select version()"), "system_identifier": row,
            "data_checksums": cluster.sql("show data_checksums") == "on",
            "wal_segment_bytes": cluster.segment_bytes, "locale": "C", "encoding": "UTF8"},
        "superuser": cluster.superuser,
        "relations": relation_files(cluster, "app"),
        "targets": {}}


def relation_files(cluster, database):
    """-> {"schema.name": first file below the data directory}, user tables and indexes."""
    rows = cluster.sql(
        "select n.nspname || '.' || c.relname, pg_relation_filepath(c.oid) from pg_class c join "
        "pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'i') and n.nspname in "
        "('public', 'shop') order by 1", database)
    return dict(line.split("|") for line in rows.splitlines())


def timeline_of(cluster):
    return int(cluster.sql("select pg_walfile_name(pg_current_wal_lsn())")[:8], 16)


def drop_older_wal(archive, facts):
    """What `wal-e delete before` leaves: by segment number, timelines ignored, .history kept."""
    first = pg.parse_lsn(facts.start_lsn) // facts.segment_bytes
    per_log = (1 << 32) // facts.segment_bytes
    for path in pathlib.Path(archive).iterdir():
        name = path.name
        if path.suffix == ".history":
            continue
        number = int(name[8:16], 16) * per_log + int(name[16:24], 16)
        if number < first:
            path.unlink()
