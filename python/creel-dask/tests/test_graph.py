"""The graph that goes to the scheduler: small, without credentials, and readable without this package."""

from __future__ import annotations

import pathlib
import subprocess

import creel_dask
import distributed
import pytest
from cluster import DASK, ROOT
from creel_dask.graph import FAN_IN
from creel_dask.worker.envelope import opened
from dask.base import collections_to_expr
from distributed.protocol.pickle import dumps

PEPS = f"{ROOT}/fixtures/peps/*.rst"
SECRET = "not-to-be-shown"


def pickled(program: creel_dask.Program) -> bytes:
    """The bytes that a client sends to the scheduler."""
    sent: bytes = dumps(collections_to_expr([program]))
    return sent


def test_the_scheduler_and_the_workers_have_no_creel_dask(client: distributed.Client) -> None:
    find = "import importlib.util as u; raise SystemExit(u.find_spec('creel_dask') is not None)"
    assert subprocess.run([DASK.with_name("python"), "-I", "-c", find]).returncode == 0

    def missing() -> bool:
        import importlib.util

        return importlib.util.find_spec("creel_dask") is None

    missing.__module__ = "__main__"
    assert client.run_on_scheduler(missing)
    assert all(client.run(missing).values())


def test_functions_go_by_value() -> None:
    sent = pickled(creel_dask.Program("count", PEPS))
    script = "import pickle, sys; pickle.loads(sys.stdin.buffer.read())"
    done = subprocess.run([DASK.with_name("python"), "-I", "-c", script], input=sent, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_the_plan_is_in_the_graph_once(tmp_path: pathlib.Path) -> None:
    program = creel_dask.Program("filter(. == \"a-word-of-the-plan\") | count", PEPS, tasks=500)
    assert pickled(program).count(b"a-word-of-the-plan") == 1


def test_the_graph_of_ten_thousand_partitions_is_small(client: distributed.Client, tmp_path: pathlib.Path) -> None:
    for number in range(10_000):
        (tmp_path / f"{number}.txt").write_text(f"{number}\n")
    program = creel_dask.Program("count", tmp_path)
    assert len(pickled(program)) < 100_000
    assert program.compute() == [10_000]
    # Partitions are in shares of the listing, so the graph grows with the tasks alone: here with 1,000 cores.
    assert len(pickled(creel_dask.Program("count", tmp_path, tasks=6000))) < 1_000_000


def test_no_task_merges_more_than_a_few_states() -> None:
    program = creel_dask.Program("count", PEPS, tasks=1000, shards=3)
    merges = [task for key, task in program._job.graph().items() if "merge" in str(key) or "state" in str(key)]
    assert max(len(task[2][1]) for task in merges) == FAN_IN


def test_few_bytes_are_few_tasks(client: distributed.Client) -> None:
    # Eight files of 364 kB in all: one task for each of two cores, or as many as are asked for.
    def used(**options: int) -> int:
        job = creel_dask.Program("count", PEPS, **options)._job
        shares = client.get(job.graph(), f"creel-list-{job.token}")
        return sum(bool(opened(share)[2]) for share in shares)

    assert used() == 2
    assert used(tasks=5) == 5
    assert used(tasks_per_core=1) == 2


def test_credentials_are_in_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_ACCOUNT_KEY", "GOOGLE_SERVICE_ACCOUNT_KEY"):
        monkeypatch.setenv(name, SECRET)
    assert SECRET.encode() not in pickled(creel_dask.Program("count", "s3://bucket/*"))
    for source in (f"https://user:{SECRET}@host/a.log", f"https://host/a.log?X-Amz-Signature={SECRET}"):
        with pytest.raises(creel_dask.CreelError) as refused:
            creel_dask.Program("count", source)
        assert SECRET not in str(refused.value)
