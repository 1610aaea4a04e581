#!/usr/bin/env python3
"""A restore plugin in plain Python: unpacks one .tar.gz into scratch and checks it.

It exists to prove that a plugin needs no library of ours: standard library only, one file. The first
half speaks the protocol (plugins/protocol/PROTOCOL.md) and is the same for any plugin; the second half
is the plugin. docs/plugin-authors-guide.md walks through it.
"""

import errno
import gzip
import json
import os
import pwd
import queue
import re
import shutil
import signal
import sys
import tarfile
import threading
import time
import zlib

# ---------------------------------------------------------------- the protocol

VERSION = 1
MAX_LINE = 1 << 20  # newline included
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, FAILED = -32700, -32600, -32601, -32000
NOT_CANCELLABLE = {"cleanup", "gc", "shutdown"}


class Failure(Exception):
    """An Error of the protocol on its way to the answer."""

    def __init__(self, reason, message, hint="", object="", code=FAILED, retryable=False):
        super().__init__(message)
        self.code = code
        self.data = {"reason": reason, "message": message, "hint": hint, "object": object,
                     "offset": None, "retryable": retryable, "detail": ""}


class Connection:
    """Lines in, lines out. One thread reads, so that `cancel` is heard while a request runs."""

    def __init__(self):
        # Nothing else may write to the protocol's descriptor or read from it.
        self.input = os.fdopen(os.dup(0), "rb")
        self.output = os.dup(1)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(2, 1)
        self.lock = threading.RLock()
        self.requests = queue.SimpleQueue()  # None: the end
        self.stopped = threading.Event()  # the running request must end
        self.running = None  # id of the running request, if it can be cancelled
        self.cancelled = set()  # ids that were cancelled while they waited
        self.waiting = []
        self.ending = False
        self.broken = False
        self.last_progress = 0.0
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=self.await_sigterm, daemon=True).start()
        threading.Thread(target=self.read_lines, daemon=True).start()

    def await_sigterm(self):
        signal.sigwait({signal.SIGTERM})
        self.end()

    def read_lines(self):
        while True:
            line = self.input.readline(MAX_LINE + 1)
            if len(line) > MAX_LINE:
                self.broken = True
                self.send_error(None, Failure("plugin_protocol", "a line is longer than 1 MiB",
                                              code=PARSE_ERROR))
            if not line.endswith(b"\n") or self.broken:
                self.end()
                return
            self.take(line)

    def take(self, line):
        ident = None
        try:
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                raise Failure("plugin_protocol", "a line is not JSON", code=PARSE_ERROR) from None
            if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
                raise Failure("plugin_protocol", "a line is no JSON-RPC 2.0", code=INVALID_REQUEST)
            if "method" not in message:
                raise Failure("plugin_protocol", "'method' is missing", code=INVALID_REQUEST)
            params = message.get("params")
            params = {} if params is None else params
            if not isinstance(message["method"], str) or not isinstance(params, dict):
                raise Failure("plugin_protocol", "'method' or 'params' has the wrong type",
                              code=INVALID_REQUEST)
            if "id" not in message:
                if message["method"] == "cancel":
                    self.cancel(params.get("id"))
                return
            if type(message["id"]) is not int or message["id"] < 1:
                raise Failure("plugin_protocol", "'id' is no positive integer",
                              code=INVALID_REQUEST)
            ident = message["id"]
            with self.lock:
                self.waiting.append(ident)
            self.requests.put((ident, message["method"], params))
        except Failure as failure:
            self.send_error(ident, failure)

    def cancel(self, ident):
        with self.lock:
            if self.running is not None and ident in (None, self.running):
                self.stopped.set()
            self.cancelled.update(i for i in self.waiting if ident in (None, i))

    def end(self):
        with self.lock:
            self.ending = True
            if self.running is not None:
                self.stopped.set()
        self.requests.put(None)

    def send(self, message):
        line = json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"
        with self.lock:
            try:
                while line:
                    line = line[os.write(self.output, line):]
            except OSError:
                pass  # the agent is gone; the end of input follows

    def send_error(self, ident, failure):
        self.send({"id": ident, "error": {"code": failure.code, "message": failure.data["message"],
                                          "data": failure.data}})

    def progress(self, done, total, note=""):
        now = time.monotonic()
        if now - self.last_progress >= 0.1 or done == total:
            self.last_progress = now
            self.send({"method": "progress", "params": {"bytes_done": done, "bytes_total": total,
                                                        "note": note}})

    def check_stop(self, seconds=0.0):
        if self.stopped.wait(seconds):
            raise Failure("cancelled", "the request was cancelled")

    def serve(self, plugin):
        """Answers requests until `shutdown` or the end. Returns the exit status."""
        while (item := self.requests.get()) is not None:
            ident, method, params = item
            with self.lock:
                self.waiting.remove(ident)
                self.stopped.clear()
                self.running = None if method in NOT_CANCELLABLE else ident
                if self.running and (ident in self.cancelled or self.ending):
                    self.stopped.set()
            try:
                handler = plugin.methods().get(method)
                if handler is None:
                    raise Failure("plugin_protocol", f"no method '{method}'",
                                  code=METHOD_NOT_FOUND)
                if self.running:
                    self.check_stop()
                answer = {"id": ident, "result": self.guarded(handler, params)}
            except Failure as failure:
                answer = {"id": ident, "error": {"code": failure.code, "data": failure.data,
                                                 "message": failure.data["message"]}}
            with self.lock:
                self.running = None
            self.send(answer)
            if method == "shutdown":
                return 0
        with self.lock:
            self.stopped.clear()
        plugin.cleanup({})
        return 1 if self.broken else 0

    def guarded(self, handler, params):
        """What breaks because it was stopped is an echo; what breaks otherwise is a bug."""
        try:
            return handler(params)
        except Exception as error:
            if self.running and self.stopped.is_set():
                raise Failure("cancelled", "the request was cancelled") from None
            if isinstance(error, Failure):
                raise
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise Failure("scratch_full", "no space left in scratch") from None
            raise Failure("internal_error", f"{type(error).__name__}: {error}") from error


UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9,
         "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def as_duration(value):
    if not isinstance(value, str) or not re.fullmatch(r"(\d+(ms|s|m|h|d|w))+", value):
        raise ValueError("a duration such as 15m or 26h")
    return sum(int(n) * UNITS[u] for n, u in re.findall(r"(\d+)(ms|s|m|h|d|w)", value))


def as_bytes(value):
    match = re.fullmatch(r"(\d+)([KMG]i?B|B?)", str(value))
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not match:
        raise ValueError("a size such as 512 or 64KiB")
    return int(match[1]) * SIZES[match[2]]


def as_integer(value):
    if type(value) is not int:
        raise ValueError("a whole number")
    return value


def as_path(value):
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError("an absolute path")
    return value


READERS = {"duration": as_duration, "bytes": as_bytes, "integer": as_integer, "path": as_path}


def read_options(given, known, what):
    """Checks options against their description and says all that is wrong at once."""
    values, faults = {}, []
    for key in given:
        if key not in {option["key"] for option in known}:
            faults.append(f"{what} has no option '{key}'")
    for option in known:
        value = given.get(option["key"])
        if value is None:
            if option["required"]:
                faults.append(f"option '{option['key']}' of {what} is missing")
            value = option["default"]
            if value is not None and option["type"] == "integer":
                value = int(value)
        if value is not None:
            try:
                values[option["key"]] = READERS[option["type"]](value)
            except ValueError as expected:
                faults.append(f"option '{option['key']}' of {what} is {str(value)[:60]}, "
                              f"expected {expected}")
    if faults:
        raise Failure("config_invalid", "; ".join(faults),
                      "known are: " + ", ".join(option["key"] for option in known))
    return values


def option(key, type, summary, required=False, default=None):
    """`default` is a text, as a person would write it in the configuration."""
    return {"key": key, "type": type, "required": required, "secret": False, "default": default,
            "allowed": [], "summary": summary, "min": None, "max": None}


# ---------------------------------------------------------------- the plugin

OPTIONS = [
    option("archive", "path", "the .tar.gz that is tested", required=True),
    option("rate", "bytes", "read at most so many bytes in a second; 0: no limit", default="0"),
]
CHECKS = [
    {"type": "tar_age", "depths": ["inspect", "verify", "restore"], "proof": "metadata",
     "by_default": False, "summary": "the archive is young enough",
     "options": [option("max", "duration", "oldest that passes", required=True)]},
    {"type": "tar_readable", "depths": ["verify", "restore"], "proof": "bytes",
     "by_default": True, "summary": "every byte was decompressed and checked", "options": []},
    {"type": "tar_files", "depths": ["restore"], "proof": "data",
     "by_default": True, "summary": "the unpacked files are there and readable",
     "options": [option("min", "integer", "fewest files that pass", default="1")]},
]


class ArchiveStream:
    """The decompressed bytes, counted, throttled, and given up when the request is stopped."""

    def __init__(self, plugin):
        self.plugin = plugin
        self.raw = plugin.archive
        self.raw.seek(0)
        self.gzip = gzip.GzipFile(fileobj=self.raw)
        self.end = b""  # the last two blocks

    def read(self, size):
        plugin = self.plugin
        if plugin.rate:
            size = min(size, plugin.rate)
            plugin.connection.check_stop(size / plugin.rate)
        plugin.connection.check_stop()
        data = self.gzip.read(size)
        self.end = (self.end + data)[-1024:]
        plugin.connection.progress(self.raw.tell(), plugin.stored, "read")
        return data


class TarDirectory:
    def __init__(self, connection):
        self.connection = connection
        self.run = None
        self.archive = None
        self.members_read = None
        self.kept = 0

    def methods(self):
        always = {"initialize": self.initialize, "cleanup": self.cleanup,
                  "shutdown": lambda params: {}}
        if self.run is None:
            return {**always, **{name: self.too_early for name in (
                "preflight", "inspect", "verify", "restore", "check", "diagnose", "gc")}}
        return {**always, "preflight": self.preflight, "inspect": self.inspect,
                "verify": self.verify, "restore": self.restore, "check": self.check,
                "diagnose": lambda params: {"cause": None}, "gc": lambda params: {"removed": []}}

    def too_early(self, params):
        raise Failure("plugin_protocol", "'initialize' with a run comes first",
                      code=INVALID_REQUEST)

    def initialize(self, params):
        if VERSION not in params.get("versions", []):
            raise Failure("version_unsupported", f"this plugin speaks protocol version {VERSION}, "
                          f"the agent {params.get('versions')}")
        if params.get("run_id"):
            if self.run is not None:
                raise Failure("plugin_protocol", "a second run", code=INVALID_REQUEST)
            self.begin(params)
        return {"protocol_version": VERSION, "name": "tar_directory", "version": "1.0",
                "roles": ["restore", "check"], "produces": ["directory"], "consumes": [],
                "options": OPTIONS, "checks": CHECKS}

    def begin(self, params):
        options = read_options(params.get("options") or {}, OPTIONS, "plugin 'tar_directory'")
        for spec in params.get("checks") or []:
            self.check_options(spec)
        try:
            # Opened before root is given up: only root may be able to read it.
            archive = open(options["archive"], "rb")
        except FileNotFoundError:
            raise Failure("no_backup", f"there is no '{options['archive']}'",
                          object=options["archive"]) from None
        except PermissionError:
            raise Failure("access_denied", f"'{options['archive']}' cannot be read",
                          object=options["archive"]) from None
        self.archive, self.name, self.rate = archive, options["archive"], options["rate"]
        self.stored = os.fstat(archive.fileno()).st_size
        self.modified = os.fstat(archive.fileno()).st_mtime
        self.target = os.path.join(params["scratch_dir"], "tree")
        self.depth = params.get("depth") or "restore"
        if os.geteuid() == 0:
            account = pwd.getpwnam(params["account"])
            for path in (params["scratch_dir"], params["runtime_dir"]):
                os.chown(path, account.pw_uid, account.pw_gid)
            os.setgroups([])
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
        self.run = params["run_id"]

    def check_options(self, spec):
        for known in CHECKS:
            if known["type"] == spec.get("check"):
                return read_options(spec.get("options") or {}, known["options"],
                                    f"check '{spec.get('name') or spec['check']}'")
        raise Failure("config_invalid", f"plugin 'tar_directory' has no check '{spec.get('check')}'",
                      "its checks are " + ", ".join(known["type"] for known in CHECKS))

    def preflight(self, params):
        finished = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.modified))
        return {"backup": {"name": os.path.basename(self.name), "finished_at": finished,
                           "stored_bytes": self.stored, "expanded_bytes": 0, "archive_end": "",
                           "version": ""},
                "scratch_bytes_needed": 10 * self.stored if self.depth == "restore" else 0,
                "isolation": os.environ.get("RAD_ISOLATION", "none"), "findings": []}

    def inspect(self, params):
        return {"bytes_read": 0, "findings": []}

    def verify(self, params):
        self.read_all(lambda tar, member: None)
        return {"bytes_read": self.stored, "findings": []}

    def restore(self, params):
        os.mkdir(self.target, 0o700)
        self.kept = 0
        left_out = self.read_all(self.unpack)
        return {"artifact": {"kind": "directory", "path": self.target, "properties": {}},
                "bytes_read": self.stored, "bytes_restored": self.kept,
                "findings": [{"code": "links_left_out", "object": name,
                              "message": f"'{name}' is a link and was not created"}
                             for name in left_out[:100]]}

    def read_all(self, visit):
        """Reads the whole archive, whatever `visit` does. Returns the names of links."""
        stream, links, self.members_read, count = ArchiveStream(self), [], None, 0
        try:
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                for member in tar:
                    count += 1
                    if member.issym() or member.islnk():
                        links.append(member.name)
                    elif member.isdir() or member.isreg():
                        visit(tar, member)
                    else:
                        raise Failure("unsafe_content", f"member '{member.name}' is a device",
                                      object=member.name)
            while stream.read(1 << 16):
                pass
        except (EOFError, tarfile.ReadError) as error:
            raise Failure("truncated", f"archive '{self.name}' ends early: {error}",
                          object=self.name) from None
        except (zlib.error, gzip.BadGzipFile) as error:
            raise Failure("decompress_failed", f"archive '{self.name}': {error}",
                          object=self.name) from None
        if stream.end != bytes(1024):
            raise Failure("truncated", f"archive '{self.name}' has no end mark", object=self.name)
        self.members_read = count
        return links

    def unpack(self, tar, member):
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        if ".." in parts or member.name.startswith("/"):
            raise Failure("unsafe_content", f"member '{member.name}' leaves the directory",
                          object=member.name)
        # Links are never created, so no component of the path can lead out.
        path = os.path.join(self.target, *parts)
        if member.isdir():
            os.makedirs(path, 0o700, exist_ok=True)
            return
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        with tar.extractfile(member) as source, open(path, "xb") as file:
            while block := source.read(1 << 20):
                file.write(block)
        self.kept += member.size

    def check(self, params):
        outcomes = []
        for spec in params.get("checks") or []:
            options = self.check_options(spec)
            known = next(known for known in CHECKS if known["type"] == spec["check"])
            outcome = {"name": spec.get("name") or spec["check"], "check": spec["check"],
                       "plugin": "", "outcome": "not_applicable", "reason": None,
                       "proof": known["proof"], "message": f"cannot be answered at {self.depth}",
                       "hint": "", "object": "", "measured": "", "expected": "", "details": [],
                       "duration_seconds": 0.0}
            if self.depth in known["depths"]:
                begin = time.monotonic()
                outcome.update(getattr(self, "check_" + spec["check"])(options))
                outcome["duration_seconds"] = time.monotonic() - begin
            outcomes.append(outcome)
        return {"outcomes": outcomes, "outcomes_file": None}

    def check_tar_age(self, options):
        age = time.time() - self.modified
        good = age <= options["max"]
        return {"outcome": "pass" if good else "fail", "reason": None if good else "stale_backup",
                "message": "the archive is young enough" if good else "the archive is too old",
                "measured": f"{age:.0f} s", "expected": f"at most {options['max']:.0f} s"}

    def check_tar_readable(self, options):
        if self.members_read is None:
            return {"outcome": "inconclusive", "reason": "check_error",
                    "message": "the archive was not read to its end"}
        return {"outcome": "pass", "message": "every byte was read",
                "measured": f"{self.members_read} members"}

    def check_tar_files(self, options):
        files = 0
        for directory, _, names in os.walk(self.target):
            for name in names:
                self.connection.check_stop()
                with open(os.path.join(directory, name), "rb") as file:
                    while file.read(1 << 20):
                        pass
                files += 1
        good = files >= options["min"]
        return {"outcome": "pass" if good else "fail", "reason": None if good else "check_failed",
                "message": "the files are there" if good else "files are missing",
                "measured": f"{files} files", "expected": f"at least {options['min']}"}

    def cleanup(self, params):
        if self.run is None or not os.path.lexists(self.target):
            return {"removed_bytes": 0}
        size = sum(os.lstat(os.path.join(directory, name)).st_size
                   for directory, _, names in os.walk(self.target) for name in names)
        shutil.rmtree(self.target)
        return {"removed_bytes": size}


if __name__ == "__main__":
    link = Connection()
    status = link.serve(TarDirectory(link))
    sys.stderr.flush()
    os._exit(status)  # the reader may still be waiting for input
