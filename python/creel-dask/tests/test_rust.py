"""Programs in Rust on a cluster: their answers are those of one machine, and what cannot go is named."""

from __future__ import annotations

import pathlib
import re
import shutil

import pytest
from cluster import ROOT, Cluster, cluster
from rust import PEPS, answer, arguments, example, run


@pytest.mark.parametrize("mode", ["everything", "two"])
def test_the_answer_of_closures_is_that_of_one_machine_to_the_byte(two: Cluster, tmp_path: pathlib.Path, mode: str) -> None:
    done = run(tmp_path, mode, two.address)
    assert done.returncode == 0, done.stderr
    assert done.stdout == answer(tmp_path, mode)


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("captured", ["`filter` (tests/cluster/program.rs:", "holds 24 bytes of this process", "filter_with"]),
        ("captured-aggregate", ["`aggregate` (tests/cluster/program.rs:", "holds 8 bytes of this process"]),
        ("formless", ["`collect` holds `on_cluster::Formless`", "creel::worker::form::<on_cluster::Formless>()"]),
        ("in-memory", ["`from_iter` (tests/cluster/program.rs:", "in the memory of this process"]),
        ("take", ["`take` cannot be computed on a cluster"]),
    ],
)
def test_what_cannot_go_is_named_before_the_cluster_is_asked(tmp_path: pathlib.Path, mode: str, told: list[str]) -> None:
    # Nobody answers there.
    done = run(tmp_path, mode, "tcp://127.0.0.1:9")
    assert done.returncode == 1 and done.stdout == ""
    assert all(part in done.stderr for part in told), done.stderr


def test_a_credential_in_a_source_or_an_argument_goes_nowhere(tmp_path: pathlib.Path) -> None:
    done = run(tmp_path, "count", "tcp://127.0.0.1:9", "https://host/a.log?X-Amz-Signature=hidden")
    assert done.returncode == 1 and "hidden" not in done.stderr
    assert "https://host/a.log" in done.stderr and "find credentials in their own environment" in done.stderr
    program = [*arguments("count", "tcp://127.0.0.1:9", PEPS), "https://user:hidden@host/a.log"]
    done = run(tmp_path, "", "", program=program)
    assert done.returncode == 1 and "hidden" not in done.stderr
    assert "argument 4, https://host/a.log, has a login" in done.stderr, done.stderr


def test_a_panic_on_a_worker_is_an_error_with_its_place(two: Cluster, tmp_path: pathlib.Path) -> None:
    done = run(tmp_path, "panic", two.address)
    assert done.returncode == 1
    assert "worker tcp://127.0.0.1:" in done.stderr and "panicked: a letter" in done.stderr
    # Whichever of the two tasks fails first.
    assert re.search(r"in the block at .*/fixtures/peps/pep-\d+.rst \(partition \d+, byte 0\)", done.stderr), done.stderr


def test_a_source_that_a_worker_cannot_read_is_named_with_the_worker(two: Cluster, tmp_path: pathlib.Path) -> None:
    done = run(tmp_path, "count", two.address, tmp_path / "nowhere.log")
    assert done.returncode == 1
    assert "worker tcp://127.0.0.1:" in done.stderr and "nowhere.log: not found" in done.stderr


def test_another_computation_on_the_worker_and_none_are_told(two: Cluster, tmp_path: pathlib.Path) -> None:
    done = run(tmp_path, "differs", two.address, AT_CLIENT="1")
    assert done.returncode == 1 and "builds another computation on the worker (`count`" in done.stderr
    done = run(tmp_path, "ends", two.address, AT_CLIENT="1")
    assert done.returncode == 1 and "ended before it came to the computation" in done.stderr


def test_another_build_on_a_worker_is_refused_and_both_are_named(tmp_path: pathlib.Path) -> None:
    stale = tmp_path / "stale"
    stale.mkdir()
    shutil.copy(example("on_cluster"), stale / "on_cluster")
    with open(stale / "on_cluster", "ab") as binary:
        binary.write(b"\0")
    with cluster(tmp_path / "c", 1) as made:
        done = run(tmp_path, "stale", made.address, STALE=str(stale / "on_cluster"))
        assert done.returncode == 1
        assert f"{stale}/on_cluster is 'build " in done.stderr and "the client's binary is 'build " in done.stderr
        shipped = run(tmp_path, "shipped", made.address)
        assert shipped.stdout == answer(tmp_path, "count"), shipped.stderr


def test_without_a_scheduler_the_error_is_clear_and_soon(tmp_path: pathlib.Path) -> None:
    done = run(tmp_path, "count", "tcp://127.0.0.1:9")
    assert done.returncode == 1 and "no Dask scheduler answers at tcp://127.0.0.1:9" in done.stderr


def test_functions_are_called_on_workers(two: Cluster, tmp_path: pathlib.Path) -> None:
    done = run(tmp_path, "client-calls", two.address, tmp_path / "none")
    assert done.stdout.splitlines() == ["25 Done [0, 1, 4, 9, 16, 25]", "[0, 1, 4, 9, 16, 25]"], done.stderr
    done = run(tmp_path, "client-failing", two.address, tmp_path / "none")
    failed, needs_it, panicked, works = done.stdout.splitlines()
    assert "worker tcp://127.0.0.1:" in failed and "the task parse failed: invalid digit found in string" in failed
    assert needs_it == f"{failed} Failed"
    assert "the task explode panicked: 7 is too much" in panicked and works == "8"


def test_the_example_counts_on_a_cluster(two: Cluster, tmp_path: pathlib.Path) -> None:
    program = [str(example("cluster")), two.address, f"{ROOT}/fixtures/access.log"]
    done = run(tmp_path, "", "", program=program)
    assert done.stdout.splitlines() == [
        "9 208.91.156.11", "4 84.137.208.44", "3 195.250.34.144", "340098 bytes", "the longest line has 678 bytes",
    ], done.stderr
