"""Progress of a run on standard error: bytes, tasks, workers, and the dashboard's link."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import distributed

from .worker.process import TOPIC

# Seconds between two lines: on a terminal, where they replace each other, and elsewhere.
TERMINAL = 0.2
ELSEWHERE = 5.0
# Seconds between two records.
RECORDS = 1.0


class Progress:
    """What the tasks of a run tell, added up. If it is not shown nothing is subscribed to."""

    def __init__(self, client: distributed.Client, shown: bool, records: bool = False) -> None:
        self.client = client
        self.shown = shown
        # Whether it is told as records of JSON, as by the command with `--progress json`.
        self.records = records
        self.run: str | None = None
        # The last that each run task has told.
        self.told: dict[str, dict[str, Any]] = {}
        self.total = 0
        self.tasks = 0
        self.ended: set[str] = set()
        self.began = time.monotonic()
        self.drawn = 0.0
        self.terminal = sys.stderr.isatty() and not records
        self.interval = RECORDS if records else TERMINAL if self.terminal else ELSEWHERE
        self.open = False

    @contextlib.contextmanager
    def of(self, run: str | None, tasks: int) -> Iterator[None]:
        """Listens to the events of a run."""
        if not self.shown:
            yield
            return
        self.run, self.tasks = run, tasks
        services = self.client.scheduler_info(n_workers=0).get("services", {})
        if "dashboard" in services and not self.records:
            self.write(f"dashboard: {self.client.dashboard_link}\n")
        try:
            with listening(self.client, self):
                yield
                self.draw(last=True)
        finally:
            if self.open:
                self.write("\n")

    def hear(self, told: dict[str, Any]) -> None:
        """Takes one event; those of other runs are passed over."""
        if told.get("run") != self.run:
            return
        key = told["key"]
        # What the listing found: how many tasks have something to read, and how many bytes there are.
        self.tasks = told.get("tasks", self.tasks)
        if key.startswith("creel-list-"):
            self.total = told.get("total") or self.total
        if key.startswith("('creel-run-"):
            # A task that is run again counts from nothing.
            self.told[key] = told
            if "done" in told:
                self.ended.add(key)

    def draw(self, last: bool = False) -> None:
        """Writes a line, if the last one is old enough."""
        now = time.monotonic()
        if not self.shown or (not last and now - self.drawn < self.interval):
            return
        self.drawn = now
        if self.records:
            self.write(json.dumps({"progress": self.record(now)}) + "\n")
            return
        text = f"{size(self.sum('bytes'))} of {size(self.total)}, {len(self.ended)} of {self.tasks} tasks"
        self.write(f"\r\x1b[K{text}" if self.terminal else f"{text}\n")
        self.open = self.terminal

    def record(self, now: float) -> dict[str, Any]:
        """How far the run is: what the command's record of progress has, and the tasks."""
        # The event loop adds to it meanwhile.
        waiting = next((told["waiting"] for told in list(self.told.values()) if told.get("waiting")), None)
        return {
            "bytes": self.sum("bytes"), "total": self.total, "records": self.sum("records"),
            "skipped": self.sum("skipped"), "replaced": self.sum("replaced"), "seconds": now - self.began,
            "waiting": waiting, "tasks": self.tasks, "tasks_done": len(self.ended),
        }

    def sum(self, name: str) -> int:
        """A number of all tasks."""
        return sum(told.get(name) or 0 for told in list(self.told.values()))

    def write(self, text: str) -> None:
        """Writes to standard error at once."""
        sys.stderr.write(text)
        sys.stderr.flush()


# The runs that each client shows. A client has one handler for a topic, so its runs share it.
SHOWN: weakref.WeakKeyDictionary[distributed.Client, list[Progress]] = weakref.WeakKeyDictionary()
CHANGE = threading.Lock()


@contextlib.contextmanager
def listening(client: distributed.Client, progress: Progress) -> Iterator[None]:
    """Hands events to the progress of a run; other runs of the same client keep theirs."""
    with CHANGE:
        shown = SHOWN.setdefault(client, [])
        shown.append(progress)
        if len(shown) == 1:

            def hear(event: tuple[float, dict[str, Any]]) -> None:
                for each in tuple(shown):
                    each.hear(event[1])

            client.subscribe_topic(TOPIC, hear)
    try:
        yield
    finally:
        with CHANGE:
            shown.remove(progress)
            if not shown and client.status == "running":
                client.unsubscribe_topic(TOPIC)


def size(count: int) -> str:
    """Bytes as people read them.

    >>> size(999), size(1_250_000)
    ('999 B', '1.2 MB')
    """
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
