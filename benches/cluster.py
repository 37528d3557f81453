"""A Dask cluster of the benches: real processes on loopback, stopped by their own id.

tests/cluster/install.sh installs Dask and creel-dask at pinned versions below target/. The workers find the
binary under test on their PATH, behind a script that notes when the first task begins to read.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import shlex
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
DASK = TARGET / "cluster/workers/bin/dask"
# Has creel-dask, and dask.bag.
PYTHON = TARGET / "cluster/client/bin/python"
# Many times what the slowest takes.
PATIENCE = 60


@dataclasses.dataclass
class Cluster:
    """A scheduler and workers that run."""

    folder: pathlib.Path
    address: str
    scheduler: int

    @property
    def mark(self):
        """A file that the first task makes."""
        return self.folder / "first-task"

    def peak(self):
        """The largest resident size of the scheduler until now, in bytes."""
        status = pathlib.Path(f"/proc/{self.scheduler}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024


def binary(folder, creel, mark):
    """A script called creel: the binary, and a mark as the first run task begins."""
    folder.mkdir()
    script = folder / "creel"
    creel, mark = shlex.quote(str(creel)), shlex.quote(str(mark))
    script.write_text(f'#!/bin/sh\n[ "$2" = run ] && [ ! -e {mark} ] && : >{mark}\nexec {creel} "$@"\n')
    script.chmod(0o755)


@contextlib.contextmanager
def running(creel, workers):
    """A cluster of so many workers of one thread, until the end of the block."""
    with tempfile.TemporaryDirectory(dir=TARGET / "bench", prefix="cluster-") as name:
        folder = pathlib.Path(name)
        binary(folder / "bin", creel, folder / "first-task")
        environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
        log = open(folder / "log", "wb")
        children = []

        def start(*arguments):
            command = [DASK, *arguments, "--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
            command = [str(part) for part in command]
            children.append(subprocess.Popen(
                command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            ))
            return children[-1].pid

        try:
            said = folder / "scheduler.json"
            scheduler = start("scheduler", "--port", 0, "--scheduler-file", said)
            began = time.monotonic()
            while not said.exists() or not said.read_text():
                if time.monotonic() - began > PATIENCE:
                    raise RuntimeError(f"the scheduler is not ready:\n{(folder / 'log').read_text()}")
                time.sleep(0.05)
            address = json.loads(said.read_text())["address"]
            for n in range(workers):
                start("worker", address, "--nthreads", 1, "--no-nanny", "--name", n,
                      "--memory-limit", "4GB", "--local-directory", folder / f"local-{n}")
            ready = f"from distributed import Client; Client({address!r}).wait_for_workers({workers}, {PATIENCE})"
            subprocess.run([str(PYTHON), "-c", ready], check=True)
            yield Cluster(folder, address, scheduler)
        finally:
            for child in reversed(children):
                child.terminate()
            for child in children:
                child.wait()
            log.close()
