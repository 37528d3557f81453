"""The client's binary in the local directory of each worker."""

from __future__ import annotations

import os
import pathlib

import distributed


class Shipped(distributed.WorkerPlugin):
    """Writes the client's binary into the local directory of each worker, also of those that come later."""

    def __init__(self, name: str, binary: bytes) -> None:
        self.name = name
        self.file = name
        self.binary = binary

    def setup(self, worker: distributed.Worker) -> None:
        path = pathlib.Path(worker.local_directory) / self.file
        if path.exists():
            return
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        partial.write_bytes(self.binary)
        partial.chmod(0o755)
        partial.rename(path)


def has_file(name: str, dask_worker: distributed.Worker) -> bool:
    """Whether a file is in the worker's local directory."""
    return (pathlib.Path(dask_worker.local_directory) / name).exists()
