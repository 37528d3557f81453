"""Programs and their sources, as in the README of the project, and a keyed one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    name: str
    program: str
    sources: tuple[str, ...]


CASES = (
    Case("long words", "words | filter(length > 5) | frequencies | topk(3)", ("peps/*.rst",)),
    Case("errors", r'filter(test("\" 404 ")) | count', ("access.log",)),
    Case(
        "paths of a crawler",
        'filter(contains("Googlebot")) | split(" ") | flatten | filter(startswith("/")) | frequencies | topk(3)',
        ("access.log",),
    ),
    Case("records in order", 'filter(startswith("Title:")) | take(2)', ("peps/*.rst",)),
    Case(
        "words of two kinds of files",
        'ascii_downcase | words | filter(test("^[a-z]+$")) | frequencies | topk(3)',
        ("peps/*.rst", "access.log"),
    ),
    Case(
        "keyed aggregates",
        "groupby(.status; {n: count, bytes: sum(.bytes), p50: p50(.bytes)})",
        ("access.jsonl",),
    ),
    Case("several results", "(frequencies(.status) | topk(2)), sum(.bytes), count", ("access.jsonl",)),
    Case("all records", "map(length)", ("peps/*.rst", "access.log")),
    Case("sorted", "sort | take(5)", ("access.log",)),
)


def texts(rows: Iterable[Any]) -> list[str]:
    """Rows as texts. As values 1, 1.0 and True are equal, and so are objects with their keys in another order."""
    return [json.dumps(row) for row in rows]


def rows_of(output: bytes) -> list[Any]:
    """The values of lines of JSON."""
    return [json.loads(line) for line in output.splitlines()]
