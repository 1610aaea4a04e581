"""Single objects as WAL-E stores them: lzop, then gpg if there is a key. And back again."""

import pathlib
import shutil
import subprocess
import tempfile

LZOP_MAGIC = bytes.fromhex("894c5a4f000d0a1a0a")


class Keyring:
    """A GnuPG home of its own with the keys of `key_dir`; its agent ends with the `with` block."""

    def __init__(self, key_dir):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="rad-gpg-", dir="/tmp"))
        for name in ("public-key.asc", "secret-key.asc"):
            path = pathlib.Path(key_dir) / name
            if path.exists():
                self.gpg("--import", str(path))
        listing = self.gpg("--list-keys", "--with-colons").decode()
        self.fingerprint = next(line.split(":")[9] for line in listing.splitlines()
                                if line.startswith("fpr:"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def argv(self, *args):
        return ["gpg", "--homedir", str(self.home), "--batch", "-q", *args]

    def gpg(self, *args, data=None):
        done = subprocess.run(self.argv(*args), input=data, capture_output=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"gpg {args[0]}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def encrypt_argv(self):
        return self.argv("-e", "-z", "0", "-r", self.fingerprint, "--trust-model", "always")

    def encrypt(self, data):
        return self.gpg(*self.encrypt_argv()[5:], data=data)

    def decrypt(self, data):
        return self.gpg("-d", data=data)


def is_encrypted(data):
    return not data.startswith(LZOP_MAGIC)


def compress(data):
    return subprocess.run(["lzop", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def decompress(data):
    return subprocess.run(["lzop", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout


def compressed_of(data, keyring):
    """The lzop stream of a stored object."""
    return keyring.decrypt(data) if is_encrypted(data) else data


def decode(data, keyring):
    return decompress(compressed_of(data, keyring))


def encode(plain, keyring, encrypted):
    packed = compress(plain)
    return keyring.encrypt(packed) if encrypted else packed


class ObjectWriter:
    """A pipe `write() -> lzop -c [-> gpg -e] -> file`, for content made piece by piece."""

    def __init__(self, path, keyring=None, source=subprocess.PIPE):
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.file = open(path, "wb")
        last = self.file
        self.processes = []
        if keyring:
            gpg = subprocess.Popen(keyring.encrypt_argv(), stdin=subprocess.PIPE, stdout=self.file)
            self.processes.append(gpg)
            last = gpg.stdin
        lzop = subprocess.Popen(["lzop", "-c"], stdin=source, stdout=last)
        self.processes.insert(0, lzop)
        if keyring:
            gpg.stdin.close()
        self.input = lzop.stdin

    def write(self, data):
        self.input.write(data)

    def close(self):
        if self.input:
            self.input.close()
        for process in self.processes:
            if process.wait() != 0:
                raise RuntimeError(f"{process.args[0]} ended with {process.returncode}")
        self.file.close()


def store_file(source, path, keyring=None):
    """One file as wal-push stores it: lzop reads it on standard input, and so records its mode."""
    with open(source, "rb") as reader:
        writer = ObjectWriter(path, keyring, source=reader)
        writer.close()
