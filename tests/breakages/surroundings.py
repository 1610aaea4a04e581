"""What surrounds one run: keyring, scratch, configuration, limits. All of it below one directory."""

import json
import os
import pathlib
import shutil
import subprocess

from broken_store import BrokenStore, link_tree
from store_kit import objects

HERE = pathlib.Path(__file__).resolve().parent
KEYS = HERE.parent / "data" / "wale-small" / "keys"
HANG = "#!/bin/sh\nexec sleep 100000\n"


class KeyMaker:
    """GnuPG homes by kind, each made once and then copied."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)

    def home(self, kind):
        path = self.directory / kind
        if not path.exists():
            path.mkdir(mode=0o700)
            getattr(self, f"make_{kind}")(path)
            subprocess.run(["gpgconf", "--homedir", str(path), "--kill", "all"], check=False)
        return path

    @staticmethod
    def gpg(home, *args, **kwargs):
        argv = ["gpg", "--homedir", str(home), "--batch", "-q", *args]
        done = subprocess.run(argv, capture_output=True, check=False, text=True, **kwargs)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(args)}: {done.stderr}")
        return done.stdout

    def fingerprint(self, home):
        listing = self.gpg(home, "--list-keys", "--with-colons")
        return next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))

    def make_good(self, home):
        self.gpg(home, "--import", str(KEYS / "secret-key.asc"))

    def make_public_only(self, home):
        self.gpg(home, "--import", str(KEYS / "public-key.asc"))

    def make_empty(self, home):
        pass

    def make_other(self, home):
        self.gpg(home, "--passphrase", "", "--quick-generate-key", "Other <other@example.invalid>",
                 "rsa2048", "default", "never")
        self.gpg(home, "--passphrase", "", "--quick-add-key", self.fingerprint(home), "rsa2048",
                 "encr", "never")

    def make_expired(self, home):
        self.make_good(home)
        for keys in ((), ("*",)):
            self.gpg(home, "--faked-system-time", "20210601T000000!", "--quick-set-expire",
                     self.fingerprint(home), "2022-01-01", *keys)

    def make_passphrase(self, home):
        self.make_good(home)
        self.gpg(home, "--pinentry-mode", "loopback", "--passphrase", "a secret", "--passwd",
                 self.fingerprint(home))

    make_agent_hangs = make_good


class Surroundings:
    """One run's directory and configuration; transformations alter it."""

    def __init__(self, directory, build, keys, stores):
        self.directory = pathlib.Path(directory)
        self.build = pathlib.Path(build)
        self.keys = keys
        self.stores = stores
        self.keyring_kind = "good"
        self.scratch_limits = None
        self.fake = None
        self.cover_agent = False
        self.directory.mkdir(parents=True)
        self.directory.chmod(0o755)

    # What transformations call.

    def other_store(self, name):
        return self.stores.open(name)

    def other_key(self):
        return ForeignKey(self.keys.home("other"))

    def use_keyring(self, kind):
        self.keyring_kind = kind
        self.cover_agent = kind == "agent_hangs"

    def limit_scratch(self, limits):
        self.scratch_limits = limits

    def use_fake_plugin(self, method, does):
        act = {"crash": {"crash": "kill"}, "hang": {"hang": True},
               "garbage": {"stdout": "this is not JSON\n"}, "flood": {"flood": "lines"},
               "flood_line": {"flood": "line"}}[does]
        methods = ["verify", "restore"] if method == "read" else [method]
        self.fake = {name: act for name in methods}

    # The run.

    def write_config(self, row, manifest, fake_twin=False):
        """rad.yaml, written as JSON, which is YAML too."""
        home = self.directory / "gnupg"
        shutil.copytree(self.keys.home(self.keyring_kind), home)
        for name in ("state", "run", "scratch"):
            (self.directory / name).mkdir(mode=0o755)
        target = {"name": "broken",
                  "restore": {"plugin": "wal_e", "storage": f"file://{self.directory / 'store'}",
                              "gpg_home": str(home)} | row.get("restore", {}),
                  "instance": {"plugin": "postgresql"},
                  "checks": list(row.get("checks", []))}
        if manifest:
            path = self.directory / "rows.json"
            path.write_text(json.dumps(manifest))
            path.chmod(0o644)
            target["checks"].append({"check": "row_counts", "manifest": str(path)})
        if self.fake is not None or fake_twin:
            script = self.directory / "script.json"
            script.write_text(json.dumps(self.fake or {}))
            target = {"name": "broken", "restore": {"plugin": "fake", "script": str(script)},
                      "instance": {"plugin": "fake"}}
        agent = {"state_dir": str(self.directory / "state"),
                 "scratch_dir": str(self.directory / "scratch"), "scratch_reserve": "0B",
                 "runtime_dir": str(self.directory / "run"),
                 "plugin_dir": str(self.build / "plugins.d"),
                 "libexec_dir": str(self.build / "libexec"),
                 "metrics": {"listen": "off"}} | row.get("agent", {})
        path = self.directory / "rad.yaml"
        path.write_text(json.dumps({"agent": agent, "targets": [target]}, indent=1))
        return path

    def argv(self, command):
        """The command, inside a mount namespace of its own where the row asks for one."""
        arguments = []
        if self.scratch_limits:
            arguments += ["--scratch", str(self.directory / "scratch"),
                          json.dumps(self.scratch_limits)]
        if self.cover_agent:
            hang = self.directory / "hang"
            hang.write_text(HANG)
            hang.chmod(0o755)
            arguments += ["--cover", "/usr/bin/gpg-agent", str(hang)]
        if not arguments:
            return command
        return ["unshare", "--mount", "--propagation", "private", str(HERE / "in_namespace"),
                *arguments, "--", *command]

    def leftovers(self):
        """Files in scratch and runtime, and processes that know this directory."""
        found = []
        for name in ("scratch", "run"):
            found += [str(p) for p in (self.directory / name).iterdir()]
        report = self.directory / "namespace_leftovers.json"
        if report.exists():
            found += json.loads(report.read_text())
        needle = str(self.directory).encode()
        for process in pathlib.Path("/proc").iterdir():
            if not process.name.isdigit() or int(process.name) == os.getpid():
                continue
            try:
                line = (process / "cmdline").read_bytes()
                if needle in line or needle in os.fsencode(os.readlink(process / "cwd")):
                    text = line.replace(b"\0", b" ").decode(errors="replace")
                    found.append(f"process {process.name}: {text.strip()[:100]}")
            except OSError:
                continue
        return found


class ForeignKey(objects.Keyring):
    """An existing home, for encrypting to somebody else."""

    def __init__(self, home):  # pylint: disable=super-init-not-called
        self.home = home
        self.fingerprint = KeyMaker(home.parent).fingerprint(home)


class Stores:
    """The unbroken stores, made once in a cache directory."""

    def __init__(self, specs, cache, keyring):
        self.specs = specs
        self.cache = pathlib.Path(cache)
        self.keyring = keyring

    def path(self, name):
        """-> (store, expected.json's content); makes it when it is not there yet."""
        spec = self.specs[name]
        if "fixture" in spec:
            directory = HERE.parent / "data" / spec["fixture"]
            store = directory / spec["prefix"]
        else:
            directory = self.cache / name
            if not directory.exists():
                self.make(name, spec, directory)
            store = next(p for p in directory.iterdir() if p.is_dir())
        expected = json.loads((directory / "expected.json").read_text())
        return store, expected

    def make(self, name, spec, directory):
        making = self.cache / f"{name}.making"
        shutil.rmtree(making, ignore_errors=True)
        size = spec.get("wal_segsize", 16)
        capture = self.cache / "captures" / f"{spec['profile']}-{size}"
        argv = [str(HERE.parent / "data" / "make-store"), str(making), "--profile",
                spec["profile"], "--format", spec.get("format", "pax"), "--wal-segsize", str(size)]
        argv += [f"--{flag}" for flag in ("plain", "mixed", "unpadded") if spec.get(flag)]
        argv += ["--capture" if (capture / "capture.json").exists() else "--keep-capture",
                 str(capture)]
        shutil.rmtree(capture, ignore_errors=True) if argv[-2] == "--keep-capture" else None
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        making.rename(directory)

    def open(self, name):
        store, expected = self.path(name)
        return BrokenStore(store, self.keyring, expected)

    def copy(self, name, directory):
        """-> BrokenStore in directory/store, as cheap as links are."""
        store, expected = self.path(name)
        link_tree(store, directory / "store")
        for root, _, _ in os.walk(directory / "store"):
            os.chmod(root, 0o755)
        return BrokenStore(directory / "store", self.keyring, expected)
