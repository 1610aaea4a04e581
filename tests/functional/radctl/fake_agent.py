"""A control socket whose answers a test decides: what an agent says, does not say, or says wrongly.

The real agent is tested with radctl in real_agent_test.py; here are the agents that one cannot order:
dead ones, restarted ones, mute ones, hostile ones.
"""

import http.server
import json
import pathlib
import socketserver
import threading
import urllib.parse

SOURCE = pathlib.Path(__file__).resolve().parents[3]
ANSWERS = SOURCE / "tests" / "golden" / "radctl" / "answers"


def answer(name):
    return json.loads((ANSWERS / f"{name}.json").read_text(encoding="utf-8"))


def error(reason, message, hint=""):
    return {"error": {"reason": reason, "message": message, "hint": hint}}


def fault(reason, message="what happened", hint="what to do"):
    return {"reason": reason, "message": message, "hint": hint, "object": "", "offset": None,
            "retryable": False, "detail": ""}


def report(run_id, verdict, reason=None, cleanup="clean", target="customers-db"):
    """A record of a run as in openapi.yaml, RunReport."""
    return {
        "id": run_id, "target": target, "schedule": "manual", "depth": "restore",
        "requested_by": "alice", "request_note": "a test", "host": "restore1",
        "agent_version": "0.1.0", "created_at": "2026-11-20T18:44:51.715Z",
        "ended_at": "2026-11-20T18:45:51.715Z" if verdict else None,
        "backup": {"name": "base_1", "finished_at": None, "stored_bytes": 1, "expanded_bytes": 2,
                   "archive_end": "", "version": "15"},
        "recovery": {"lsn": "", "last_transaction": None, "timeline": 0}, "isolation": "",
        "stages": [], "checks": [], "findings": [], "faults": [], "verdict": verdict,
        "cause": fault(reason) if reason else None, "cleanup": cleanup, "cleanup_message": "",
        "kept_path": "", "kept_until": None, "bytes_read": 0, "bytes_restored": 0,
        "measured_rto_seconds": None, "measured_rpo_seconds": None, "rto_target_seconds": None,
        "rpo_target_seconds": None}


class FakeAgent:
    """Answers by (method, path): an object, (status, object), bytes, or a function of the request.

    Events of a run: `streams` holds a function(send, after) for each connection in turn; the last
    one stays. `send(type, data, number=None)` writes one event.
    """

    def __init__(self, path):
        self.path = str(path)
        self.requests = []
        self.answers = {
            ("GET", "/v1/status"): answer("status_calm"),
            ("GET", "/v1/targets"): answer("targets"),
            ("GET", "/v1/schedules"): answer("schedules"),
            ("GET", "/v1/missed"): {"missed": answer("schedules")["missed"], "next_after": None},
            ("GET", "/v1/runs"): answer("runs"),
            ("GET", "/v1/restores"): {"restores": []},
            ("GET", "/v1/holds"): answer("holds"),
            ("GET", "/v1/plugins"): answer("plugins"),
            ("GET", "/v1/audit"): answer("audit"),
            ("GET", "/v1/targets/customers-db"): answer("targets")["targets"][0],
            ("GET", "/v1/targets/customers-db/backups"): answer("backups"),
            ("POST", "/v1/runs"): (202, answer("start_started")),
        }
        self.streams = []
        self.changed = threading.Condition()
        self._server = None

    def start(self):
        agent = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def address_string(self):
                return "unix"

            def log_message(self, *arguments):
                pass

            def do_GET(self):
                agent.handle(self, None)

            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                agent.handle(self, json.loads(self.rfile.read(length)))

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            request_queue_size = 64

        pathlib.Path(self.path).unlink(missing_ok=True)
        self._server = Server(self.path, Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self):
        """As a process that is gone: nobody listens any more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def handle(self, handler, body):
        url = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        with self.changed:
            self.requests.append((handler.command, url.path, query, body))
            self.changed.notify_all()
        try:
            if url.path.endswith("/events"):
                self.follow(handler, int(query.get("after", 0)))
            else:
                self.reply(handler, self.answers.get((handler.command, url.path)), query, body)
        except OSError:
            handler.close_connection = True

    def reply(self, handler, found, query, body):
        if callable(found):
            found = found(query, body)
        if found is None:
            found = (404, error("config_invalid", f"there is no '{handler.path}'", "look again"))
        if isinstance(found, bytes):
            handler.wfile.write(found)
            handler.close_connection = True
            return
        status, value = found if isinstance(found, tuple) else (200, found)
        text = json.dumps(value).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def follow(self, handler, after):
        with self.changed:
            stream = self.streams.pop(0) if len(self.streams) > 1 else self.streams[0]
        handler.close_connection = True
        if isinstance(stream, tuple):
            self.reply(handler, stream, {}, None)
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(b": hello\n\n")

        def send(kind, data, number=None):
            text = "" if number is None else f"id: {number}\n"
            handler.wfile.write(f"{text}event: {kind}\ndata: {json.dumps(data)}\n\n".encode())
            handler.wfile.flush()

        stream(send, after)

    def wait_for_request(self, method, path, seconds=60):
        """The body of the first such request."""
        def find():
            return next((r for r in self.requests if r[0] == method and r[1] == path), None)
        with self.changed:
            if not self.changed.wait_for(find, seconds):
                raise AssertionError(f"no {method} {path} in {self.requests}")
            return find()[3]

    def asked(self, method, path):
        return [r for r in self.requests if r[0] == method and r[1] == path]
