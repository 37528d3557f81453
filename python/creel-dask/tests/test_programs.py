"""The answer on a cluster is the answer of the command, to the byte."""

from __future__ import annotations

import json
import pathlib

import creel_dask
import pytest
from cluster import ROOT, cluster, creel
from programs import CASES, Case

FIXTURES = ROOT / "fixtures"


def local(case: Case, base: str) -> bytes:
    """What the command prints, as lines of JSON."""
    return creel("-t", "jsonl", case.program, *(base + source for source in case.sources)).stdout


def rows_of(output: bytes) -> list[object]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_answers_are_those_of_the_command(tmp_path: pathlib.Path, workers: int) -> None:
    base = f"{FIXTURES}/"
    with cluster(tmp_path / "cluster", workers) as made, made.client() as client:
        for case in CASES:
            sources = [base + source for source in case.sources]
            # Small blocks and many tasks: each file is in several shares.
            rows = creel_dask.run(client, case.program, sources, blocksize="4k", tasks=11)
            assert rows == rows_of(local(case, base)), case.name
