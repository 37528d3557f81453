"""The operations of a plan as tasks: list, run, merge and finish, each a process of the creel binary."""

from __future__ import annotations

import hashlib
import json
import logging
import pathlib
import zlib
from collections.abc import Iterable
from typing import Any

from .envelope import enveloped, joined, opened
from .error import SOURCE, failure
from .process import Process, Settings, process

# Bytes that are worth a task of their own. States of fewer tasks have fewer keys in common, each of which is
# written, sent and merged once a state: 1 GB of mail took 3.7 s in 4 tasks on two workers, and 2.5 s in 2.
SHARE = 512 << 20


class Operations:
    """The operations of a plan, under settings: methods are tasks, which take and give bytes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def list_shares(self, plan: bytes, tasks: int, least: int) -> list[bytes]:
        """Lists the sources: shares of about equal bytes, one for each task; those of no use are empty.

        No fewer than the least are of use, unless there are fewer partitions, and no more than SHARE justifies.
        """
        with process(self.settings) as creel:
            plan_at = creel.write("plan", plan)
            shares, notes = listed(creel, plan_at, tasks)
            enough = max(least, -(-int(creel.progress.get("total") or 0) // SHARE))
            if enough < len(shares):
                # What is listed twice is little.
                shares, notes = listed(creel, plan_at, enough)
            creel.tell({"tasks": len(shares)}, at_once=True)
        digest = hashlib.sha256()
        for share in shares:
            digest.update(hashlib.sha256(share).digest())
        shares += [b""] * (tasks - len(shares))
        # The first share alone carries the notes, so that they are told once.
        # All go to each worker, and names of objects are much alike.
        packed = (zlib.compress(share, 1) if share else share for share in shares)
        return [enveloped(digest.hexdigest(), [] if at else notes, share) for at, share in enumerate(packed)]

    def run(self, plan: bytes, listed: list[bytes], share: int, shards: int) -> bytes | list[bytes]:
        """Runs the plan over a share of the listing: a state, or one for each shard if there are several."""
        listing, notes, body = opened(listed[share])
        if not body:
            nothing = [enveloped(listing, [] if at else notes, b"") for at in range(shards)]
            return nothing[0] if shards == 1 else nothing
        with process(self.settings) as creel:
            given = creel.write("plan", plan), creel.write("partitions", zlib.decompress(body))
            if shards == 1:
                state = creel.folder / "state"
                notes = joined(notes, creel.run("run", *given, "-o", str(state)))
                return enveloped(listing, notes, state.read_bytes())
            folder = creel.folder / "shards"
            folder.mkdir()
            notes = joined(notes, creel.run("run", *given, "--shards", str(shards), "--into", str(folder)))
            states = numbered(folder)
            # The first shard alone carries the notes, so that they are told once.
            return [enveloped(listing, [] if at else notes, state) for at, state in enumerate(states)]

    def merge(self, plan: bytes, states: list[bytes]) -> bytes:
        """Merges states, in input order, into one."""
        with process(self.settings) as creel:
            listing, notes, paths = creel.write_states(states)
            if not paths:
                return enveloped(listing, notes, b"")
            merged = creel.folder / "merged"
            if len(paths) == 1:
                merged = pathlib.Path(paths[0])
            else:
                told = creel.run("merge", creel.write("plan", plan), *paths, "-o", str(merged))
                notes = joined(notes, told)
            return enveloped(listing, notes, merged.read_bytes())

    def call(self, function: str, arguments: bytes) -> bytes:
        """Calls a function of a program in Rust; returns the bytes of its result."""
        with process(self.settings) as creel:
            given, result = creel.write("arguments", arguments), creel.folder / "result"
            creel.run("call", function, given, "-o", str(result))
            return result.read_bytes()

    def finish(self, plan: bytes, states: Iterable[bytes]) -> list[Any]:
        """The rows of merged states, as values of Python.

        Raises CreelError, which has the rows, if sources or records were left out that the plan does not
        let pass.
        """
        with process(self.settings) as creel:
            _, notes, paths = creel.write_states(states)
            found = creel.folder / "rows"
            plan_at = creel.write("plan", plan)
            told = creel.run("finish", plan_at, *paths, "-t", "jsonl", "-o", str(found), told=SOURCE)
            # There is no answer if no source could be read.
            rows = rows_of(found) if found.exists() else None
            if creel.exit_code or rows is None:
                raise failure(joined(notes, told), creel.lines, creel.exit_code, None, rows)
            warn(notes, creel.report)
        return rows

    def frame(self, rows: list[Any]) -> Any:
        """Rows that are objects as a DataFrame of pandas."""
        import pandas

        return pandas.DataFrame.from_records(rows)


def listed(creel: Process, plan: str, tasks: int) -> tuple[list[bytes], list[dict[str, Any]]]:
    """Shares of the listing, for so many tasks at most, and notes on the sources that are not in it."""
    folder = creel.folder / f"partitions-{tasks}"
    folder.mkdir()
    notes = creel.run("list", plan, "--into", str(folder), "--tasks", str(tasks))
    return numbered(folder), notes


def numbered(folder: pathlib.Path) -> list[bytes]:
    """The files of a folder, in the order of the numbers that their names begin with.

    Names have four digits or more, so their own order is another from 10,000 files on.
    """
    return [path.read_bytes() for path in sorted(folder.iterdir(), key=lambda path: int(path.name.split(".")[0]))]


def warn(notes: list[dict[str, Any]], report: dict[str, Any]) -> None:
    """Logs what was passed over, as the plan has it."""
    logger = logging.getLogger("creel_dask")
    for note in notes:
        where = f"worker {note['worker']}: " if note.get("worker") else ""
        logger.warning("%s%s", where, note["message"])
    first = report.get("first_invalid") or {}
    for how in ("skipped", "replaced"):
        if count := report.get(f"records_{how}"):
            logger.warning("%s %d records, the first at %s: %s", how, count, first.get("place"), first.get("reason"))
    for text in report.get("notes") or ():
        logger.warning("%s", text)


def rows_of(path: pathlib.Path) -> list[Any]:
    """The values in a file of JSON, one a line."""
    with path.open("rb") as lines:
        return [value(line) for line in lines]


def value(line: bytes) -> Any:
    """A row: integers keep all of their digits, of which Python converts 4,300 at a time at most."""
    try:
        return json.loads(line)
    except ValueError:
        return json.loads(line, parse_int=integer)


def integer(text: str) -> int:
    """An integer of any number of digits."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    number = 0
    for at in range(0, len(digits), 4000):
        piece = digits[at : at + 4000]
        number = number * 10 ** len(piece) + int(piece)
    return sign * number
