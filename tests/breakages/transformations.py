"""The ways to break a store, by the names that breakages.yaml uses.

Each takes the BrokenStore, the Surroundings of the run and the row's parameters. Each raises if it
could not break what it was told to: a breakage that breaks nothing proves nothing.
"""

import random
import re
import shutil

from broken_store import BrokenStore
from store_kit import objects, tarball, wal

PAGE = 8192


def as_list(value):
    return value if isinstance(value, list) else [value]


# Whole objects.

def remove(store: BrokenStore, _, object):
    for key in as_list(object):
        store.file(key).unlink()


def remove_glob(store, _, pattern):
    found = list(store.path.glob(pattern))
    assert found, f"nothing matches {pattern}"
    for path in found:
        path.unlink()


def remove_tree(store, _, path):
    shutil.rmtree(store.path / path)


def copy(store, _, **ends):
    store.write(ends["to"], store.read(ends["from"]))


def copy_from(store, surroundings, other, **ends):
    other = surroundings.other_store(other)
    store.write(ends["to"], other.read(ends["from"]))


def empty(store, _, object):
    store.write(object, b"")


def cut_end(store, _, object, bytes):
    store.write(object, store.read(object)[:-bytes])


def cut_middle(store, _, object):
    data = store.read(object)
    store.write(object, data[:len(data) // 2])


def cut_to(store, _, object, bytes):
    store.write(object, store.read(object)[:bytes])


def append(store, _, object, bytes):
    store.write(object, store.read(object) + random.Random(1).randbytes(bytes))


def write(store, _, object, text, times=1):
    store.write(object, text.encode() * times)


def rewrite(store, _, object, text):
    """Other content, well compressed and encrypted."""
    store.encode(object, text.encode())


def randomize(store, _, object):
    store.write(object, random.Random(2).randbytes(len(store.read(object))))


def chmod(store, _, object, mode):
    store.own(object).chmod(mode)


def flip(store, _, object, at, mask=1):
    data = bytearray(store.read(object))
    data[len(data) // 2 if at == "middle" else at] ^= mask
    store.write(object, bytes(data))


def flip_glob(store, _, pattern):
    found = list(store.path.glob(pattern))
    assert found, f"nothing matches {pattern}"
    for path in found:
        flip(store, _, str(path.relative_to(store.path)), "middle")


def reencrypt(store, surroundings, object):
    packed = objects.compressed_of(store.read(object), store.keyring)
    store.write(object, surroundings.other_key().encrypt(packed))


# The lzop frame.

def strip_end_mark(store, _, object):
    data = store.read(object)
    packed = objects.compressed_of(data, store.keyring)
    assert packed.endswith(bytes(4)), "no end mark"
    cut = packed[:-4]
    store.write(object, store.keyring.encrypt(cut) if objects.is_encrypted(data) else cut)


def flip_lzo_checksum(store, _, object):
    data = bytearray(store.read(object))
    # magic 9, three versions 6, method and level 2, flags, mode and two times 16, length of the name
    name_length = data[33]
    first_block = 34 + name_length + 4
    data[first_block + 8] ^= 1
    store.write(object, bytes(data))


# The tar.

def tar_cut(store, _, object, finish, inside=False):
    raw = store.decode(object)
    members = tarball.members(raw)
    if inside:
        victim = max(members, key=lambda m: m.size)
        cut = raw[:victim.offset_data + victim.size // 2]
    else:
        cut = raw[:members[len(members) // 2].offset]
    store.encode(object, tarball.finish(cut) if finish else cut)


def without(raw, info, instead=b""):
    """The archive with one member left out or replaced."""
    end = tarball.end_of(tarball.members(raw)[-1])
    return tarball.finish(raw[:info.offset] + instead + raw[tarball.end_of(info):end])


def tar_drop(store, _, relation):
    """A partition written without one file, as if it had vanished when its turn came."""
    name = store.expected["relations"][relation]
    for key in store.partitions():
        raw = store.decode(key)
        for info in tarball.members(raw):
            if info.name == name:
                store.encode(key, without(raw, info))
                store.names["changed"] = key
                return
    raise AssertionError(f"no member {name}")


def damage_header(store, object, at, content):
    raw = bytearray(store.decode(object))
    members = tarball.members(bytes(raw))
    offset = members[len(members) // 2].offset if at == "middle" else \
        members[-1].offset_data - tarball.BLOCK
    raw[offset:offset + len(content)] = content
    store.encode(object, bytes(raw))


def tar_garbage_header(store, _, object, at):
    damage_header(store, object, at, random.Random(3).randbytes(tarball.BLOCK))


def tar_zero_header(store, _, object, at):
    damage_header(store, object, at, bytes(2 * tarball.BLOCK))


def tar_add(store, _, object, members):
    """Further members at the end; the sentinel counts them, so that nothing else is wrong."""
    raw = store.decode(object)
    body = raw[:tarball.end_of(tarball.members(raw)[-1])]
    added = 0
    for spec in members:
        data, size = tarball.member(spec)
        body += data
        added += size
    store.encode(object, tarball.finish(body))
    sentinel(store, _, add_bytes=added)


def tar_replace(store, _, object, name, link):
    raw = store.decode(object)
    info = next(m for m in tarball.members(raw) if m.name == name)
    new, _size = tarball.member({"name": name, "link": link})
    store.encode(object, without(raw, info, new))


# The sentinel and the listing.

def sentinel(store, _, add_bytes=0, set=None, add_tablespace=None):
    content = store.sentinel()
    content["expanded_size_bytes"] += add_bytes
    content.update(set or {})
    if add_tablespace:
        content["spec"]["tablespaces"].append(add_tablespace)
        content["spec"][add_tablespace] = {"loc": f"/srv/{add_tablespace}/",
                                           "link": f"pg_tblspc/{add_tablespace}"}
    store.write_sentinel(content)


def unfinished_backup(store, _):
    """A newer backup as it lies there while it is being pushed."""
    folder = store.path / "basebackups_005" / "base_0000000100000000000000FE_00000040"
    (folder / "tar_partitions").mkdir(parents=True)
    version = f"basebackups_005/{store.names['backup']}/extended_version.txt"
    (folder / "extended_version.txt").write_bytes(store.read(version))
    part = store.read("{part0}")
    (folder / "tar_partitions" / "part_00000000.tar.lzo").write_bytes(part[:len(part) // 2])


# Pages.

def page_candidates(raw, wanted):
    """Pages with content and a checksum in the relation files of a tar: (TarInfo, block in file)."""
    for info in tarball.members(raw):
        if not info.isreg() or info.size < PAGE or not wanted(info.name):
            continue
        for block in range(info.size // PAGE):
            page = raw[info.offset_data + block * PAGE:info.offset_data + (block + 1) * PAGE]
            checksum = int.from_bytes(page[8:10], "little")
            if checksum and int.from_bytes(page[14:16], "little"):  # pd_upper: initialised
                yield info, block


def page_flip(store, _, wal, relation=None, partition=None):
    """One bit of one data page. `wal` says what the archive does to that page: never touches it,
    holds an image between the backup's start and stop (during), or only after it."""
    path = store.expected["relations"][relation] if relation else None
    relation_file = re.compile(r"base/\d+/\d+")

    def wanted(name):
        return name == path if path else bool(relation_file.fullmatch(name))

    fits = page_filter(store, wal)
    keys = [store.names[f"part{partition}"]] if partition is not None else store.partitions()
    for key in keys:
        raw = bytearray(store.decode(key))
        fitting = [(i, b) for i, b in page_candidates(bytes(raw), wanted) if fits(i.name, b)]
        if fitting:
            # Not the first: block 0 of everything would prove little about block numbers.
            info, block = max(fitting, key=lambda f: f[1])
            raw[info.offset_data + block * PAGE + PAGE - 100] ^= 4
            store.encode(key, bytes(raw))
            store.names |= {"changed": key, "page_file": info.name, "page_block": block}
            return
    raise AssertionError(f"no page of {relation} that WAL touches {wal}")


def page_filter(store, when):
    touched = wal.first_touches(store.all_records())
    stop = store.stop_lsn()

    def fits(name, block):
        relation, fork, first = wal.relation_key(name)
        touch = touched.get((relation, fork, first + block))
        if when == "never" or touch is None:
            return when == "never" and touch is None
        lsn, image = touch
        return image and (lsn < stop) == (when == "during")

    return fits


# WAL.

def segment_key(store, segment):
    return f"wal_005/{store.fill(segment)}.lzo"


def change_segment(store, segment, change):
    key = segment_key(store, segment)
    content = bytearray(store.decode(key))
    change(content)
    store.encode(key, bytes(content))


def wal_resize(store, _, segment, bytes):
    def change(content):
        del content[bytes:]
    change_segment(store, segment, change)


def wal_bytes(store, _, segment, at):
    def change(content):
        content[at] ^= 0x55
    change_segment(store, segment, change)


def wal_zero(store, _, segment, **at):
    def change(content):
        tail = content[at["from"]:]
        assert any(tail), "nothing to zero there"
        content[at["from"]:] = bytes(len(tail))
    change_segment(store, segment, change)


def wal_record(store, _, segment, where):
    """One bit inside a record: in mid-segment, in the last 200 or in the first 60 bytes.

    Proved with pg_waldump: the chain around the segment reads well before, and not after.
    """
    name = store.fill(segment)
    chain = neighbours(store, name)
    records, error = wal.dump_contents(chain)
    size = wal.segment_bytes(chain[name])
    start = wal.start_of(name, size)
    content = bytearray(chain[name])
    offset = record_offset(records, start, size, where)
    content[offset] ^= 0x10
    after, new_error = wal.dump_contents(chain | {name: bytes(content)})
    assert new_error and new_error != error, f"pg_waldump does not see it: {new_error}"
    assert len(after) < len(records), "no record was lost"
    store.encode(segment_key(store, segment), bytes(content))


def neighbours(store, name):
    """The segment with the one before and the one after it, decoded."""
    place = store.segments.index(name)
    around = store.segments[max(place - 1, 0):place + 2]
    return {s: store.decode(f"wal_005/{s}.lzo") for s in around if s[:8] == name[:8]}


def record_offset(records, start, size, where):
    """Offset in the segment of a byte that belongs to a record."""
    inside = [(lsn - start, length) for lsn, length, _ in records if 0 <= lsn - start < size]
    if where == "head":
        # The first page's header has 40 bytes; what follows is the end of the record before.
        before = max((lsn, length) for lsn, length, _ in records if lsn < start)
        assert before[0] + before[1] > start, "no record crosses into the segment"
        return 50
    if where == "tail":
        offset, length = inside[-1]
        assert offset + length > size - 200, "no record in the last 200 bytes"
        return min(max(offset + 26, size - 100), size - 1)
    middle = [(o, n) for o, n in inside if n > 60 and o % PAGE + n < PAGE]
    offset, length = middle[len(middle) // 2]
    return offset + length - 8


# What surrounds the store.

def keyring(_, surroundings, kind):
    surroundings.use_keyring(kind)


def scratch(_, surroundings, **limits):
    surroundings.limit_scratch(limits)


def plugin(_, surroundings, method, does):
    surroundings.use_fake_plugin(method, does)


ALL = {f.__name__: f for f in (
    remove, remove_glob, remove_tree, copy, copy_from, empty, cut_end, cut_middle, cut_to, append,
    write, rewrite, randomize, chmod, flip, flip_glob, reencrypt, strip_end_mark,
    flip_lzo_checksum, tar_cut, tar_drop, tar_garbage_header, tar_zero_header, tar_add,
    tar_replace, sentinel, unfinished_backup, page_flip, wal_resize, wal_bytes, wal_zero,
    wal_record, keyring, scratch, plugin)}
