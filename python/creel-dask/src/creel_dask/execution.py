"""A run on a cluster: the graph goes out, progress comes in, and the states come back."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any, NoReturn

import distributed

from . import job
from .connection import address, lost, lost_scheduler
from .graph import Job
from .options import Sources
from .progress import Progress
from .worker.error import CreelError
from .worker.operations import Operations

logger = logging.getLogger("creel_dask")

# Seconds between two looks at the futures, if none has told of itself.
POLL = 0.2
# Seconds until the log tells that no worker is there.
ALONE = 5.0
# Seconds for which a connection may be lost.
GRACE = 5.0


def run(
    client: distributed.Client, program: str, sources: Sources, *, progress: bool = False, **options: Any
) -> list[Any]:
    """Runs a program on a cluster; returns the rows that the command prints, as values of Python.

    ``sources`` is a path, a pattern or a URL, or several. Workers read them: paths are of a file system that they
    share, and credentials are those of their environment. Keywords:

    - the command's options of what is read, in snake case: ``from_="jsonl"``, ``invalid="skip"``,
      ``on_missing``, ``compression``, ``encoding``, ``delimiter``, ``blocksize``, ``max_record``, ``max_ratio``,
      ``text``, ``anonymous``;
    - ``memory``: of each task, as the command's ``--memory``; else what a worker's process leaves of its limit, over
      its threads. Beyond it a task spills to the worker's local directory, up to ``spill_max``;
    - ``tasks_per_core=6``: run tasks a core of the cluster at most; fewer have work where that is 512 MiB or more
      for each, but one a core. ``tasks``: how many there are in all;
    - ``shards``: parts of the keys, which are merged apart; one for each 4 cores of the cluster, 16 at most;
    - ``creel``: the binary here; ``worker_creel``: its name on the PATH of workers, or its path there;
      ``ship=True`` sends the binary here to each worker, once;
    - ``progress=True`` tells on standard error of bytes and tasks, and where the dashboard is.

    Raises CreelError for a run that fails, with the object, the offset and the worker; it has the rows if only
    sources or records were left out. Ctrl-C cancels the tasks and ends their processes.

    >>> import creel_dask, distributed
    >>> with distributed.Client("tcp://127.0.0.1:8786") as client:  # doctest: +SKIP
    ...     creel_dask.run(client, "words | frequencies | topk(2)", "/data/peps/*.rst")
    [['the', 2415], ['to', 1193]]
    """
    if client.asynchronous:
        raise TypeError("run waits, so it needs a client that is not asynchronous; compute a Program instead")
    made = job.of_program(client, program, sources, options)
    with states(client, made, Progress(client, shown=progress)) as found:
        return Operations(job.here(options.get("creel"))).finish(made.plan, found)


@contextlib.contextmanager
def states(client: distributed.Client, made: Job, progress: Progress) -> Iterator[Iterator[bytes]]:
    """Runs a job; gives its states, one at a time, once all are there, and releases them in the end."""
    made = made.fresh(told=progress.shown)
    with progress.of(made.token, made.tasks):
        with lost_scheduler(client):
            futures: list[distributed.Future[Any]] = client.get(made.graph(), made.state_keys, sync=False)
        try:
            wait(client, futures, progress)
            yield gathered(client, futures)
        finally:
            # A connection that is lost cannot cancel; the scheduler releases what a lost client wanted.
            if client.status == "running":
                client.cancel(futures)


def gathered(client: distributed.Client, futures: list[distributed.Future[Any]]) -> Iterator[bytes]:
    """The values of futures, of which one at a time is in memory."""
    for future in futures:
        with lost_scheduler(client):
            value: bytes = future.result()
        yield value


def wait(client: distributed.Client, futures: list[distributed.Future[Any]], progress: Progress) -> None:
    """Waits until all have ended; raises the error of the first that failed."""
    changed = threading.Event()
    for future in futures:
        future.add_done_callback(lambda _: changed.set())
    connected = alone = time.monotonic()
    while all(future.status in ("pending", "finished") for future in futures):
        if all(future.status == "finished" for future in futures):
            return
        changed.wait(POLL)
        changed.clear()
        progress.draw()
        now = time.monotonic()
        if client.status == "running":
            connected = now
        elif now - connected > GRACE:
            raise lost(client, f"no connection for {GRACE:.0f} seconds")
        if now - alone > ALONE and client.status == "running":
            # Told again after ten times as long.
            alone = now + 9 * ALONE
            with lost_scheduler(client):
                threads = client.nthreads()
            if not threads:
                logger.warning("no worker is connected to %s: the run waits for one", address(client))
    for future in futures:
        if future.status == "error":
            fail(future.exception())
        with lost_scheduler(client):
            if future.status != "finished":
                future.result(timeout=POLL)


def fail(error: BaseException) -> NoReturn:
    """Raises the error of a task as a caller of creel knows it."""
    if isinstance(error, CreelError):
        raise error
    if isinstance(error, distributed.KilledWorker):
        raise CreelError(
            f"a task was lost with each of its workers, {error.allowed_failures + 1} times in turn: they were "
            "killed, for example by the system when memory was short; give them more, or tasks less (memory=, "
            "--memory, `Run::memory`)",
            kind="worker",
            worker=getattr(error.last_worker, "address", None),
        ) from error
    raise CreelError(f"a task failed: {type(error).__name__}: {error}", kind="task") from error
