"""Jobs from what a caller gives: the program and its options, and the cluster that it is for."""

from __future__ import annotations

import hashlib
import os
import pathlib
from dataclasses import dataclass
from typing import Any

import cloudpickle
import distributed

from . import binary
from .connection import lost_scheduler
from .graph import Job
from .options import Sources, arguments, named
from .worker.error import USAGE, CreelError
from .worker.process import SHIPPED, Settings
from .worker import shipped

# distributed asks whether the module of what it sends, and not its package, goes by value.
cloudpickle.register_pickle_by_value(shipped)


# Shards at most, if the caller does not say how many. A state in shards costs a task more, and one merge for all
# keys is the longest only where there are many cores.
SHARDS = 16


@dataclass(frozen=True)
class Process:
    """The keywords that say how tasks run, and are no part of the question."""

    tasks: int | None = None
    tasks_per_core: int = 6
    shards: int | None = None
    memory: int | str | None = None
    spill_max: int | str | None = None
    ship: bool = False
    creel: str | os.PathLike[str] | None = None
    worker_creel: str = "creel"
    # Of a program in Rust, in place of the command.
    arguments: tuple[str, ...] | None = None
    directory: str | None = None

    def __post_init__(self) -> None:
        for name in ("tasks", "tasks_per_core", "shards"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise ValueError(f"{name} is at least 1, and {number} was given")


def of_program(
    client: distributed.Client | None, program: str, sources: Sources, keywords: dict[str, Any]
) -> Job:
    """The job of a program. Keywords are those of `Process`, and the options of the command."""
    names = Process.__dataclass_fields__
    process = Process(**{name: value for name, value in keywords.items() if name in names})
    options = arguments({name: value for name, value in keywords.items() if name not in names})
    here = binary.found(process.creel)
    return of_plan(client, binary.plan(here, options, program, named(sources)), process)


def of_plan(client: distributed.Client | None, plan: bytes, process: Process) -> Job:
    """The job of a plan that is written already."""
    made = settings(client, process)
    threads = cores(client)
    tasks = process.tasks or process.tasks_per_core * threads
    shards = process.shards or max(1, min(SHARDS, threads // 4))
    if process.arguments is not None:
        # Keys of any type have no hash that is the same in every process.
        shards = 1
    return Job.of(plan, made, tasks, process.tasks or threads, shards)


def settings(client: distributed.Client | None, process: Process) -> Settings:
    """How workers run the binary. It is sent to them, if that is asked for."""
    here = binary.found(process.creel, process.arguments is not None)
    workers = process.worker_creel
    if process.ship:
        if client is None:
            raise ValueError("ship=True needs a client that is connected: it sends the binary to its workers")
        workers = ship(client, here)
    return Settings(
        binary=workers,
        version=binary.version(here, process.arguments is not None),
        arguments=process.arguments,
        directory=process.directory,
        memory=None if process.memory is None else str(process.memory),
        spill_max=None if process.spill_max is None else str(process.spill_max),
    )


def here(creel: str | os.PathLike[str] | None) -> Settings:
    """The settings of an operation that runs on the client."""
    path = binary.found(creel)
    return Settings(binary=path, version=binary.version(path), alone=True)


def cores(client: distributed.Client | None) -> int:
    """Threads of the cluster's workers; without a client or a worker, cores of this machine."""
    threads = 0
    if client is not None and not client.asynchronous:
        with lost_scheduler(client):
            threads = sum(client.nthreads().values())
    return threads or os.cpu_count() or 1


def ship(client: distributed.Client, here: str) -> str:
    """Sends the binary to all workers, unless they have it; returns what tasks call it by."""
    try:
        content = pathlib.Path(here).read_bytes()
    except OSError as error:
        raise CreelError(f"the binary cannot be sent: {error}", kind="binary", exit_code=USAGE) from error
    name = f"creel-{hashlib.sha256(content).hexdigest()[:16]}"
    with lost_scheduler(client):
        there = client.run(shipped.has_file, name)
        if not there or not all(there.values()):
            client.register_plugin(shipped.Shipped(name, content), name=name)
    return SHIPPED + name
