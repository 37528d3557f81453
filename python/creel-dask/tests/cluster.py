"""A cluster of real processes on loopback: `dask scheduler` and `dask worker`, stopped by their own ids."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import distributed

ROOT = pathlib.Path(__file__).resolve().parents[3]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
# An environment that has Dask, and no creel_dask.
DASK = TARGET / "cluster/workers/bin/dask"
# Many times what the slowest takes on a busy machine.
PATIENCE = 90.0


def binary() -> pathlib.Path:
    """The creel binary under test: CREEL, or the newest that cargo has built."""
    given = os.environ.get("CREEL")
    built = [TARGET / "release/creel", TARGET / "debug/creel"]
    found = [pathlib.Path(given)] if given else [path for path in built if path.exists()]
    if not found:
        raise RuntimeError("there is no creel binary: cargo build, or name one by CREEL")
    return max(found, key=lambda path: path.stat().st_mtime)


@dataclass
class Cluster:
    """A scheduler and workers; `folder` has their logs, local directories and their PATH."""

    folder: pathlib.Path
    environment: dict[str, str]
    protocol: str = "tcp"
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """As the scheduler has written it."""
        address: str = json.loads(self.scheduler_file.read_text())["address"]
        return address

    @property
    def scheduler_file(self) -> pathlib.Path:
        return self.folder / "scheduler.json"

    def spawn(self, name: str, *arguments: object) -> subprocess.Popen[bytes]:
        """Starts a process of Dask, which writes to a log."""
        command = [str(DASK), *map(str, arguments)]
        with open(self.folder / f"{name}.log", "ab") as log:
            return subprocess.Popen(
                command, env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def start_scheduler(self) -> None:
        """Starts the scheduler on a free port, and waits until it has written its address."""
        self.scheduler = self.spawn(
            "scheduler", "scheduler", "--host", "127.0.0.1", "--port", 0, "--protocol", self.protocol, "--dashboard-address", "127.0.0.1:0",
            "--scheduler-file", self.scheduler_file,
        )
        self.until(lambda: self.scheduler_file.exists() and bool(self.scheduler_file.read_text()), "scheduler")

    def start_worker(self, *, memory: str = "1GB", nanny: bool = False, path: str | None = None) -> None:
        """Starts a worker of one thread."""
        index = len(self.workers)
        environment = dict(self.environment)
        if path is not None:
            self.environment = {**environment, "PATH": path}
        worker = self.spawn(
            f"worker-{index}", "worker", self.address, "--host", "127.0.0.1", "--protocol", self.protocol, "--nthreads", 1,
            "--memory-limit", memory, "--nanny" if nanny else "--no-nanny", "--name", f"worker-{index}",
            "--dashboard-address", "127.0.0.1:0", "--local-directory", self.folder / f"local-{index}",
        )
        self.environment = environment
        self.workers.append(worker)

    def until(self, ready: object, name: str) -> None:
        """Waits until a condition holds."""
        assert callable(ready)
        began = time.monotonic()
        while not ready():
            if time.monotonic() - began > PATIENCE:
                raise RuntimeError(f"{name} is not ready:\n{self.logs()}")
            time.sleep(0.05)

    def logs(self) -> str:
        """What all processes have written."""
        return "\n".join(f"{path.name}:\n{path.read_text()}" for path in sorted(self.folder.glob("*.log")))

    @contextlib.contextmanager
    def client(self) -> Iterator[distributed.Client]:
        """A client that is Dask's default, once all workers are there."""
        with distributed.Client(self.address, timeout=PATIENCE) as client:
            if self.workers:
                client.wait_for_workers(len(self.workers), timeout=PATIENCE)
            yield client

    def stop(self) -> None:
        """Ends all processes, by their ids."""
        for process in [*self.workers, self.scheduler]:
            if process and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in [*self.workers, self.scheduler]:
            if process:
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@contextlib.contextmanager
def cluster(
    folder: pathlib.Path,
    workers: int,
    *,
    memory: str = "1GB",
    nanny: bool = False,
    environment: dict[str, str] | None = None,
    protocol: str = "tcp",
) -> Iterator[Cluster]:
    """A scheduler and so many workers, which find creel on their PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    tools = folder / "bin"
    tools.mkdir()
    (tools / "creel").symlink_to(binary())
    # Nothing of the client's environment is theirs: no PYTHONPATH, and no virtual environment.
    inherited = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    path = f"{tools}:/usr/bin:/bin"
    made = Cluster(folder, {**inherited, "PATH": path, **(environment or {})}, protocol)
    try:
        made.start_scheduler()
        for _ in range(workers):
            made.start_worker(memory=memory, nanny=nanny)
        yield made
    finally:
        made.stop()
        if sys.exc_info()[0] is not None:
            print(made.logs())


def creel(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """The command on this machine."""
    command = [str(binary()), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=check)
