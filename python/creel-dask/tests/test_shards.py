"""States in shards, and the listing that they are of."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import creel_dask
import distributed
import pytest
from cluster import ROOT, creel
from creel_dask import job
from creel_dask.worker.envelope import enveloped, joined, opened
from creel_dask.worker.operations import Operations, numbered
from creel_dask.worker.process import process
from programs import CASES, Case

KEYED = [
    "groupby(.path; {n: count, bytes: sum(.bytes), p50: p50(.bytes)})",
    "frequencies(.path)",
    "frequencies(.path) | map(.[1]) | frequencies | topk(2)",
]


@pytest.mark.parametrize("program", KEYED)
@pytest.mark.parametrize("shards", [1, 2, 7])
def test_shards_never_show_in_an_answer(client: distributed.Client, program: str, shards: int) -> None:
    source = f"{ROOT}/fixtures/access.jsonl"
    rows = creel_dask.run(client, program, source, blocksize="4k", tasks=10, shards=shards)
    local = creel("-t", "jsonl", program, source)
    assert rows == [json.loads(line) for line in local.stdout.splitlines()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_programs_without_keys_may_be_in_shards(client: distributed.Client, case: Case) -> None:
    sources = [f"{ROOT}/fixtures/{source}" for source in case.sources]
    program = creel_dask.Program(case.program, sources, tasks=9, shards=3)
    local = creel("-t", "jsonl", case.program, *sources)
    assert program.compute() == [json.loads(line) for line in local.stdout.splitlines()]


def test_what_is_left_out_is_told_once_for_all_shards(client: distributed.Client, tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.log").write_text("one two\n")
    sources = [tmp_path / "a.log", tmp_path / "nowhere.log"]
    with pytest.raises(creel_dask.CreelError) as unread:
        creel_dask.run(client, "words | frequencies", sources, shards=3)
    assert unread.value.rows == [["one", 1], ["two", 1]]
    assert [note["object"] for note in unread.value.notes] == [str(tmp_path / "nowhere.log")]
    assert str(unread.value.notes[0]["worker"]).startswith("tcp://127.0.0.1:")


def test_the_count_of_shards_is_that_of_the_keys() -> None:
    program = creel_dask.Program("words | frequencies", "/data", tasks=20, shards=3)
    assert len(program._job.state_keys) == 3
    with pytest.raises(ValueError, match="shards"):
        creel_dask.Program("count", "/data", shards=0)
    with pytest.raises(ValueError, match="tasks"):
        creel_dask.Program("count", "/data", tasks=0)


def test_envelopes_keep_what_they_are_given() -> None:
    note: dict[str, Any] = {"object": "a\nb", "message": "line\nend"}
    body = b"\x00\n\xff" * 3
    listing, notes, found = opened(enveloped("digest", [note], body))
    assert (listing, notes, bytes(found)) == ("digest", [note], body)
    assert bytes(opened(enveloped("digest", [], b""))[2]) == b""
    # A state does not grow without bound with what was not read.
    assert len(opened(enveloped("digest", [note] * 1000, b""))[1]) == 100


def test_shares_of_two_listings_are_refused() -> None:
    states = [enveloped("one", [], b"a"), enveloped("two", [], b"b")]
    for operation in (Operations(job.here(None)).merge, Operations(job.here(None)).finish):
        with pytest.raises(creel_dask.CreelError, match="the sources changed while a worker was lost") as changed:
            operation(b"a plan", states)
        assert changed.value.retry
    with process(job.here(None)) as creel_here:
        listing, notes, paths = creel_here.write_states([states[0], enveloped("one", [{"message": "m"}], b"")])
        assert (listing, notes) == ("one", [{"message": "m"}])
        assert [pathlib.Path(path).read_bytes() for path in paths] == [b"a"]


def test_notes_are_told_once() -> None:
    note = {"message": "a.log: gone", "worker": "tcp://h:1"}
    assert joined([note], [{"message": "a.log: gone"}, {"message": "b.log: gone"}]) == [
        note, {"message": "b.log: gone"},
    ]


def test_files_are_in_the_order_of_their_numbers(tmp_path: pathlib.Path) -> None:
    for number in (10_001, 2, 1000, 9_999, 10_000):
        (tmp_path / f"{number:04}.parts").write_bytes(b"%d" % number)
    assert numbered(tmp_path) == [b"2", b"1000", b"9999", b"10000", b"10001"]
