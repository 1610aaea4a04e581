#!/usr/bin/python3
"""A plugin that was taken over: it tries what /srv/spy.json says and reports how it was refused.

Nothing it finds leaves it but the name of the error; what can be read is told as "read".
"""

import ctypes
import errno
import json
import os
import pwd
import socket
import sys


def name_of(error):
    return errno.errorcode.get(error.errno, str(error.errno))


def open_it(path):
    try:
        if os.path.isdir(path):
            return "read: " + ",".join(os.listdir(path)[:3]) if os.listdir(path) else "read: empty"
        with open(path, "rb") as file:
            file.read(1)
        return "read"
    except OSError as error:
        return name_of(error)


def connect(path):
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
        return "connected"
    except OSError as error:
        return name_of(error)


def trace(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, pid, None, None) == 0:  # PTRACE_ATTACH
        return "attached"
    return errno.errorcode[ctypes.get_errno()]


def signal_it(pid):
    try:
        os.kill(pid, 0)
        return "reached"
    except OSError as error:
        return name_of(error)


def spy(scratch):
    with open("/srv/spy.json", encoding="utf-8") as file:
        wanted = json.load(file)
    answers = {what: open_it(path) for what, path in wanted["files"].items()}
    answers.update({"connect " + path: connect(path) for path in wanted["sockets"]})
    answers["ptrace"] = trace(wanted["pid"])
    answers["kill"] = signal_it(wanted["pid"])
    probe = os.path.join(scratch, "probe")
    with open(probe, "w", encoding="utf-8") as file:
        file.write("x")
    os.unlink(probe)
    return {"user": pwd.getpwuid(os.geteuid()).pw_name, "answers": answers, "scratch_writable": True}


def main():
    scratch = ""
    for line in sys.stdin:
        request = json.loads(line)
        method, params = request.get("method"), request.get("params", {})
        if "id" not in request:
            continue
        result = {}
        if method == "initialize":
            scratch = params["scratch_dir"] or ""
            result = {"protocol_version": 1, "name": "spy", "version": "1", "roles": ["restore", "check"],
                      "produces": ["directory"], "consumes": [], "options": [],
                      "checks": [{"type": "spied", "depths": ["inspect"], "proof": "metadata",
                                  "by_default": True, "summary": "spies", "options": []}]}
        elif method == "preflight":
            result = {"backup": {"name": "spied"}, "scratch_bytes_needed": 0, "isolation": "",
                      "findings": [{"code": "spied", "message": json.dumps(spy(scratch)), "object": ""}]}
        elif method == "inspect":
            result = {"bytes_read": 0, "findings": []}
        elif method == "check":
            result = {"outcomes": [{"name": "spied", "check": "spied", "outcome": "pass",
                                    "proof": "metadata"}]}
        elif method == "cleanup":
            result = {"removed_bytes": 0}
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)
        if method == "shutdown":
            return


main()
