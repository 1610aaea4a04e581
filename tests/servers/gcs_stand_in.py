#!/usr/bin/env python3
"""Stands in for Google Cloud Storage, its token endpoint and the metadata server of a machine.

    gcs_stand_in.py CONFIG.json

There is no such server to be had, so this one is strict: a request of another shape than the
documented one is refused with 400 and written to the file `violations`, which tests expect to be
empty. Objects are read from a directory tree; changes of CONFIG.json hold from the next request on.

CONFIG.json: port, bucket, prefix, root (directory), email, key_id, public_key (PEM file), refresh
(client_id, client_secret, refresh_token), token_seconds, page (most objects in one), log and
violations (files), and what is to go wrong: revoked, denied, throttled.
"""

import base64
import http.server
import json
import pathlib
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

CONFIG = pathlib.Path(sys.argv[1])
SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
LIST_KEYS = {"prefix", "maxResults", "fields", "pageToken"}
FIELDS = "kind,nextPageToken,items(name,size,updated)"
TOKENS = {}  # token -> end of its life
PAGES = {}  # page token -> (prefix, name to go on after)
LOCK = threading.Lock()


class Refused(Exception):
    def __init__(self, status, body, kind="application/json"):
        super().__init__(status)
        self.status, self.body, self.kind = status, body, kind


def api_error(status, reason, message):
    return Refused(status, json.dumps({"error": {
        "code": status, "message": message,
        "errors": [{"domain": "global", "reason": reason, "message": message}]}}))


def unpad(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def want(self, condition, what):
        """The shape of a request, as documented."""
        if condition:
            return
        with LOCK, open(self.config["violations"], "a", encoding="utf-8") as file:
            file.write(f"{self.command} {self.path}: {what}\n")
        raise api_error(400, "badRequest", what)

    def handle_one(self):
        self.config = json.loads(CONFIG.read_text())
        with LOCK, open(self.config["log"], "a", encoding="utf-8") as file:
            file.write(f"{self.command} {self.path}\n")
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query))
        try:
            self.want(len(dict(query)) == len(query), "a parameter comes twice")
            self.answer(url.path, dict(query))
        except Refused as refused:
            self.send(refused.status, refused.body.encode(), refused.kind)

    do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = handle_one

    def send(self, status, body, kind="application/json", headers=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-GUploader-UploadID", "stand-in")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def answer(self, path, query):
        bucket = f"/storage/v1/b/{self.config['bucket']}/o"
        if path == "/token":
            self.token()
        elif path.startswith("/computeMetadata/"):
            self.metadata(path, query)
        elif path.startswith("/storage/v1/b/"):
            self.want(self.command == "GET", "only GET reads")
            self.authorised()
            if path == bucket:
                self.listing(query)
            elif path.startswith(bucket + "/"):
                self.media(path[len(bucket) + 1:], query)
            else:
                raise api_error(404, "notFound", "The specified bucket does not exist.")
        else:
            self.want(False, "no such address")

    # Tokens

    def token(self):
        self.want(self.command == "POST", "the token endpoint takes POST")
        self.want(self.headers["Content-Type"] == "application/x-www-form-urlencoded", "no form")
        self.want(self.headers["Authorization"] is None, "a token endpoint gets no token")
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = dict(urllib.parse.parse_qsl(body, strict_parsing=True))
        if form.get("grant_type") == "refresh_token":
            self.want({"grant_type": "refresh_token", **self.config["refresh"]}.keys() == form.keys(),
                      "not what a refresh needs")
            good = all(form[key] == value for key, value in self.config["refresh"].items())
        else:
            self.want(form.keys() == {"grant_type", "assertion"}, "not what a JWT grant needs")
            self.want(form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer", "grant")
            good = self.check_jwt(form["assertion"])
        if not good or self.config.get("revoked"):
            raise Refused(400, json.dumps({"error": "invalid_grant",
                                           "error_description": "Invalid JWT Signature."}))
        self.give_token()

    def check_jwt(self, jwt):
        self.want(re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", jwt), "not a JWT")
        header, claims, signature = jwt.split(".")
        self.want(json.loads(unpad(header)) ==
                  {"alg": "RS256", "typ": "JWT", "kid": self.config["key_id"]}, "header of the JWT")
        told = json.loads(unpad(claims))
        self.want(told.keys() == {"iss", "scope", "aud", "iat", "exp"}, "claims of the JWT")
        port = self.config["port"]
        self.want(told["aud"] == f"http://127.0.0.1:{port}/token", "audience of the JWT")
        self.want(told["scope"] == SCOPE, "scope of the JWT")
        self.want(isinstance(told["iat"], int) and isinstance(told["exp"], int), "times of the JWT")
        self.want(0 < told["exp"] - told["iat"] <= 3600, "life of the JWT")
        self.want(told["iat"] <= time.time() + 60 and told["exp"] > time.time(), "JWT is not valid now")
        self.want(told["iss"] == self.config["email"], "issuer of the JWT")
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory) / "signature"
            file.write_bytes(unpad(signature))
            return subprocess.run(
                ["openssl", "dgst", "-sha256", "-verify", self.config["public_key"], "-signature",
                 str(file)], input=f"{header}.{claims}".encode(), capture_output=True,
                check=False).returncode == 0

    def metadata(self, path, query):
        self.want(self.command == "GET" and not query, "the metadata server is asked by GET")
        self.want(path == "/computeMetadata/v1/instance/service-accounts/default/token", "address")
        self.want(self.headers["Metadata-Flavor"] == "Google", "no Metadata-Flavor")
        self.give_token()

    def give_token(self):
        token = "ya29." + secrets.token_urlsafe(20)
        with LOCK:
            TOKENS[token] = time.monotonic() + self.config["token_seconds"]
        self.send(200, json.dumps({"access_token": token, "token_type": "Bearer",
                                   "expires_in": self.config["token_seconds"]}).encode())

    def authorised(self):
        scheme, _, token = (self.headers["Authorization"] or "").partition(" ")
        self.want(scheme == "Bearer", "no bearer token")
        with LOCK:
            end = TOKENS.get(token, 0)
        if end < time.monotonic() or self.config.get("revoked"):
            raise api_error(401, "authError", "Invalid Credentials")
        if self.config.get("denied"):
            raise api_error(403, "forbidden", "does not have storage.objects.get access")
        if self.config.get("throttled"):
            raise api_error(self.config["throttled"], "rateLimitExceeded", "Too many requests")

    # Objects

    def names(self):
        root = pathlib.Path(self.config["root"])
        return {f"{self.config['prefix']}{path.relative_to(root)}": path
                for path in root.rglob("*") if path.is_file()}

    def listing(self, query):
        self.want(query.keys() <= LIST_KEYS and query.keys() >= {"prefix", "maxResults"}, "parameters")
        self.want(query["maxResults"].isdigit() and 0 < int(query["maxResults"]) <= 1000, "maxResults")
        self.want(query["fields"] == FIELDS, "fields")
        after = ""
        if "pageToken" in query:
            self.want(query["pageToken"] in PAGES, "a page token that was not given")
            prefix, after = PAGES[query["pageToken"]]
            self.want(prefix == query["prefix"], "a page token of another listing")
        objects = self.names()
        found = sorted(name for name in objects if name.startswith(query["prefix"]) and name > after)
        page = found[:min(int(query["maxResults"]), self.config["page"])]
        answer = {"kind": "storage#objects"}
        if page:
            answer["items"] = [{
                "name": name, "size": str(objects[name].stat().st_size),
                "updated": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(
                    objects[name].stat().st_mtime)) + ".000Z"} for name in page]
        if len(page) < len(found):
            token = secrets.token_urlsafe(12)
            PAGES[token] = (query["prefix"], page[-1])
            answer["nextPageToken"] = token
        self.send(200, json.dumps(answer).encode())

    def media(self, encoded, query):
        self.want(query == {"alt": "media"}, "not a media download")
        self.want(encoded and "/" not in encoded, "a slash in the object's name is not encoded")
        self.want(self.headers["If-Match"] is None, "If-Match is about metadata")
        name = urllib.parse.unquote(encoded)
        path = self.names().get(name)
        if path is None:
            raise Refused(404, f"No such object: {self.config['bucket']}/{name}", "text/html")
        body = path.read_bytes()
        etag = [("ETag", f"\"{path.stat().st_mtime_ns:x}\"")]
        wanted = self.headers["Range"]
        if wanted is None:
            return self.send(200, body, "application/octet-stream", etag)
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", wanted)
        self.want(match, "a range of another shape")
        first, last = int(match[1]), min(int(match[2]), len(body) - 1)
        if first >= len(body):
            raise Refused(416, "", "text/html")
        return self.send(206, body[first:last + 1], "application/octet-stream",
                         [("Content-Range", f"bytes {first}-{last}/{len(body)}"), *etag])


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", json.loads(CONFIG.read_text())["port"]), Handler).serve_forever()
