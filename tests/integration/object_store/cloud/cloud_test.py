#!/usr/bin/env python3
"""The genuine store wale-small on another service than S3: by an envdir alone, and when it breaks.

cloud_test.py BUILD-DIRECTORY azure|swift|keystone|google [unittest arguments]
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
for folder in ("integration/agent", "functional/agent", "servers"):
    sys.path.insert(0, str(HERE.parents[2] / folder))

# pylint: disable=wrong-import-position
import agent_under_test  # noqa: E402
from agent_under_test import AgentTest, descendants, read_proc  # noqa: E402
from cloud_servers import Azure, Google, KeystoneSwift, Swift  # noqa: E402
from fault_proxy import Fault, FaultProxy  # noqa: E402
from object_servers import write_envdir  # noqa: E402
from wale_host import DATA, EXPECTED, WaleHost  # noqa: E402

SERVERS = {"azure": Azure, "swift": Swift, "keystone": KeystoneSwift, "google": Google}
CONTAINER, PREFIX = "backups", "db/main"
STORE = DATA / "encrypted"
BACKUP = EXPECTED["stores"]["encrypted"]["backup"]
PARTITION = "^GET .*part_00000000"
SEGMENT = "wal_005/000000010000000000000004.lzo"


class Watcher(threading.Thread):
    """Looks for secrets in the arguments and the environment of an agent and all below it."""

    def __init__(self, pid, secrets):
        super().__init__(daemon=True)
        self.pid, self.needles, self.found, self.looks = pid, [s.encode() for s in secrets], [], 0
        self.ended = threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.02):
            for pid in [self.pid, *descendants(self.pid)]:
                text = read_proc(pid, "cmdline") + read_proc(pid, "environ")
                self.looks += 1
                self.found += [(pid, text) for needle in self.needles if needle in text]

    def stop(self):
        self.ended.set()
        self.join()


class Cloud(AgentTest):
    server_kind = "azure"

    @classmethod
    def setUpClass(cls):
        cls.server = SERVERS[cls.server_kind]()
        cls.addClassCleanup(cls.server.stop)
        cls.server.fill(CONTAINER, PREFIX, STORE)
        cls.proxy = FaultProxy(cls.server.port)
        cls.addClassCleanup(cls.proxy.stop)
        # The catalogue of an identity service names the storage itself, not the proxy.
        cls.behind_proxy = cls.server_kind != "keystone"

    def setUp(self):
        self.host = WaleHost()
        self.addCleanup(self.host.remove)
        self.proxy.set()

    def name(self, key):
        return f"{'/' if self.server.leading_slash else ''}{PREFIX}/{key}"

    def envdir(self, port=None, change=None):
        values = self.server.environment(CONTAINER, PREFIX, port) | {"WALE_GPG_KEY_ID": "any"}
        values.update(change or {})
        directory = self.host.top / "env"
        for path in directory.glob("*"):
            path.unlink()
        return write_envdir(directory, {k: v for k, v in values.items() if v})

    def add(self, port=None, change=None, **options):
        self.host.config["targets"] = [{
            "name": "t", "instance": {"plugin": "postgresql"},
            "restore": {"plugin": "wal_e", "envdir": str(self.envdir(port, change)),
                        "gpg_home": str(self.host.keys), **options},
            "checks": [{"check": "row_counts",
                        "manifest": self.host.rows("end", "end_of_archive")}],
            "schedules": [{"name": "rad", "cron": "0 6 2 * *", "depth": "restore"}]}]

    def run_at(self, depth, verdict, reason=None, seconds=120):
        """Runs, looks at the verdict, and that no secret went anywhere."""
        begun = time.monotonic()
        started = self.host.start("run", "t", "--json", "--depth", depth)
        watcher = Watcher(started.pid, self.server.secrets)
        ended = started.end()
        watcher.stop()
        self.assertLess(time.monotonic() - begun, seconds, str(ended))
        report = self.check_report(ended, verdict, reason)
        self.assertGreater(watcher.looks, 0)
        self.assertEqual(watcher.found, [])
        # By another process: to close the file here would take SQLite's locks away.
        kept = subprocess.run(["cat", *self.host.state.glob("rad.db*")], check=True,
                              stdin=subprocess.DEVNULL, capture_output=True).stdout
        self.assertIn(BACKUP.encode(), kept)
        for secret in (*self.server.secrets, "hunter2"):
            self.assertNotIn(secret, ended.stdout + ended.stderr)
            self.assertNotIn(secret.encode(), kept)
        self.check_nothing_left()
        return report

    def probe(self, *arguments, port=None, change=None, timeout=6):
        # Keystone is a slow one, and what it is asked here has an answer.
        timeout *= 10 if self.server_kind == "keystone" else 1
        ended = subprocess.run(
            [agent_under_test.BUILD / "tests" / "storage_probe", self.envdir(port, change),
             *map(str, arguments)], capture_output=True, text=True, check=True, timeout=200,
            env={**os.environ, "RAD_PROBE_TIMEOUT": str(timeout)})
        for secret in (*self.server.secrets, "hunter2"):
            self.assertNotIn(secret, ended.stdout + ended.stderr)
        return json.loads(ended.stdout)

    def tearDown(self):
        if self.server_kind == "google":
            self.assertEqual(self.server.violations(), "")
            self.server.set()

    def test_inspect_verify_and_restore_pass(self):
        self.add()
        for depth in ("inspect", "verify", "restore"):
            with self.subTest(depth):
                report = self.run_at(depth, "pass")
                self.assertEqual(report["backup"]["name"], BACKUP)

    def test_lists_and_reads_what_is_there(self):
        files = {str(path.relative_to(STORE)): path.read_bytes()
                 for path in STORE.rglob("*") if path.is_file()}
        listed = self.probe("list")
        self.assertEqual(listed["reason"], "", listed)
        self.assertEqual(listed["objects"], {key: len(text) for key, text in files.items()})
        self.assertEqual(self.probe("list", "wal_005/")["objects"].keys(),
                         {key for key in files if key.startswith("wal_005/")})
        for key, text in files.items():
            if len(text) > 3_000_000 or key == SEGMENT:
                read = self.probe("read", key, len(text))
                self.assertEqual(read.get("sha256"), hashlib.sha256(text).hexdigest(), read)
        self.assertEqual(self.probe("stat", SEGMENT)["bytes"], len(files[SEGMENT]))
        for look in (("stat", SEGMENT[:-1]), ("read", SEGMENT[:-1])):
            answer = self.probe(*look)
            self.assertEqual((answer["reason"], answer["object"]),
                             ("missing_object", SEGMENT[:-1]), answer)

    def test_odd_names(self):
        for key in ("odd/a b+c%20d&e=f?g#h.lzo", "odd/ü/ж~!*'().lzo", "odd//double.lzo"):
            with self.subTest(key):
                if self.server_kind == "google":
                    self.server.path(self.name(key)).parent.mkdir(parents=True, exist_ok=True)
                    key = key.replace("//", "/")
                self.server.put(CONTAINER, self.name(key), b"content")
                self.addCleanup(self.server.delete, CONTAINER, self.name(key))
                self.assertEqual(self.probe("list", key)["objects"], {key: 7})
                self.assertEqual(self.probe("stat", key).get("bytes"), 7)
                self.assertEqual(self.probe("read", key, 7).get("bytes"), 7)

    def test_an_object_that_is_gone_or_short(self):
        whole = (STORE / SEGMENT).read_bytes()
        self.addCleanup(self.server.put, CONTAINER, self.name(SEGMENT), whole)
        self.server.put(CONTAINER, self.name(SEGMENT), whole[:-1000])
        self.add()
        self.run_at("verify", "fail", "truncated")
        self.server.delete(CONTAINER, self.name(SEGMENT))
        self.run_at("inspect", "fail", "wal_gap")

    def test_five_answers_of_an_object(self):
        if not self.behind_proxy:
            self.skipTest("the proxy is not on its way")
        partition = next(path for path in STORE.rglob("part_00000000.tar.lzo"))
        size = partition.stat().st_size
        key = partition.relative_to(STORE)
        for reason, fault in (
                ("access_denied", Fault("status", PARTITION, status=403)),
                ("access_denied", Fault("status", PARTITION, status=401)),
                # The listing has it: who says that it is missing is not the service.
                ("storage_unreachable", Fault("status", PARTITION, status=404)),
                ("storage_unreachable", Fault("status", PARTITION, status=503)),
                ("storage_unreachable", Fault("status", PARTITION, status=429)),
                ("storage_unreachable", Fault("stall", PARTITION, after=50_000)),
                ("storage_unreachable", Fault("cut", PARTITION, after=0)),
                ("truncated", Fault("shorten", PARTITION, after=0)),
                ("truncated", Fault("shorten_unsaid", PARTITION, after=0)),
                ("truncated", Fault("short_object", PARTITION, after=70_000)),
                # Short answers that bring something are put together.
                ("", Fault("shorten", PARTITION, after=90_000, times=3)),
                ("", Fault("status", PARTITION, status=503, times=2)),
                ("", Fault("status", PARTITION, status=401, times=1)),
                ("", Fault("cut", PARTITION, after=300_000, times=2))):
            with self.subTest(fault):
                if fault.status == 401 and reason == "" and self.server_kind == "azure":
                    continue  # a key cannot be renewed
                self.proxy.set(fault)
                answer = self.probe("read", key, size, port=self.proxy.port)
                self.assertEqual(answer["reason"], reason, answer)
                self.assertGreater(self.proxy.hits, 0)
                self.assertLess(answer["seconds"], 60, answer)
                if fault.status in (429, 503) and fault.kind == "status" and reason:
                    self.assertIn("throttles", answer["message"])

    def test_five_answers_of_a_listing(self):
        if not self.behind_proxy:
            self.skipTest("the proxy is not on its way")
        match = self.server.listing
        for reason, fault in (
                ("access_denied", Fault("status", match, status=403)),
                ("storage_unreachable", Fault("status", match, status=404)),
                ("storage_unreachable", Fault("status", match, status=503)),
                ("storage_unreachable", Fault("stall", match, after=100)),
                ("storage_unreachable", Fault("shorten", match, after=300)),
                ("storage_unreachable", Fault("status", match, status=200, body=b"<html>ok</html>")),
                ("", Fault("shorten_unsaid", match, after=100, times=2)),
                ("", Fault("cut", match, after=300, times=1))):
            with self.subTest(fault):
                self.proxy.set(fault)
                answer = self.probe("list", port=self.proxy.port)
                self.assertEqual(answer["reason"], reason, answer)
                self.assertGreater(self.proxy.hits, 0)
                self.assertLess(answer["seconds"], 60, answer)

    def test_verify_through_trouble(self):
        if not self.behind_proxy:
            self.skipTest("the proxy is not on its way")
        for verdict, reason, fault in (
                ("pass", None, Fault("cut", PARTITION, after=300_000, times=2)),
                ("inconclusive", "storage_unreachable", Fault("status", PARTITION, status=503)),
                ("inconclusive", "access_denied", Fault("status", PARTITION, status=403)),
                ("fail", "truncated", Fault("shorten", PARTITION, after=0))):
            with self.subTest(fault):
                self.proxy.set(fault)
                self.add(self.proxy.port, storage_timeout="6s")
                self.run_at("verify", verdict, reason)
                self.assertGreater(self.proxy.hits, 0)

    def wrong(self, reason, change, says=""):
        with self.subTest(change):
            answer = self.probe("list", change=change, timeout=3)
            self.assertEqual(answer["reason"], reason, answer)
            self.assertIn(says, answer.get("message", "") + answer.get("hint", ""), answer)

    def test_a_container_that_does_not_exist(self):
        (name,) = [name for name in self.server.environment("x", "y") if name.endswith("_PREFIX")]
        scheme = self.server.environment("x", "y")[name].partition(":")[0]
        self.wrong("storage_unreachable", {name: f"{scheme}://elsewhere/db"}, "does not exist")
        # A prefix where there is nothing is no trouble of the storage.
        empty = self.probe("list", change={name: f"{scheme}://{CONTAINER}/nothing"})
        self.assertEqual((empty["reason"], empty["objects"]), ("", {}))

    def test_credentials(self):
        getattr(self, f"credentials_of_{self.server_kind}")()

    def credentials_of_azure(self):
        self.wrong("access_denied", {"WABS_ACCESS_KEY": "aHVudGVyMg=="}, "WABS_ACCESS_KEY")
        self.wrong("config_invalid", {"WABS_ACCESS_KEY": "hunter2"}, "WABS_ACCESS_KEY")
        self.wrong("storage_unreachable",
                   {"WALE_WABS_ENDPOINT": f"http://127.0.0.1:1/{self.server.account}"})
        for rights, seconds, reason, says in (("rl", 3600, "", ""), ("l", 3600, "", ""),
                                              ("r", 3600, "access_denied", "it needs r and l"),
                                              ("rl", -60, "access_denied", "has expired")):
            token = self.server.sas(CONTAINER, rights, seconds)
            self.wrong(reason, {"WABS_ACCESS_KEY": "", "WABS_SAS_TOKEN": token}, says)
        good = {"WABS_ACCESS_KEY": "", "WABS_SAS_TOKEN": self.server.sas(CONTAINER)}
        self.assertEqual(self.probe("read", SEGMENT, change=good)["reason"], "")
        self.add(change=good)
        self.run_at("verify", "pass")
        self.wrong("access_denied",
                   {"WABS_ACCESS_KEY": "", "AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:1"},
                   "there are no credentials")

    def credentials_of_swift(self):
        self.wrong("access_denied", {"SWIFT_PASSWORD": "hunter2"}, "SWIFT_PASSWORD")
        self.wrong("config_invalid",
                   {"SWIFT_AUTHURL": f"http://127.0.0.1:{self.server.port}/v3",
                    "SWIFT_AUTH_VERSION": "3"}, "SWIFT_AUTHURL")
        self.wrong("storage_unreachable", {"SWIFT_AUTHURL": "http://127.0.0.1:1/auth/v1.0"})

    def credentials_of_keystone(self):
        self.wrong("access_denied", {"SWIFT_PASSWORD": "hunter2"}, "SWIFT_PASSWORD")
        self.wrong("access_denied", {"SWIFT_TENANT": "nobodys"})
        self.wrong("config_invalid", {"SWIFT_REGION": "R2"}, "it has the regions R1")
        self.wrong("config_invalid", {"SWIFT_TENANT": ""}, "SWIFT_TENANT")
        self.wrong("access_denied", {"SWIFT_AUTH_VERSION": "1"}, "SWIFT_AUTH_VERSION")

    def credentials_of_google(self):
        server = self.server
        metadata = {"GOOGLE_APPLICATION_CREDENTIALS": "",
                    "GCE_METADATA_HOST": f"127.0.0.1:{server.port}"}
        user = {"GOOGLE_APPLICATION_CREDENTIALS": str(server.user_file)}
        for change in (metadata, user):
            self.wrong("", change)
            self.assertEqual(self.probe("read", SEGMENT, change=change)["reason"], "")
        self.wrong("access_denied", {**metadata, "GCE_METADATA_HOST": "127.0.0.1:1"},
                   "there are no credentials")
        self.wrong("config_invalid", {"GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent"})
        other = Google()
        self.addCleanup(other.stop)
        # Signed with another key, for the same token endpoint.
        account = json.loads(other.account_file.read_text())
        account["token_uri"] = json.loads(server.account_file.read_text())["token_uri"]
        path = other.write("other.json", account)
        self.wrong("access_denied", {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}, "invalid_grant")
        server.set(denied=True)
        self.wrong("access_denied", {}, "Storage Object Viewer")
        for status in (403, 429):
            server.set(throttled=status)
            self.wrong("storage_unreachable", {}, "throttles")

    def test_tokens_are_renewed(self):
        if self.server_kind != "google":
            self.skipTest("tokens of the other servers live longer than a test")
        # A second of life: the reads of a run cannot do with one token.
        self.server.set(token_seconds=1)
        self.add()
        self.run_at("verify", "pass")
        tokens = [line for line in self.server.requests() if line == "POST /token"]
        self.assertGreater(len(tokens), 1)


def swift_large_objects(self):
    """Made of segments: listed with their length (SLO), or with nothing (DLO)."""
    content = os.urandom(300_000)
    parts = [content[:200_000], content[200_000:]]
    for number, part in enumerate(parts):
        self.server.put(CONTAINER, f"segments/{number}", part)
    manifest = json.dumps([{"path": f"{CONTAINER}/segments/{number}", "size_bytes": len(part)}
                           for number, part in enumerate(parts)]).encode()
    self.server.call("PUT", f"{CONTAINER}/{self.name('large/slo')}", manifest,
                     "?multipart-manifest=put")
    self.server.call("PUT", f"{CONTAINER}/{self.name('large/dlo')}", b"",
                     X_Object_Manifest=f"{CONTAINER}/segments/")
    for key in ("large/slo", "large/dlo"):
        self.addCleanup(self.server.delete, CONTAINER, self.name(key))
        with self.subTest(key):
            self.assertEqual(self.probe("list", key)["objects"], {key: len(content)})
            self.assertEqual(self.probe("stat", key)["bytes"], len(content))
            for listed in ((), (len(content),)):
                read = self.probe("read", key, *listed)
                self.assertEqual(read.get("sha256"), hashlib.sha256(content).hexdigest(), read)


if __name__ == "__main__":
    Cloud.server_kind = sys.argv.pop(2)
    if Cloud.server_kind == "swift":
        Cloud.test_large_objects = swift_large_objects
    agent_under_test.main()
