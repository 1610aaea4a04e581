"""Broken stores on a real S3 server (Swift's s3api) instead of a directory."""

import json
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "servers"))

# pylint: disable=wrong-import-position
from object_servers import SwiftS3, write_envdir  # noqa: E402

BUCKET = "breakages"


class S3Publisher:
    """One server for all rows; each run has a prefix of its own."""

    def __init__(self):
        self.server = SwiftS3()
        self.client = self.server.client()
        self.client.create_bucket(Bucket=BUCKET)

    def stop(self):
        self.server.stop()

    @staticmethod
    def unfit(row):
        """Why a row says nothing of a store on S3, or ""."""
        steps = row["break"] if isinstance(row["break"], list) else [row["break"]]
        for step in steps:
            if "chmod" in step:
                return "only files have modes"
            if step.get("remove_tree", {}).get("path") == ".":
                return "only a directory can be missing as a whole: S3 says that nothing lies there"
        if "storage" in row.get("restore", {}):
            return "it has a storage of its own"
        return ""

    def publish(self, config):
        """Uploads the store that a configuration names, and makes that name an envdir."""
        document = json.loads(config.read_text())
        restore = document["targets"][0]["restore"]
        if restore["plugin"] != "wal_e":
            return None
        tree = pathlib.Path(restore.pop("storage").removeprefix("file://"))
        prefix = f"{config.parent.name}/main"
        for path in sorted(tree.rglob("*"), key=os.path.getmtime):
            if path.is_file():
                self.client.upload_file(str(path), BUCKET, f"{prefix}/{path.relative_to(tree)}")
        restore["envdir"] = str(write_envdir(config.parent / "env",
                                             self.server.environment(BUCKET, prefix)))
        config.write_text(json.dumps(document, indent=1))
        return prefix

    def remove(self, prefix):
        pages = self.client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=BUCKET, Prefix=f"{prefix}/"):
            for entry in page.get("Contents", []):
                self.client.delete_object(Bucket=BUCKET, Key=entry["Key"])
