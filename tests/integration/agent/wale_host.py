"""A host with the genuine store tests/data/wale-small and the real plugins."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "functional" / "agent"))

# pylint: disable=wrong-import-position
from agent_under_test import SOURCE, Host  # noqa: E402

DATA = SOURCE / "tests" / "data" / "wale-small"
EXPECTED = json.loads((DATA / "expected.json").read_text())


class WaleHost(Host):
    """Stores and keys are copies of its own, so that every path of a run names this host."""

    def __init__(self, user=None):
        super().__init__(plugins=("wal_e", "postgresql"), user=user)
        self.keys = self.top / "gnupg"
        self.keys.mkdir(mode=0o700)
        command = ["gpg", "--homedir", str(self.keys), "--batch", "--quiet", "--import",
                   str(DATA / "keys" / "secret-key.asc")]
        subprocess.run(command, check=True, capture_output=True)
        subprocess.run(["gpgconf", "--homedir", str(self.keys), "--kill", "all"], check=False,
                       capture_output=True)
        for store in ("encrypted", "plain"):
            shutil.copytree(DATA / store, self.top / store)
        if user is not None:
            for path in (self.keys, *self.keys.rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)

    def rows(self, name, moment, change=None):
        """A manifest of row_counts from what the source cluster held at a moment."""
        databases = {
            database: {table: {"empty": True} if row["rows"] == 0 else {"rows": row["rows"]}
                       for table, row in tables.items()}
            for database, tables in EXPECTED["targets"][moment]["tables"].items()}
        for table, row in (change or {}).items():
            databases["app"][table] = row
        path = self.top / f"{name}.rows.json"
        path.write_text(json.dumps({"version": 1, "databases": databases}))
        return str(path)

    def add_wale(self, name="t", store="encrypted", checks=(), restore=None, **fields):
        options = {"plugin": "wal_e", "storage": f"file://{self.top}/{store}",
                   **({"gpg_home": str(self.keys)} if store == "encrypted" else {}),
                   **(restore or {})}
        self.config["targets"].append({
            "name": name, "restore": options, "instance": {"plugin": "postgresql"},
            "checks": list(checks),
            "schedules": [{"name": "rad", "cron": "0 6 2 * *", "depth": "restore"}], **fields})
