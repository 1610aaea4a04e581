"""From a capture to a store in WAL-E's layout 005."""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import tarfile

from . import cluster as pg
from . import objects

PARTITION_BYTES = 1610612736
PARTITION_MEMBERS = 6144
ENTRY_ONLY_TOP = ("pg_xlog", "pg_log", "pg_replslot", "pg_wal")
ENTRY_ONLY = ("pgsql_tmp", "pg_stat_tmp", ".wal-e")
LEFT_OUT_TOP = ("postmaster.pid", "postmaster.opts", "postgresql.conf", "pg_hba.conf",
                "pg_ident.conf", "recovery.conf", "recovery.done", "promote")


@dataclasses.dataclass
class Format:
    """How a store is written."""
    tar: str = "pax"             # pax (Python 3.8 and later) or gnu (before)
    encryption: str = "all"      # all, none, or late: WAL from the backup's end on (a mixed store)
    padded: bool = True          # part_00000000 (0.7 and later) or part_0
    partition_members: int = PARTITION_MEMBERS
    partition_bytes: int = PARTITION_BYTES


def backup_name(facts):
    """The name WAL-E gives; for an offline backup the wrong one that it really gives."""
    if facts.offline:
        low = facts.start_lsn.split("/")[1]
        piece = f"{int(low[:2], 16):08X}"
        return f"base_{facts.stop_segment[:8]}{facts.stop_segment[8:16]}{piece}_{piece}"
    start = pg.parse_lsn(facts.start_lsn)
    number, offset = divmod(start, facts.segment_bytes)
    per_log = (1 << 32) // facts.segment_bytes
    timeline = label_timeline(facts)
    return f"base_{timeline:08X}{number // per_log:08X}{number % per_log:08X}_{offset:08d}"


def label_timeline(facts):
    return int(facts.stop_segment[:8], 16)


def sentinel(facts, expanded_bytes):
    spec = {"base_prefix": facts.base_prefix, "tablespaces": list(facts.tablespaces)}
    for oid, location in facts.tablespaces.items():
        spec[oid] = {"loc": f"{location}/", "link": f"pg_tblspc/{oid}"}
    offset = backup_name(facts)[-8:] if facts.offline else f"{facts.stop_offset:08d}"
    segment = backup_name(facts)[5:29] if facts.offline else facts.stop_segment
    return {"wal_segment_backup_stop": segment, "wal_segment_offset_backup_stop": offset,
            "expanded_size_bytes": expanded_bytes, "spec": spec}


def list_tree(top, prefix, is_data):
    """-> [(path, member name)] in WAL-E's order: os.walk from the top, as the file system has it."""
    result = []
    for root, directories, files in os.walk(top):
        at_top = is_data and root == str(top)
        rest = os.path.relpath(root, top)
        base = prefix if rest == "." else f"{prefix}{rest}/"
        if is_data or (not files and not directories):
            result.append((root, base))
        for name in ENTRY_ONLY + (ENTRY_ONLY_TOP if at_top else ()):
            if name in directories:
                directories.remove(name)
                result.append((os.path.join(root, name), base + name))
        if "lost+found" in directories:
            directories.remove("lost+found")
        for name in files:
            if not (at_top and name in LEFT_OUT_TOP):
                result.append((os.path.join(root, name), base + name))
    return result


def list_members(capture, facts):
    members = list_tree(capture / "data", "", True)
    for oid in facts.tablespaces:
        members += list_tree(capture / "tablespaces" / oid, f"pg_tblspc/{oid}/", False)
    return members


def tar_info(path, name, facts):
    info = tarfile.TarFile.gettarinfo(_PLAIN, path)
    info.name = name.rstrip("/")
    info.uid, info.gid, info.uname, info.gname = facts.owner
    return info


class _Plain(tarfile.TarFile):
    """gettarinfo() without an archive, and without hard-link detection across calls."""

    def __init__(self):  # pylint: disable=super-init-not-called
        self.dereference = False
        self.inodes = {}

    def _check(self, mode=None):
        pass


_PLAIN = _Plain()


def plan_partitions(members, facts, form):
    """-> [[(path, TarInfo)]]: a new one at 1.5 GiB or after 6144 members."""
    partitions, size = [[]], 0
    for path, name in members:
        info = tar_info(path, name, facts)
        full = len(partitions[-1]) >= form.partition_members
        if partitions[-1] and (full or size + info.size >= form.partition_bytes):
            partitions.append([])
            size = 0
        size += info.size
        partitions[-1].append((path, info))
    return partitions


def write_partition(path, members, form, keyring):
    writer = objects.ObjectWriter(path, keyring)
    with tarfile.open(fileobj=writer, mode="w|", bufsize=1 << 20,
                      format={"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT}[form.tar]) as tar:
        for source, info in members:
            if info.isreg():
                with open(source, "rb") as reader:
                    tar.addfile(info, reader)
            else:
                tar.addfile(info)
    writer.close()


def write_store(capture, store, form, keyring):
    """Writes the whole store. -> (backup name, sentinel)"""
    from .capture import Facts
    capture, store = pathlib.Path(capture), pathlib.Path(store)
    facts = Facts.load(capture)
    name = backup_name(facts)
    folder = store / "basebackups_005" / name
    folder.mkdir(parents=True)
    (folder / "extended_version.txt").write_text(facts.version_text)
    partitions = plan_partitions(list_members(capture, facts), facts, form)
    base_key = keyring if form.encryption == "all" else None
    digits = 8 if form.padded else 1
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(write_partition,
                            folder / "tar_partitions" / f"part_{number:0{digits}d}.tar.lzo",
                            members, form, base_key)
                for number, members in enumerate(partitions)]
        for source in sorted((capture / "archive").iterdir()):
            late = form.encryption == "late" and source.name[8:24] > facts.stop_segment[8:]
            key = keyring if form.encryption == "all" or late else None
            target = store / "wal_005" / f"{source.name}.lzo"
            jobs.append(pool.submit(objects.store_file, source, target, key))
        for job in jobs:
            job.result()
    expanded = sum(info.size for members in partitions for _, info in members)
    content = sentinel(facts, expanded)
    (store / "basebackups_005" / f"{name}_backup_stop_sentinel.json").write_text(
        json.dumps(content))
    for root, _, files in os.walk(store):
        os.chmod(root, 0o755)
        for file in files:
            os.chmod(os.path.join(root, file), 0o644)
    return name, content
