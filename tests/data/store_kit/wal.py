"""WAL segments: which pages they touch, where their records lie. By pg_waldump, never by guess."""

import pathlib
import re
import struct
import subprocess
import tempfile

from . import cluster as pg

RECORD = re.compile(r"len \(rec/tot\):\s*\d+/\s*(\d+), tx:\s*\d+, lsn: ([0-9A-F]+/[0-9A-F]+), ")
BLOCK = re.compile(r"rel (\d+/\d+/\d+)(?: fork (\w+))? blk (\d+)( FPW| \(FPW\))?")
SEGMENT = re.compile(r"[0-9A-F]{24}")


def segment_bytes(content):
    """Segment size out of the long header of the first page."""
    return struct.unpack_from("<I", content, 32)[0]


def start_of(name, size):
    """LSN of a segment's first byte."""
    return int(name[8:16], 16) << 32 | int(name[16:24], 16) * size


def dump(directory, first, last):
    """-> (records as [(lsn, total length, line)], error text) of a chain of segments."""
    done = subprocess.run([str(pg.bin_dir() / "pg_waldump"), "-p", str(directory), first, last],
                          capture_output=True, text=True, check=False)
    records = []
    for line in done.stdout.splitlines():
        found = RECORD.search(line)
        if found:
            records.append((pg.parse_lsn(found[2]), int(found[1]), line))
    return records, done.stderr.strip()


def dump_contents(segments):
    """dump() of {name: content}, a chain in the order of names."""
    with tempfile.TemporaryDirectory(prefix="rad-wal-") as directory:
        for name, content in segments.items():
            (pathlib.Path(directory) / name).write_bytes(content)
        names = sorted(segments)
        return dump(directory, names[0], names[-1])


def relation_key(path):
    """"base/5/1259.1" -> ("1663/5/1259", fork, first block of this file)."""
    parts = path.split("/")
    number, _, piece = parts[-1].partition(".")
    number, _, fork = number.partition("_")
    if parts[0] == "base":
        key = f"1663/{parts[1]}/{number}"
    elif parts[0] == "global":
        key = f"1664/0/{number}"
    else:
        key = f"{parts[1]}/{parts[3]}/{number}"
    return key, fork or "main", int(piece or 0) * 131072


def first_touches(records):
    """-> {(relation, fork, block): (lsn, has an image)} of the first record that names a block."""
    touched = {}
    for lsn, _, line in records:
        for relation, fork, block, image in BLOCK.findall(line):
            touched.setdefault((relation, fork or "main", int(block)), (lsn, bool(image)))
    return touched
