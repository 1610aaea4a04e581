"""A client of the control API, and the API's description to hold its answers against."""

import http.client
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys

import yaml

SOURCE = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(SOURCE / "tests" / "functional" / "agent"))

import agent_under_test  # noqa: E402 pylint: disable=wrong-import-position
from agent_under_test import AgentTest  # noqa: E402 pylint: disable=wrong-import-position

API_FILE = SOURCE / "agent" / "control" / "openapi.yaml"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("agent", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # A socket with a timeout does not wait when the queue of the server is full.
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO,
                             struct.pack("ll", int(self.timeout), 0))
        self.sock.connect(self.path)
        self.sock.settimeout(self.timeout)


class Answer:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text

    @property
    def json(self):
        return json.loads(self.text)

    def __str__(self):
        return f"{self.status} {self.text}"


def call(path, method, target, body=None, headers=None):
    """One request on a connection of its own. A body that is no text is sent as JSON."""
    connection = UnixConnection(path)
    try:
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        connection.request(method, target, body, headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read().decode())
    finally:
        connection.close()


class Events:
    """The server-sent events of one answer."""

    def __init__(self, path, target, headers=None):
        self.connection = UnixConnection(path)
        self.connection.request("GET", target, None, headers or {})
        self.answer = self.connection.getresponse()

    def __iter__(self):
        event = {}
        for line in self.answer:
            line = line.decode().rstrip("\n")
            if not line:
                if event:
                    yield event
                event = {}
            elif line.startswith(":"):
                yield {"comment": line[1:].strip()}
            else:
                name, _, value = line.partition(": ")
                event[name] = json.loads(value) if name == "data" else value

    def close(self):
        self.connection.close()


class Api:
    """openapi.yaml, and the part of JSON Schema that it uses. What it does not know, it refuses."""

    KNOWN = {"type", "properties", "required", "additionalProperties", "items", "enum", "nullable",
             "$ref", "allOf", "minimum", "maximum", "minLength", "maxLength", "format",
             "description", "default"}

    def __init__(self):
        self.document = yaml.safe_load(API_FILE.read_text())

    def operations(self):
        """(method, path, operation) of all."""
        return [(method.upper(), path, item[method])
                for path, item in self.document["paths"].items()
                for method in ("get", "post", "put", "delete", "patch") if method in item]

    def resolve(self, value):
        while "$ref" in value:
            at = self.document
            for word in value["$ref"].removeprefix("#/").split("/"):
                at = at[word]
            value = at
        return value

    def answer_schema(self, operation, status):
        answers = operation["responses"]
        answer = self.resolve(answers.get(str(status), answers["default"]))
        return {kind: content.get("schema", {}) for kind, content in answer["content"].items()}

    def mistakes(self, value, schema, where="answer"):
        """What is wrong with the value, as a list of lines."""
        schema = self.resolve(schema)
        unknown = set(schema) - self.KNOWN
        if unknown:
            return [f"{where}: the test does not know {unknown}"]
        if value is None and schema.get("nullable"):
            return []
        found = [line for part in schema.get("allOf", ())
                 for line in self.mistakes(value, part, where)]
        kinds = {"object": dict, "array": list, "string": str, "boolean": bool,
                 "integer": int, "number": (int, float)}
        kind = schema.get("type")
        if kind and (not isinstance(value, kinds[kind])
                     or isinstance(value, bool) and kind != "boolean"):
            return found + [f"{where}: {value!r} is no {kind}"]
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{where}: {value!r} is none of {schema['enum']}")
        if "minimum" in schema and value < schema["minimum"]:
            found.append(f"{where}: {value} is below {schema['minimum']}")
        if "maximum" in schema and value > schema["maximum"]:
            found.append(f"{where}: {value} is above {schema['maximum']}")
        if isinstance(value, str):
            if len(value) < schema.get("minLength", 0):
                found.append(f"{where}: is too short")
            if schema.get("format") == "date-time" and not TIME.fullmatch(value):
                found.append(f"{where}: {value!r} is no time")
        if isinstance(value, list):
            for index, member in enumerate(value):
                found += self.mistakes(member, schema.get("items", {}), f"{where}[{index}]")
        if isinstance(value, dict) and "properties" in schema:
            fields = schema["properties"]
            found += [f"{where}: '{name}' is missing"
                      for name in schema.get("required", ()) if name not in value]
            for name, member in value.items():
                if name in fields:
                    found += self.mistakes(member, fields[name], f"{where}.{name}")
                elif schema.get("additionalProperties") is False:
                    found.append(f"{where}: '{name}' is not in the description")
        return found


class ControlTest(AgentTest):
    """A test with a running agent."""

    def setUp(self):
        super().setUp()
        self.host.config["agent"]["metrics"]["listen"] = "127.0.0.1:0"
        self.socket = self.host.top / "control.sock"
        self.api = Api()
        self.calls = set()

    def serve(self):
        server = self.host.start("serve")
        self.addCleanup(lambda: server.running() and server.process.kill())
        if not server.wait_for("metrics on port "):
            self.fail(str(server.end()))
        self.port = agent_under_test.wait_until(
            "port", lambda: re.search(r"metrics on port (\d+)", server.stderr))[1]
        return server

    def stop(self, server):
        server.signal(agent_under_test.signal.SIGTERM)
        ended = server.end()
        self.assertEqual(ended.status, 0, ended)
        self.assertFalse(self.socket.exists())
        self.check_nothing_left()
        return ended

    def describe(self, method, target):
        """The operation that the request is."""
        path = target.partition("?")[0]
        for wanted, pattern, operation in self.api.operations():
            expression = re.sub(r"\{[^}]*\}", "[^/]+", pattern)
            if wanted == method and re.fullmatch(expression, path):
                return operation
        return None

    def ask(self, method, target, body=None, status=200, headers=None):
        """Asks, checks the answer against the description and returns it."""
        answer = call(self.socket, method, target, body, headers)
        self.assertEqual(answer.status, status, f"{method} {target}: {answer}")
        operation = self.describe(method, target)
        if operation is None:
            schema = {"$ref": "#/components/schemas/ErrorAnswer"}
        else:
            self.calls.add((operation["operationId"], status))
            schemas = self.api.answer_schema(operation, status)
            self.assertIn(answer.headers["Content-Type"], schemas)
            schema = schemas[answer.headers["Content-Type"]]
        self.assertEqual(self.api.mistakes(answer.json, schema), [], f"{method} {target}")
        return answer.json

    def refused(self, method, target, status, reason="config_invalid", body=None, says=""):
        error = self.ask(method, target, body, status)["error"]
        self.assertEqual(error["reason"], reason, error)
        self.assertIn(says, error["message"] + " / " + error["hint"])
        return error

    def start_run(self, target="t", **fields):
        return self.ask("POST", "/v1/runs", {"target": target, "reason": "a test", **fields}, 202)

    def wait_for_end(self, run_id):
        def ended():
            # A run that waits has no record yet.
            answer = call(self.socket, "GET", f"/v1/runs/{run_id}")
            return answer.status == 200 and answer.json["ended_at"]
        agent_under_test.wait_until("the run has ended", ended)
        return self.ask("GET", f"/v1/runs/{run_id}")


def as_user(user, arguments, **options):
    """Runs this interpreter as somebody else: `user` is (uid, gid, [groups])."""
    uid, gid, groups = user
    return subprocess.run(
        ["setpriv", f"--reuid={uid}", f"--regid={gid}",
         f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups",
         sys.executable, *arguments], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, **options)
