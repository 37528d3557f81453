"""The operations of a plan as tasks: list, run, merge and finish, each a process of the creel binary."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import Any

from .envelope import enveloped, joined, of_one_listing, opened
from .error import SOURCE, failure
from .process import Settings, process


def list_partitions(settings: Settings, plan: bytes, tasks: int) -> tuple[str, list[bytes]]:
    """Lists the sources: the digest of the listing, and at most `tasks` shares of about equal bytes."""
    with process(settings) as creel:
        folder = creel.folder / "partitions"
        folder.mkdir()
        creel.run("list", creel.write("plan", plan), "--into", str(folder), "--tasks", str(tasks))
        shares = [path.read_bytes() for path in sorted(folder.iterdir())]
    digest = hashlib.sha256()
    for share in shares:
        digest.update(hashlib.sha256(share).digest())
    return digest.hexdigest(), shares


def share_of(listing: tuple[str, list[bytes]], index: int) -> bytes:
    """One share of a listing; an envelope without a body if the listing has fewer."""
    digest, shares = listing
    return enveloped(digest, [], shares[index] if index < len(shares) else b"")


def run_partitions(settings: Settings, plan: bytes, partitions: bytes, shards: int) -> bytes | list[bytes]:
    """Runs the plan over some partitions: a state, or one for each shard if there are several."""
    listing, _, body = opened(partitions)
    if not body:
        nothing = enveloped(listing, [], b"")
        return nothing if shards == 1 else [nothing] * shards
    with process(settings) as creel:
        given = creel.write("plan", plan), creel.write("partitions", body)
        if shards == 1:
            state = creel.folder / "state"
            notes = creel.run("run", *given, "-o", str(state))
            return enveloped(listing, notes, state.read_bytes())
        folder = creel.folder / "shards"
        folder.mkdir()
        arguments = ("--shards", str(shards), "--into", str(folder))
        notes = creel.run("run", *given, *arguments)
        states = [path.read_bytes() for path in sorted(folder.iterdir())]
        # The first shard alone carries the notes, so that they are told once.
        return [enveloped(listing, notes if i == 0 else [], state) for i, state in enumerate(states)]


def pick(states: list[bytes], index: int) -> bytes:
    """The state of one shard."""
    return states[index]


def merge_states(settings: Settings, plan: bytes, states: list[bytes]) -> bytes:
    """Merges states, in input order, into one."""
    listing, notes, bodies = of_one_listing(states)
    if len(bodies) < 2:
        return enveloped(listing, notes, bodies[0] if bodies else b"")
    with process(settings) as creel:
        merged = creel.folder / "merged"
        names = creel.write_states(bodies)
        told = creel.run("merge", creel.write("plan", plan), *names, "-o", str(merged))
        return enveloped(listing, joined(notes, told), merged.read_bytes())


def finish_states(settings: Settings, plan: bytes, states: list[bytes]) -> list[Any]:
    """The rows of merged states, as values of Python.

    Raises CreelError, which has the rows, if sources or records were left out that the plan does not let pass.
    """
    _, notes, bodies = of_one_listing(states)
    logger = logging.getLogger("creel_dask")
    with process(settings) as creel:
        rows_at = creel.folder / "rows"
        names = creel.write_states(bodies)
        plan_at = creel.write("plan", plan)
        told = creel.run("finish", plan_at, *names, "-t", "jsonl", "-o", str(rows_at), told=SOURCE)
        with rows_at.open("rb") as lines:
            rows = [value(line) for line in lines]
        if creel.exit_code:
            raise failure(joined(notes, told), creel.lines, creel.exit_code, None, rows)
        for note in notes:
            logger.warning("worker %s: %s", note.get("worker"), note["message"])
        for text in creel.report.get("notes") or ():
            logger.warning("%s", text)
    return rows


def finish_results(results: list[Any], settings: Settings) -> list[Any]:
    """The rows, from the values of a program's keys: the plan and the state of each shard."""
    plan, *states = results
    return finish_states(settings, plan, states)


def frame_of(rows: list[Any]) -> Any:
    """Rows that are objects as a DataFrame of pandas."""
    import pandas

    return pandas.DataFrame.from_records(rows)


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
