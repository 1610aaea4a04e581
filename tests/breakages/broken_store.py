"""A copy of a store that may be broken: names, objects, and the rest of the run's surroundings."""

import json
import os
import pathlib
import re
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "data"))

from store_kit import objects, wal  # noqa: E402


def link_tree(source, target):
    """Copies directories and hard-links files; falls back to copies across file systems."""
    def place(a, b):
        try:
            os.link(a, b)
        except OSError:
            shutil.copy2(a, b)
    shutil.copytree(source, target, copy_function=place)


class BrokenStore:
    """Objects by key below `path`. A file is replaced, never altered: it may be linked."""

    def __init__(self, path, keyring, expected):
        self.path = pathlib.Path(path)
        self.keyring = keyring
        self.expected = expected
        self.names = self.find_names()

    def find_names(self):
        base = self.path / "basebackups_005"
        sentinel = next(base.glob("*_backup_stop_sentinel.json"))
        backup = sentinel.name.removesuffix("_backup_stop_sentinel.json")
        parts = sorted((base / backup / "tar_partitions").iterdir(),
                       key=lambda p: int(re.search(r"\d+", p.name)[0]))
        names = {"backup": backup, "sentinel": str(sentinel.relative_to(self.path))}
        names |= {f"part{i}": str(p.relative_to(self.path)) for i, p in enumerate(parts)}
        self.segments = sorted(p.name[:24] for p in (self.path / "wal_005").iterdir()
                               if re.fullmatch(r"[0-9A-F]{24}\.lzo", p.name))
        first_timeline = [s for s in self.segments if s[:8] == self.segments[0][:8]]
        stop = json.loads(sentinel.read_text())["wal_segment_backup_stop"]
        if stop not in first_timeline:
            stop = first_timeline[0]  # an offline backup's sentinel names a wrong one
        behind = first_timeline.index(stop)
        second_timeline = [s for s in self.segments if s[:8] != self.segments[0][:8]]
        names |= {"start": first_timeline[0], "stop": stop, "last": self.segments[-1],
                  "last_of_1": first_timeline[-1]}
        for name, place in (("between", 2), ("next", behind + 1), ("before_after", behind + 1),
                            ("after", behind + 2)):
            if place < len(first_timeline):
                names[name] = first_timeline[place]
        if second_timeline:
            names["first_of_2"] = second_timeline[0]
        return names

    def fill(self, value):
        """Placeholders of breakages.yaml, in texts and lists of texts."""
        if isinstance(value, str):
            return re.sub(r"\{(\w+)\}", lambda m: str(self.names[m[1]]), value)
        if isinstance(value, list):
            return [self.fill(v) for v in value]
        return value

    def file(self, key):
        return self.path / self.fill(key)

    def read(self, key):
        return self.file(key).read_bytes()

    def write(self, key, data):
        path = self.file(key)
        status = path.stat() if path.exists() else None
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        path.chmod(0o644)
        if status:  # LATEST goes by the time of objects, and copies keep it
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def own(self, key):
        """Makes the file ours alone, for changes of its mode."""
        self.write(key, self.read(key))
        return self.file(key)

    def decode(self, key):
        return objects.decode(self.read(key), self.keyring)

    def encode(self, key, plain):
        """Writes `plain` as the object was written: compressed, encrypted if it was."""
        encrypted = objects.is_encrypted(self.read(key))
        self.write(key, objects.encode(plain, self.keyring, encrypted))

    def sentinel(self):
        return json.loads(self.read("{sentinel}"))

    def write_sentinel(self, content):
        self.write("{sentinel}", json.dumps(content).encode())

    def partitions(self):
        return [v for k, v in sorted(self.names.items()) if re.fullmatch(r"part\d+", k)]

    def all_records(self):
        """Records of the whole archive on the backup's timeline."""
        timeline = self.segments[0][:8]
        contents = {s: self.decode(f"wal_005/{s}.lzo") for s in self.segments
                    if s[:8] == timeline}
        return wal.dump_contents(contents)[0]

    def stop_lsn(self):
        """End of the backup, out of its .backup object; 0 for an offline one."""
        for path in (self.path / "wal_005").glob("*.backup.lzo"):
            text = self.decode(str(path.relative_to(self.path))).decode()
            if path.name[:24] == self.names["start"]:
                found = re.search(r"STOP WAL LOCATION: (\S+)", text)
                high, low = found[1].split("/")
                return int(high, 16) << 32 | int(low, 16)
        return 0
