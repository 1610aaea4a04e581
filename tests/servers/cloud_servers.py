"""Azure Blob, Swift and Google Cloud Storage for tests: real servers, and a stand-in for the last."""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from object_servers import HERE, Server, free_ports


class Azure(Server):
    """Azurite, which verifies SharedKey and SAS."""
    script = "azurite"
    account = "radtest"
    listing = "comp=list"
    leading_slash = False

    def __init__(self):
        self.port = free_ports(1)
        self.key = base64.b64encode(os.urandom(64)).decode()
        super().__init__(self.port, self.account, self.key)
        self.url = f"http://127.0.0.1:{self.port}/{self.account}"
        self.secrets = [self.key]

    def client(self, container, **task):
        task = {"url": self.url, "account": self.account, "key": self.key, "container": container,
                **task}
        return subprocess.run(["/usr/bin/python3", HERE / "azure_client.py"], check=True, text=True,
                              input=json.dumps(task), stdout=subprocess.PIPE,
                              timeout=120).stdout.strip()

    def fill(self, container, prefix, tree):
        self.client(container, do="fill", prefix=prefix, tree=str(tree))

    def put(self, container, name, content):
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            self.client(container, do="put", name=name, file=file.name)

    def delete(self, container, name):
        self.client(container, do="delete", name=name)

    def sas(self, container, rights="rl", seconds=3600):
        return self.client(container, do="sas", rights=rights, seconds=seconds)

    def environment(self, container, prefix, port=None):
        return {"WALE_WABS_PREFIX": f"wabs://{container}/{prefix}",
                "WALE_WABS_ENDPOINT": f"http://127.0.0.1:{port or self.port}/{self.account}",
                "WABS_ACCOUNT_NAME": self.account, "WABS_ACCESS_KEY": self.key}


class Swift(Server):
    """Swift with TempAuth, version 1."""
    script = "swift"
    listing = "format=json"
    leading_slash = True
    password = "testing"
    secrets = ["AUTH_tk"]
    session = None

    def __init__(self, keystone_url=None):
        base = free_ports(11)
        self.port = base + 10
        super().__init__(self.port, base, *([keystone_url] if keystone_url else []))

    def log_in(self):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/auth/v1.0",
            headers={"X-Auth-User": "test:tester", "X-Auth-Key": self.password})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.headers["X-Storage-Url"], answer.headers["X-Auth-Token"]

    def call(self, method, path, content=b"", query="", **headers):
        self.session = self.session or self.log_in()
        url, token = self.session
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(
            f"{url}/{urllib.parse.quote(path)}{query}", content if method in ("PUT", "POST") else None,
            {"X-Auth-Token": token, **headers}, method=method)
        # The cluster has one of everything, and the machine may be busy.
        for attempt in range(5):
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return answer.read()
            except urllib.error.HTTPError as error:
                if error.code < 500 or attempt == 4:
                    raise
                time.sleep(1)
        return None

    def fill(self, container, prefix, tree):
        self.call("PUT", container)
        tree = pathlib.Path(tree)
        for path in sorted(tree.rglob("*")):
            if path.is_file():
                self.put(container, f"/{prefix}/{path.relative_to(tree)}", path.read_bytes())

    def put(self, container, name, content):
        self.call("PUT", f"{container}/{name}", content)

    def delete(self, container, name):
        self.call("DELETE", f"{container}/{name}")

    def environment(self, container, prefix, port=None):
        return {"WALE_SWIFT_PREFIX": f"swift://{container}/{prefix}", "SWIFT_AUTH_VERSION": "1",
                "SWIFT_AUTHURL": f"http://127.0.0.1:{port or self.port}/auth/v1.0",
                "SWIFT_USER": "test:tester", "SWIFT_PASSWORD": self.password}


class Keystone(Server):
    script = "keystone"

    def __init__(self, port, swift_port):
        super().__init__(port, swift_port)


class KeystoneSwift(Swift):
    """Swift behind Keystone, version 3."""
    secrets = ["adminpw", "gAAAA"]

    def __init__(self):
        self.identity_port = free_ports(40) + 35
        self.identity_url = f"http://127.0.0.1:{self.identity_port}/v3"
        super().__init__(self.identity_url)
        try:
            self.identity = Keystone(self.identity_port, self.port)
        except BaseException:
            super().stop()
            raise

    def stop(self):
        if hasattr(self, "identity"):
            self.identity.stop()
        super().stop()

    def log_in(self):
        project = {"name": "admin", "domain": {"id": "default"}}
        user = {**project, "password": "adminpw"}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}},
                         "scope": {"project": project}}}
        request = urllib.request.Request(f"{self.identity_url}/auth/tokens",
                                         json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            catalogue = json.load(answer)["token"]["catalog"]
            (service,) = [one for one in catalogue if one["type"] == "object-store"]
            return service["endpoints"][0]["url"], answer.headers["X-Subject-Token"]

    def environment(self, container, prefix, port=None):
        return {"WALE_SWIFT_PREFIX": f"swift://{container}/{prefix}", "SWIFT_AUTH_VERSION": "3",
                "SWIFT_AUTHURL": f"http://127.0.0.1:{port or self.identity_port}/v3",
                "SWIFT_USER": "admin", "SWIFT_PASSWORD": "adminpw", "SWIFT_TENANT": "admin",
                "SWIFT_USER_DOMAIN_ID": "default", "SWIFT_PROJECT_DOMAIN_NAME": "Default",
                "SWIFT_REGION": "R1"}


class Google:
    """gcs_stand_in.py, which checks tokens and the shape of every request."""
    listing = "maxResults"
    leading_slash = True

    def __init__(self, **change):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rad-gcs-", dir="/tmp"))
        self.directory.chmod(0o755)
        self.port = free_ports(1)
        private, public = self.directory / "private.pem", self.directory / "public.pem"
        subprocess.run(["openssl", "genrsa", "-out", private, "2048"], check=True,
                       capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", private, "-pubout", "-out", public], check=True,
                       capture_output=True)
        self.config = {
            "port": self.port, "bucket": "", "prefix": "", "root": "", "public_key": str(public),
            "email": "backup@project.iam.gserviceaccount.com", "key_id": "k1",
            "refresh": {"client_id": "id", "client_secret": "hush", "refresh_token": "1//again"},
            "token_seconds": 3600, "page": 3, "log": str(self.directory / "log"),
            "violations": str(self.directory / "violations"), **change}
        self.secrets = [private.read_text().splitlines()[3], "ya29.", "1//again"]
        token_uri = f"http://127.0.0.1:{self.port}/token"
        self.account_file = self.write("account.json", {
            "type": "service_account", "client_email": self.config["email"], "private_key_id": "k1",
            "private_key": private.read_text(), "token_uri": token_uri})
        self.user_file = self.write("user.json", {
            "type": "authorized_user", "token_uri": token_uri, **self.config["refresh"]})
        self.set()
        self.process = subprocess.Popen(
            [sys.executable, HERE / "gcs_stand_in.py", self.directory / "config.json"],
            stdin=subprocess.DEVNULL)
        self.wait()

    def wait(self):
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/storage/v1/b/x", timeout=5)
            except urllib.error.HTTPError:
                (self.directory / "violations").unlink()
                return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise RuntimeError("the stand-in did not start")

    def write(self, name, value):
        path = self.directory / name
        path.with_suffix(".new").write_text(json.dumps(value))
        path.with_suffix(".new").rename(path)
        return path

    def set(self, **change):
        self.write("config.json", {**self.config, **change})

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.directory, ignore_errors=True)

    def violations(self):
        path = self.directory / "violations"
        return path.read_text() if path.exists() else ""

    def requests(self):
        return (self.directory / "log").read_text().splitlines()

    def fill(self, container, prefix, tree):
        root = self.directory / "objects"
        shutil.copytree(tree, root)
        self.config.update(bucket=container, prefix=f"/{prefix}/", root=str(root))
        self.set()

    def path(self, name):
        return pathlib.Path(self.config["root"]) / name[len(self.config["prefix"]):]

    def put(self, _, name, content):
        self.path(name).write_bytes(content)

    def delete(self, _, name):
        self.path(name).unlink()

    def environment(self, container, prefix, port=None):
        return {"WALE_GS_PREFIX": f"gs://{container}/{prefix}",
                "WALE_GS_ENDPOINT": f"http://127.0.0.1:{port or self.port}",
                "GOOGLE_APPLICATION_CREDENTIALS": str(self.account_file)}
