"""Progress of a run on standard error: bytes, tasks, workers, and the dashboard's link."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any

import distributed

from .worker.process import TOPIC

# Seconds between two lines: on a terminal, where they replace each other, and elsewhere.
TERMINAL = 0.2
ELSEWHERE = 5.0


class Progress:
    """What the tasks of a run tell, added up. If it is not shown nothing is subscribed to."""

    def __init__(self, client: distributed.Client, shown: bool) -> None:
        self.client = client
        self.shown = shown
        self.run: str | None = None
        self.bytes: dict[str, int] = {}
        self.total = 0
        self.tasks = 0
        self.ended: set[str] = set()
        self.drawn = 0.0
        self.terminal = sys.stderr.isatty()
        self.open = False

    @contextlib.contextmanager
    def of(self, run: str | None, tasks: int) -> Iterator[None]:
        """Listens to the events of a run."""
        if not self.shown:
            yield
            return
        self.run, self.tasks = run, tasks
        services = self.client.scheduler_info(n_workers=0).get("services", {})
        if "dashboard" in services:
            self.write(f"dashboard: {self.client.dashboard_link}\n")
        self.client.subscribe_topic(TOPIC, self.hear)
        try:
            yield
            self.draw(last=True)
        finally:
            if self.open:
                self.write("\n")
            if self.client.status == "running":
                self.client.unsubscribe_topic(TOPIC)

    def hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """Takes one event; those of other runs are passed over."""
        _, told = event
        if told.get("run") != self.run:
            return
        key = told["key"]
        # What the listing found: how many tasks have something to read, and how many bytes there are.
        self.tasks = told.get("tasks", self.tasks)
        if key.startswith("creel-list-"):
            self.total = told.get("total") or self.total
        if key.startswith("('creel-run-"):
            # A task that is run again counts from nothing.
            self.bytes[key] = told.get("bytes") or 0
            if "done" in told:
                self.ended.add(key)

    def draw(self, last: bool = False) -> None:
        """Writes a line, if the last one is old enough."""
        now = time.monotonic()
        if not self.shown or (not last and now - self.drawn < (TERMINAL if self.terminal else ELSEWHERE)):
            return
        self.drawn = now
        read = size(sum(self.bytes.values()))
        text = f"{read} of {size(self.total)}, {len(self.ended)} of {self.tasks} tasks"
        self.write(f"\r\x1b[K{text}" if self.terminal else f"{text}\n")
        self.open = self.terminal

    def write(self, text: str) -> None:
        """Writes to standard error at once."""
        sys.stderr.write(text)
        sys.stderr.flush()


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
