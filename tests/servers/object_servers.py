"""Real object storage servers for tests, started by the scripts beside this file and ended with them."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
START_SECONDS = 240


def free_ports(count):
    """Neighbouring ports that are free on 127.0.0.1 right now; the first of them."""
    for first in range(20000 + os.getpid() % 5000 * 5, 60000, count):
        sockets = []
        try:
            for port in range(first, first + count):
                one = socket.socket()
                sockets.append(one)
                one.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise RuntimeError("no free ports")


class Server:
    """A script's server with a directory of its own; stop() leaves nothing."""
    script = ""

    def __init__(self, *arguments):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"rad-{self.script}-", dir="/tmp"))
        self.directory.chmod(0o755)
        self.script_path = HERE / self.script
        command = [self.script_path, "start", self.directory, *map(str, arguments)]
        try:
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=START_SECONDS)
        except BaseException:
            self.stop()
            raise

    def stop(self):
        subprocess.run([self.script_path, "stop", self.directory], check=False, timeout=60)
        shutil.rmtree(self.directory, ignore_errors=True)


class S3Server(Server):
    """What the S3 servers have in common."""
    access_key = secret_key = ""

    def start_at(self, port):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def client(self):
        # pylint: disable=import-outside-toplevel
        import boto3
        from botocore.config import Config
        return boto3.client("s3", endpoint_url=self.url, aws_access_key_id=self.access_key,
                            aws_secret_access_key=self.secret_key, region_name="us-east-1",
                            config=Config(s3={"addressing_style": "path"},
                                          retries={"max_attempts": 5}))

    def fill(self, bucket, prefix, tree):
        """Puts a directory's files below bucket/prefix."""
        client = self.client()
        client.create_bucket(Bucket=bucket)
        for path in sorted(pathlib.Path(tree).rglob("*")):
            if path.is_file():
                key = f"{prefix}/{path.relative_to(tree)}".lstrip("/")
                client.upload_file(str(path), bucket, key)
        return client

    def environment(self, bucket, prefix, port=None):
        """What WAL-E's envdir says of it."""
        return {"WALE_S3_PREFIX": f"s3://{bucket}/{prefix}",
                "WALE_S3_ENDPOINT": f"http+path://127.0.0.1:{port or self.port}",
                "AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key,
                "AWS_REGION": "us-east-1"}


class SwiftS3(S3Server):
    """Swift with s3api, which verifies signatures."""
    script = "swift"
    access_key, secret_key = "test:tester", "testing"

    def __init__(self):
        base = free_ports(11)
        super().__init__(base + 10, base)
        self.start_at(base + 10)


class CephS3(S3Server):
    """radosgw, which verifies signatures."""
    script = "ceph"
    access_key, secret_key = "AKTEST", "SKTEST"

    def __init__(self):
        port = free_ports(2)
        super().__init__(port, port + 1)
        self.start_at(port)


def write_envdir(directory, values):
    """An envdir as daemontools has it."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (directory / name).write_text(value + "\n")
    return directory
