"""The one exception: on a worker, on its way to the client, and there."""

from __future__ import annotations

from typing import Any

# Exit codes of the command.
USAGE = 2
SOURCE = 3
INTERRUPTED = 130


class CreelError(Exception):
    """A run that failed: what failed, where, and on which worker.

    ``kind``, ``object``, ``partition``, ``offset`` and ``retry`` are those of the record that the binary has
    written; ``worker`` is the address of the worker, or None on the client. ``exit_code`` is that of the
    command. ``rows`` is the answer without what could not be read, where there is one. ``notes`` are the
    records of all that was not read, with their workers.

    >>> error = CreelError("cannot open it", object="a.log", offset=7, worker="tcp://10.0.0.1:4000")
    >>> str(error)
    'worker tcp://10.0.0.1:4000: cannot open it'
    >>> error.object, error.offset
    ('a.log', 7)
    """

    def __init__(
        self,
        message: str,
        *,
        kind: str | None = None,
        object: str | None = None,
        partition: int | None = None,
        offset: int | None = None,
        retry: bool = False,
        worker: str | None = None,
        exit_code: int = 3,
        rows: list[Any] | None = None,
        notes: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.object = object
        self.partition = partition
        self.offset = offset
        self.retry = retry
        self.worker = worker
        self.exit_code = exit_code
        self.rows = rows
        self.notes = notes or []

    def __str__(self) -> str:
        return f"worker {self.worker}: {self.message}" if self.worker else self.message


def failure(
    records: list[dict[str, Any]],
    lines: list[str],
    exit_code: int,
    worker: str | None,
    rows: list[Any] | None = None,
) -> CreelError:
    """The error of a process: its first record, or what else it wrote if it wrote none."""
    record = records[0] if records else {}
    message = record.get("message")
    if message and len(records) > 1:
        message += f" (and {len(records) - 1} more)"
    message = message or "\n".join(lines) or f"creel ended with exit code {exit_code}"
    return CreelError(
        message,
        kind=record.get("kind"),
        object=record.get("object"),
        partition=record.get("partition"),
        offset=record.get("offset"),
        retry=bool(record.get("retry")),
        worker=record.get("worker") or worker,
        exit_code=exit_code,
        rows=rows,
        notes=records,
    )
