#!/usr/bin/env python3
"""The genuine store wale-small on a real S3 server: by an envdir alone, and through broken answers.

s3_test.py BUILD-DIRECTORY swift|ceph [unittest arguments]
"""

import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
for folder in ("integration/agent", "functional/agent", "servers"):
    sys.path.insert(0, str(HERE.parents[1] / folder))

# pylint: disable=wrong-import-position
import agent_under_test  # noqa: E402
from agent_under_test import AgentTest  # noqa: E402
from fault_proxy import Fault, FaultProxy  # noqa: E402
from object_servers import CephS3, SwiftS3, write_envdir  # noqa: E402
from wale_host import DATA, EXPECTED, WaleHost  # noqa: E402

SERVERS = {"swift": SwiftS3, "ceph": CephS3}
BUCKET, PREFIX = "backups", "db/main"
BACKUP = EXPECTED["stores"]["encrypted"]["backup"]
PARTITION = r"^GET /backups/db/main/.*part_00000000"
NO_SUCH_KEY = (b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>NoSuchKey</Code>"
               b"<Message>The specified key does not exist.</Message></Error>")


class S3(AgentTest):
    server_kind = "swift"

    @classmethod
    def setUpClass(cls):
        cls.server = SERVERS[cls.server_kind]()
        cls.addClassCleanup(cls.server.stop)
        cls.client = cls.server.fill(BUCKET, PREFIX, DATA / "encrypted")
        cls.proxy = FaultProxy(cls.server.port)
        cls.addClassCleanup(cls.proxy.stop)

    def setUp(self):
        self.host = WaleHost()
        self.addCleanup(self.host.remove)
        self.proxy.set()

    def add(self, port=None, change=None, **options):
        values = self.server.environment(BUCKET, PREFIX, port) | {"WALE_GPG_KEY_ID": "any"}
        values.update(change or {})
        envdir = write_envdir(self.host.top / "env", {k: v for k, v in values.items() if v})
        self.host.config["targets"].append({
            "name": "t", "instance": {"plugin": "postgresql"},
            "restore": {"plugin": "wal_e", "envdir": str(envdir), "gpg_home": str(self.host.keys),
                        **options},
            "checks": [{"check": "row_counts",
                        "manifest": self.host.rows("end", "end_of_archive")}],
            "schedules": [{"name": "rad", "cron": "0 6 2 * *", "depth": "restore"}]})

    def run_at(self, depth, verdict, reason=None, seconds=90):
        """Runs, looks at the verdict, and that no secret went anywhere."""
        started = time.monotonic()
        ended = self.host.run("t", "--depth", depth)
        self.assertLess(time.monotonic() - started, seconds, str(ended))
        report = self.check_report(ended, verdict, reason)
        for secret in (self.server.secret_key, "hunter2"):
            if len(secret) > 8 or secret == "hunter2":
                self.assertNotIn(secret, ended.stdout + ended.stderr)
        self.check_nothing_left()
        return report

    def broken(self, verdict, reason, *faults, **options):
        self.proxy.set(*faults)
        if not self.host.config["targets"]:
            self.add(self.proxy.port, storage_timeout="9s", **options)
        report = self.run_at("verify", verdict, reason)
        self.assertGreater(self.proxy.hits, 0, "the fault was never met")
        return report

    def test_inspect_verify_and_restore_pass(self):
        self.add()
        for depth in ("inspect", "verify", "restore"):
            report = self.run_at(depth, "pass")
            self.assertEqual(report["backup"]["name"], BACKUP)

    def test_what_breaks_and_comes_back_is_a_pass(self):
        for faults in ([Fault("cut", PARTITION, after=300_000)],
                       [Fault("stall", PARTITION, after=100_000, times=1)],
                       [Fault("status", status=503, times=3)],
                       [Fault("status", status=429, headers=(("Retry-After", 1),), times=2)],
                       [Fault("shorten", PARTITION, after=90_000)],
                       [Fault("shorten_unsaid", PARTITION, after=70_000, times=5)],
                       [Fault("short_object", PARTITION, after=70_000, times=2)],
                       [Fault("cut", r"list-type=2", after=500, times=2)],
                       [Fault("shorten_unsaid", r"list-type=2", after=500, times=2)]):
            with self.subTest(faults[0]):
                self.broken("pass", None, *faults)

    def test_five_answers(self):
        answers = (
            ("inconclusive", "access_denied", Fault("status", PARTITION, status=403)),
            ("inconclusive", "access_denied", Fault("status", "list-type", status=403)),
            ("fail", "missing_object", Fault("status", PARTITION, status=404, body=NO_SUCH_KEY)),
            # The listing has it, and what answers is not S3: nobody knows.
            ("inconclusive", "storage_unreachable", Fault("status", PARTITION, status=404)),
            ("inconclusive", "storage_unreachable", Fault("status", "list-type", status=404)),
            ("inconclusive", "storage_unreachable", Fault("status", PARTITION, status=503)),
            ("inconclusive", "storage_unreachable", Fault("status", PARTITION, status=500)),
            ("inconclusive", "storage_unreachable", Fault("stall", PARTITION, after=0)),
            ("inconclusive", "storage_unreachable", Fault("cut", PARTITION, after=0)),
            ("inconclusive", "storage_unreachable",
             Fault("status", status=302, headers=(("Location", "http://127.0.0.1:1/"),))),
            ("fail", "truncated", Fault("short_object", PARTITION, after=70_000)),
            ("fail", "truncated", Fault("shorten", PARTITION, after=0)),
            ("fail", "truncated", Fault("shorten_unsaid", PARTITION, after=0)))
        for verdict, reason, fault in answers:
            with self.subTest(fault):
                report = self.broken(verdict, reason, fault)
                if fault.status == 503 and fault.kind == "status":
                    self.assertIn("throttles", str(report))

    def test_wrong_settings_are_told_apart(self):
        nobody = self.host.top / "unused"
        self.assertFalse(nobody.exists())
        for reason, change in (("access_denied", {"AWS_SECRET_ACCESS_KEY": "hunter2"}),
                               ("access_denied", {"AWS_ACCESS_KEY_ID": "nobody"}),
                               ("storage_unreachable", {"WALE_S3_PREFIX": "s3://elsewhere/db"}),
                               ("storage_unreachable",
                                {"WALE_S3_ENDPOINT": "http+path://127.0.0.1:1"}),
                               ("no_backup", {"WALE_S3_PREFIX": f"s3://{BUCKET}/nothing/here"})):
            with self.subTest(change):
                self.host.config["targets"].clear()
                self.add(change=change, storage_timeout="3s")
                self.run_at("inspect", "fail" if reason == "no_backup" else "inconclusive", reason)

    def test_an_object_that_is_gone_or_short_on_the_server(self):
        key = f"{PREFIX}/wal_005/000000010000000000000004.lzo"
        whole = self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        self.addCleanup(self.client.put_object, Bucket=BUCKET, Key=key, Body=whole)
        self.client.put_object(Bucket=BUCKET, Key=key, Body=whole[:-1000])
        self.add()
        self.run_at("verify", "fail", "truncated")
        self.client.delete_object(Bucket=BUCKET, Key=key)
        self.run_at("inspect", "fail", "wal_gap")


if __name__ == "__main__":
    S3.server_kind = sys.argv.pop(2)
    agent_under_test.main()
