"""What creel takes from Dask's workers beside their documented interface, all in one place.

Each function has an answer for a version of Dask that has it no more.
"""

from __future__ import annotations

from typing import Any

import dask.system
import distributed.system


def threads(worker: Any) -> int:
    """Threads of a worker that run tasks; without it, cores of this machine."""
    number: int | None = getattr(getattr(worker, "state", None), "nthreads", None)
    return number or dask.system.CPU_COUNT


def memory_limit(worker: Any) -> int | None:
    """Bytes that the process of a worker may take; None if it has no limit."""
    limit: int | None = getattr(getattr(worker, "memory_manager", None), "memory_limit", None)
    return int(limit) if limit else None


def wanted(worker: Any, key: Any) -> bool:
    """Whether the scheduler still wants the result of a task from a worker.

    Without it the answer is yes: a task that is cancelled runs to its end.
    """
    status, tasks = getattr(worker, "status", None), getattr(getattr(worker, "state", None), "tasks", None)
    if getattr(status, "name", "running") not in ("running", "paused", "closing_gracefully"):
        return False
    if tasks is None:
        return True
    task = tasks.get(key)
    return task is not None and getattr(task, "state", None) != "cancelled"


def kept(worker: Any) -> dict[Any, str]:
    """What tasks of a worker keep for each other; nothing without a worker."""
    if worker is None:
        return {}
    builds: dict[Any, str] = worker.__dict__.setdefault("_creel_builds", {})
    return builds


def machine() -> tuple[int, int]:
    """Bytes of memory and cores that this process may use: those of its container, or of the machine."""
    return int(distributed.system.MEMORY_LIMIT), int(dask.system.CPU_COUNT)
