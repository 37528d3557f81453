"""The answer on a cluster is the answer of the command, to the byte."""

from __future__ import annotations

import pathlib

import creel_dask
import pytest
from cluster import ROOT, cluster, creel
from command import run
from programs import CASES, Case, rows_of, texts

FIXTURES = ROOT / "fixtures"


def local(case: Case, base: str) -> bytes:
    """What the command prints, as lines of JSON."""
    return creel("-t", "jsonl", case.program, *(base + source for source in case.sources)).stdout


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_answers_are_those_of_the_command(tmp_path: pathlib.Path, workers: int) -> None:
    base = f"{FIXTURES}/"
    with cluster(tmp_path / "cluster", workers) as made, made.client() as client:
        for case in CASES:
            sources = [base + source for source in case.sources]
            # Small blocks and many tasks: each file is in several shares.
            rows = creel_dask.run(client, case.program, sources, blocksize="4k", tasks=11)
            assert texts(rows) == texts(rows_of(local(case, base))), case.name


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_output_is_that_of_the_command_to_the_byte(tmp_path: pathlib.Path, workers: int) -> None:
    base = f"{FIXTURES}/"
    with cluster(tmp_path / "cluster", workers) as made:
        for case in CASES:
            sources = [base + source for source in case.sources]
            done = run(tmp_path, made.address, "-t", "jsonl", "--blocksize", "4k", case.program, *sources)
            assert (done.returncode, done.stdout) == (0, local(case, base)), (case.name, done.stderr)
