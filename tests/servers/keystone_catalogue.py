"""Puts a Swift into the catalogue of the Keystone beside it: keystone_catalogue.py URL SWIFT_PORT."""

import json
import sys
import time
import urllib.error
import urllib.request

URL, SWIFT_PORT = sys.argv[1:]
DEFAULT = {"id": "default"}


def call(path, body, token=None, tries=5):
    headers = {"Content-Type": "application/json", **({"X-Auth-Token": token} if token else {})}
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        # SQLite may be locked for a moment.
        if error.code < 500 or tries == 0:
            raise
    time.sleep(0.5)
    return call(path, body, token, tries - 1)


def main():
    user = {"name": "admin", "domain": DEFAULT, "password": "adminpw"}
    headers, _ = call("/auth/tokens", {"auth": {
        "identity": {"methods": ["password"], "password": {"user": user}},
        "scope": {"project": {"name": "admin", "domain": DEFAULT}}}})
    token = headers["X-Subject-Token"]
    _, service = call("/services", {"service": {"type": "object-store", "name": "swift"}}, token)
    call("/endpoints", {"endpoint": {
        "service_id": service["service"]["id"], "interface": "public", "region_id": "R1",
        "url": f"http://127.0.0.1:{SWIFT_PORT}/v1/AUTH_%(project_id)s"}}, token)


main()
