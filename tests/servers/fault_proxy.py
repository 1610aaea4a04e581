"""An HTTP proxy before a storage server that breaks its answers on purpose."""

import dataclasses
import http.client
import re
import socket
import threading


@dataclasses.dataclass
class Fault:
    """What is done to the answers of requests whose method and path match."""
    # cut, stall (after so many bytes), status, shorten (each answer, with a length that fits),
    # shorten_unsaid (without a length), short_object (as if the object had no more bytes)
    kind: str
    match: str = ""            # regular expression on "GET /bucket/key?query"
    after: int = 0             # bytes of the body that still come
    times: int = 10**9         # so often, then answers are whole again
    status: int = 503
    body: bytes = b""
    headers: tuple = ()


class FaultProxy:
    """Listens on a port of its own on 127.0.0.1; a thread a connection."""

    def __init__(self, upstream_port):
        self.upstream_port = upstream_port
        self.faults = []
        self.hits = 0
        self.requests = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._open = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def stop(self):
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self._acceptor.join()

    def set(self, *faults):
        with self._lock:
            self.faults = list(faults)
            self.hits = 0
            self.requests = []

    def _accept(self):
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        reader = connection.makefile("rb")
        try:
            while self._one(connection, reader):
                pass
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
            reader.close()
            connection.close()

    def _choose(self, line):
        with self._lock:
            self.requests.append(line)
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.match, line):
                    fault.times -= 1
                    self.hits += 1
                    return fault
        return None

    def _one(self, connection, reader):
        first = reader.readline().decode("latin-1").rstrip("\r\n")
        if not first:
            return False
        method, target, _ = first.split(" ", 2)
        headers = []
        while True:
            line = reader.readline().decode("latin-1").rstrip("\r\n")
            if not line:
                break
            headers.append(line.split(": ", 1) if ": " in line else (line.rstrip(":;"), ""))
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        body = reader.read(length) if length else None
        fault = self._choose(f"{method} {target}")
        if fault is not None and fault.kind == "status":
            self._send(connection, fault.status, [*fault.headers, ("Content-Length", len(fault.body))],
                       fault.body)
            return True
        upstream = http.client.HTTPConnection("127.0.0.1", self.upstream_port, timeout=60)
        try:
            upstream.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                upstream.putheader(name, value)
            upstream.endheaders(body)
            answer = upstream.getresponse()
            content = answer.read()
            return self._pass_on(connection, answer, content, fault)
        finally:
            upstream.close()

    def _pass_on(self, connection, answer, content, fault):
        said = [(name, value) for name, value in answer.getheaders()
                if name.lower() not in ("content-length", "transfer-encoding", "connection")]
        if fault is None:
            self._send(connection, answer.status, [*said, ("Content-Length", len(content))], content)
            return True
        part = content[:fault.after]
        if fault.kind == "short_object":
            return self._short_object(connection, answer, content, said, fault)
        if fault.kind == "shorten":
            self._send(connection, answer.status, [*said, ("Content-Length", len(part))], part)
            return True
        if fault.kind == "shorten_unsaid":
            self._send(connection, answer.status, [*said, ("Connection", "close")], part)
            return False
        self._send(connection, answer.status, [*said, ("Content-Length", len(content))], part)
        if fault.kind == "stall":
            # Until the client has had enough.
            connection.settimeout(300)
            connection.recv(1)
        return False

    def _short_object(self, connection, answer, content, said, fault):
        place = answer.getheader("Content-Range")
        first = int(re.match(r"bytes (\d+)-", place)[1]) if place else 0
        part = content[:max(0, fault.after - first)]
        if place and not part:
            self._send(connection, 416, [("Content-Length", 0)], b"")
            return True
        said = [(name, value) for name, value in said if name.lower() != "content-range"]
        if place:
            said.append(("Content-Range", f"bytes {first}-{first + len(part) - 1}/{fault.after}"))
        self._send(connection, answer.status, [*said, ("Content-Length", len(part))], part)
        return True

    @staticmethod
    def _send(connection, status, headers, content):
        head = f"HTTP/1.1 {status} {http.client.responses.get(status, 'Odd')}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers)
        connection.sendall(head.encode("latin-1") + b"\r\n" + content)
