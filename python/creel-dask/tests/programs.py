"""Programs and their sources, as in the README of the project, and a keyed one."""

from __future__ import annotations

from dataclasses import dataclass


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
