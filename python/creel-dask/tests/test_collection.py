"""A program is a collection of Dask: all that Dask does with one works."""

from __future__ import annotations

import pathlib
import pickle
from typing import Any

import creel_dask
import dask.base
import dask.threaded
import distributed
import pytest
from cluster import ROOT
from dask.delayed import delayed

PEPS = f"{ROOT}/fixtures/peps/*.rst"
JSONL = f"{ROOT}/fixtures/access.jsonl"
TOP = [["the", 2415], ["to", 1193]]


def top() -> creel_dask.Program:
    return creel_dask.Program("words | frequencies | topk(2)", PEPS, tasks=5)


def test_compute_gives_rows_on_a_cluster(client: distributed.Client) -> None:
    assert top().compute() == TOP
    assert dask.base.compute(top(), creel_dask.Program("count", JSONL)) == (TOP, [300])


def test_client_compute_gives_a_future_of_rows(client: distributed.Client) -> None:
    assert client.compute(top()).result() == TOP
    (future,) = client.compute([top()])
    assert future.result() == TOP


def test_compute_works_without_a_cluster() -> None:
    assert top().compute(scheduler="threads") == TOP
    assert top().compute(scheduler="sync") == TOP


def test_a_persisted_program_keeps_its_states_on_the_cluster(client: distributed.Client) -> None:
    kept = top().persist()
    assert isinstance(kept, creel_dask.Program)
    assert kept.compute() == TOP
    assert dask.base.tokenize(kept) == dask.base.tokenize(top())
    (kept,) = dask.base.persist(top())
    assert kept.to_delayed().compute() == TOP
    assert client.persist(top()).compute() == TOP


def test_a_program_is_an_argument_of_a_delayed_function(client: distributed.Client) -> None:
    # Functions of this file are unknown to the workers: a lambda goes by value.
    first = delayed(lambda rows: rows[0])
    assert first(top()).compute() == ["the", 2415]
    nested = delayed(lambda both: [len(both["rows"]), both["n"]])
    assert nested({"rows": top(), "n": 7}).compute() == [2, 7]


def test_to_delayed_is_a_delayed_of_the_rows(client: distributed.Client) -> None:
    rows: Any = top().to_delayed()
    assert rows[1][0].compute() == "to"
    assert rows.compute(scheduler="sync") == TOP


def test_visualize_draws_the_graph(client: distributed.Client, tmp_path: pathlib.Path) -> None:
    picture = tmp_path / "graph.html"
    dask.base.visualize(top(), filename=str(picture), engine="cytoscape")
    drawn = picture.read_text()
    for name in ("creel-list", "creel-run", "creel-state"):
        assert name in drawn


def test_rows_that_are_objects_are_a_dataframe(tmp_path: pathlib.Path) -> None:
    program = creel_dask.Program("groupby(.status; {n: count, bytes: sum(.bytes)})", JSONL)
    # The workers of the other tests have no pandas.
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as local:
        with distributed.Client(local):
            frame = program.to_dataframe()
            assert list(frame.columns) == ["status", "n", "bytes"]
            assert frame.n.sum().compute() == 300
            meta = frame._meta
            assert program.to_dataframe(meta=meta).compute().equals(frame.compute())


def test_local_cluster_gives_the_same_rows() -> None:
    with distributed.LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address="127.0.0.1:0") as local:
        with distributed.Client(local) as client:
            assert creel_dask.run(client, "words | frequencies | topk(2)", PEPS) == TOP
    with distributed.Client(processes=False, n_workers=1, dashboard_address="127.0.0.1:0") as client:
        assert creel_dask.run(client, "words | frequencies | topk(2)", PEPS) == TOP


def test_equal_programs_have_equal_keys_and_others_have_not() -> None:
    assert top().__dask_keys__() == top().__dask_keys__()
    assert dask.base.tokenize(top()) == dask.base.tokenize(top())
    other = creel_dask.Program("words | frequencies | topk(3)", PEPS, tasks=5)
    assert dask.base.tokenize(other) != dask.base.tokenize(top())


def test_a_program_is_no_expression_and_has_no_optimizer() -> None:
    program = top()
    assert dask.base.is_dask_collection(program)
    assert not hasattr(program, "expr") and not hasattr(program, "dask")
    assert program.__dask_optimize__ is None
    assert set(program.__dask_layers__()) == set(program.__dask_graph__().layers)


def test_keys_may_be_renamed() -> None:
    program = top()
    rebuild, arguments = program.__dask_postpersist__()
    key: Any = program.__dask_keys__()[0]
    (answer,) = dask.threaded.get(dict(program.__dask_graph__()), [key])
    renamed = rebuild({"another": answer}, *arguments, rename={key: "another"})
    assert renamed.__dask_keys__() == ["another"]
    assert renamed.compute(scheduler="sync") == TOP


def test_a_program_is_pickled() -> None:
    assert pickle.loads(pickle.dumps(top())).compute(scheduler="sync") == TOP


@pytest.mark.parametrize(
    ("program", "options", "error", "says"),
    [
        ("frequency", {}, creel_dask.CreelError, "unknown name `frequency`"),
        ("count", {"invalids": "skip"}, TypeError, "unexpected keyword 'invalids'"),
        ("count", {"invalid": "sometimes"}, creel_dask.CreelError, "one of fail, replace, skip"),
        ("count", {"creel": "/nowhere/creel"}, creel_dask.CreelError, "no '/nowhere/creel' here"),
        ("count", {"ship": True}, ValueError, "needs a client"),
    ],
)
def test_what_cannot_run_is_refused_at_once(
    program: str, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says.replace("(", r"\(")):
        creel_dask.Program(program, PEPS, **options)


def test_standard_input_is_refused() -> None:
    with pytest.raises(ValueError, match="standard input"):
        creel_dask.Program("count", "-")


def test_integers_keep_all_of_their_digits(tmp_path: pathlib.Path) -> None:
    source = tmp_path / "long.jsonl"
    source.write_text(f"[-{'7' * 9001}]\n")
    rows = creel_dask.Program("flatten", source).compute(scheduler="sync")
    assert rows[0] == -7 * (10**9001 - 1) // 9


def test_paths_are_of_this_folder_and_not_of_a_pattern_in_its_name(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("[xy]", "x"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.log").write_text(f"{folder}\n")
    monkeypatch.chdir(tmp_path / "x")
    assert creel_dask.Program("take(1)", "*.log").compute(scheduler="sync") == ["x"]
    # The command refuses a pattern below such a folder.
    monkeypatch.chdir(tmp_path / "[xy]")
    with pytest.raises(creel_dask.CreelError):
        creel_dask.Program("take(1)", "*.log")
