"""What goes wrong on a cluster: the answer is the same, or an error says what failed, where, and why."""

from __future__ import annotations

import logging
import os
import pathlib
import pickle
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable

import creel_dask
import distributed
import pytest
from cluster import ROOT, Cluster, binary, cluster, creel

PEPS = f"{ROOT}/fixtures/peps/*.rst"
COUNT = "words | frequencies | topk(3)"


def processes(word: str) -> list[int]:
    """Ids of the processes of creel workers whose command line has a word."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            name = pathlib.Path(command[0]).name
            if name.startswith("creel") and command[1] == "worker" and any(word in part for part in command):
                found.append(int(entry.name))
    return found


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Waits until a condition holds."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not come to pass"
        time.sleep(0.02)


class Behind:
    """A call in a thread: its value, or its error."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.value: object = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self.run, args=(call,), daemon=True)
        self.thread.start()

    def run(self, call: Callable[[], object]) -> None:
        try:
            self.value = call()
        except BaseException as error:
            self.error = error

    def end(self, seconds: float = 120) -> None:
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "the run hangs"


def lines(output: bytes) -> list[object]:
    import json

    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.parametrize("nanny", [False, True])
def test_a_worker_killed_in_mid_task_changes_nothing(
    tmp_path: pathlib.Path, large: pathlib.Path, nanny: bool
) -> None:
    with cluster(tmp_path / "c", 2, nanny=nanny) as made, made.client() as client:
        ids = client.run(os.getpid)
        # The worker that has done a part of the tasks dies while it runs another.
        run = Behind(lambda: creel_dask.run(client, "words | count", large, tasks=8))
        victim = made.folder / "local-0"
        until(lambda: processes(str(victim)) or run.error)
        name_of = {info["name"]: address for address, info in client.scheduler_info(n_workers=-1)["workers"].items()}
        pid = next(pid for address, pid in ids.items() if name_of["worker-0"] == address)
        children = processes(str(victim))
        os.kill(pid, signal.SIGKILL)
        # Its process of creel does not go on.
        until(lambda: not set(children) & set(processes(str(victim))))
        run.end()
        assert run.error is None
        assert run.value == lines(creel("words | count", large).stdout)


def test_cancelled_tasks_leave_no_process(two: Cluster, client: distributed.Client, large: pathlib.Path) -> None:
    future = client.compute(creel_dask.Program("words | frequencies | topk(3)", large, tasks=4))
    until(lambda: processes(str(two.folder)))
    future.cancel()
    until(lambda: not processes(str(two.folder)), 10)
    # The workers are as good as new.
    assert creel_dask.run(client, "count", PEPS) == lines(creel("count", PEPS).stdout)


def test_a_task_that_is_wanted_again_runs_again(two: Cluster, client: distributed.Client, large: pathlib.Path) -> None:
    program = creel_dask.Program("words | count", large, tasks=4)
    future = client.compute(program)
    until(lambda: processes(str(two.folder)))
    future.cancel()
    assert client.compute(program).result() == lines(creel("words | count", large).stdout)


def test_a_scheduler_that_goes_away_is_an_error(tmp_path: pathlib.Path, large: pathlib.Path) -> None:
    with cluster(tmp_path / "c", 1) as made, made.client() as client:
        run = Behind(lambda: creel_dask.run(client, COUNT, large))
        until(lambda: processes(str(made.folder)))
        assert made.scheduler
        made.scheduler.kill()
        run.end(30)
        assert isinstance(run.error, creel_dask.CreelError)
        assert run.error.kind == "scheduler" and made.address in str(run.error)
        # The worker ends as well, and its process of creel with it.
        until(lambda: not processes(str(made.folder)))


def test_without_a_worker_the_log_says_that_the_run_waits(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    with cluster(tmp_path / "c", 0) as made, made.client() as client, caplog.at_level(logging.WARNING, "creel_dask"):
        run = Behind(lambda: creel_dask.run(client, "count", PEPS))
        until(lambda: "no worker is connected" in caplog.text)
        made.start_worker()
        run.end()
        assert run.value == lines(creel("count", PEPS).stdout)


def test_another_version_of_a_worker_is_refused_and_both_are_named(tmp_path: pathlib.Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "creel").write_text("#!/bin/sh\necho creel 0.0.9\n")
    (old / "creel").chmod(0o755)
    with cluster(tmp_path / "c", 0) as made:
        made.start_worker(path=f"{old}:/usr/bin:/bin")
        with made.client() as client, pytest.raises(creel_dask.CreelError) as refused:
            creel_dask.run(client, "count", PEPS)
    here = creel("--version").stdout.decode().strip()
    assert "creel 0.0.9" in str(refused.value) and here in str(refused.value)
    assert refused.value.kind == "binary" and refused.value.exit_code == 2
    assert str(refused.value.worker).startswith("tcp://127.0.0.1:")


def test_a_worker_without_the_binary_gets_the_clients(tmp_path: pathlib.Path) -> None:
    with cluster(tmp_path / "c", 0) as made:
        for _ in range(2):
            made.start_worker(path="/usr/bin:/bin")
        with made.client() as client:
            with pytest.raises(creel_dask.CreelError, match="no 'creel' on its PATH.*ship"):
                creel_dask.run(client, "count", PEPS)
            answer = lines(creel("count", PEPS).stdout)
            assert creel_dask.run(client, "count", PEPS, ship=True) == answer
            # Once a worker, and to those that come later.
            shipped = list(made.folder.glob("local-*/**/creel-????????????????"))
            assert len(shipped) == 2
            times = [path.stat().st_mtime_ns for path in shipped]
            assert creel_dask.run(client, "count", PEPS, ship=True) == answer
            assert [path.stat().st_mtime_ns for path in shipped] == times
            made.start_worker(path="/usr/bin:/bin")
            client.wait_for_workers(3)
            assert len(list(made.folder.glob("local-2/**/creel-????????????????"))) == 1


def test_a_binary_that_cannot_be_read_is_no_lost_scheduler(
    tmp_path: pathlib.Path, client: distributed.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: pathlib.Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    # Root reads all files.
    monkeypatch.setattr(pathlib.Path, "read_bytes", refuse)
    with pytest.raises(creel_dask.CreelError, match="the binary cannot be sent.*Permission denied") as refused:
        creel_dask.run(client, "count", PEPS, ship=True)
    assert refused.value.kind == "binary"


def test_worker_creel_names_the_binary_there(tmp_path: pathlib.Path) -> None:
    with cluster(tmp_path / "c", 0) as made:
        made.start_worker(path="/usr/bin:/bin")
        with made.client() as client:
            rows = creel_dask.run(client, "count", PEPS, worker_creel=str(binary()))
            assert rows == lines(creel("count", PEPS).stdout)


def test_a_source_that_a_worker_cannot_read_is_named_with_the_worker(
    tmp_path: pathlib.Path, client: distributed.Client
) -> None:
    # A file that is listed, and gone when it is read: as one that only the worker of the listing has.
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text(f"{name}\n")
    program = creel_dask.Program("count", tmp_path, tasks=2)
    job = program._job
    graph = job.graph()
    shares = client.get(graph, f"creel-list-{job.token}")
    (tmp_path / "b.log").unlink()
    graph[f"creel-list-{job.token}"] = shares
    states = client.get(graph, job.state_keys)
    from creel_dask import job as jobs
    from creel_dask.worker.operations import Operations

    with pytest.raises(creel_dask.CreelError) as unread:
        Operations(jobs.here(None)).finish(job.plan, states)
    error = unread.value
    assert error.object == str(tmp_path / "b.log") and "not found" in str(error)
    assert str(error.worker).startswith("tcp://127.0.0.1:")
    assert error.rows == [1] and error.exit_code == 3


def test_a_source_that_is_missing_is_an_error_with_the_rows_of_the_others(
    tmp_path: pathlib.Path, client: distributed.Client, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.log").write_text("one\ntwo\n")
    sources = [tmp_path / "a.log", tmp_path / "nowhere.log"]
    with pytest.raises(creel_dask.CreelError, match="nowhere.log") as unread:
        creel_dask.run(client, "count", sources)
    assert unread.value.rows == [2] and unread.value.exit_code == 3
    # It is the worker of the listing that does not see the file.
    assert str(unread.value.worker).startswith("tcp://127.0.0.1:")
    with pytest.raises(creel_dask.CreelError, match="nowhere.log") as unread:
        creel_dask.Program("count", sources).compute()
    assert unread.value.rows == [2]
    with pytest.raises(creel_dask.CreelError, match="nowhere.log"):
        creel_dask.run(client, "count", sources, on_missing="fail")
    with caplog.at_level(logging.WARNING, "creel_dask"):
        assert creel_dask.run(client, "count", sources, on_missing="skip") == [2]


def test_a_bad_record_is_named_by_object_partition_and_offset(
    tmp_path: pathlib.Path, client: distributed.Client
) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text('{"a": 1}\n{"a": nonsense}\n{"a": 3}\n')
    with pytest.raises(creel_dask.CreelError) as bad:
        creel_dask.run(client, "sum(.a)", source)
    error = bad.value
    assert error.object == str(source) and error.partition == 0 and error.offset == 15
    assert error.exit_code == 4 and str(error.worker).startswith("tcp://127.0.0.1:")
    assert str(source) in str(error)
    with pytest.raises(creel_dask.CreelError) as lazy:
        creel_dask.Program("sum(.a)", source).compute()
    assert (lazy.value.object, lazy.value.offset) == (error.object, error.offset)
    assert creel_dask.run(client, "sum(.a)", source, invalid="skip") == [4]


def test_records_that_are_skipped_are_logged(
    tmp_path: pathlib.Path, client: distributed.Client, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}\nnonsense\n{"a": 3}\n')
    with caplog.at_level(logging.WARNING, "creel_dask"):
        assert creel_dask.run(client, "sum(.a)", tmp_path / "a.jsonl", invalid="skip") == [4]
    assert f"skipped 1 records, the first at {tmp_path}/a.jsonl (byte 9)" in caplog.text


def test_a_worker_that_cannot_write_is_named(tmp_path: pathlib.Path) -> None:
    with cluster(tmp_path / "c", 1) as made, made.client() as client:
        # As a full disk: no file can be made in its local directory.
        shutil.rmtree(made.folder / "local-0")
        with pytest.raises(creel_dask.CreelError, match="cannot be written or read.*local-0") as full:
            creel_dask.run(client, "count", PEPS)
        assert full.value.kind == "disk" and str(full.value.worker).startswith("tcp://127.0.0.1:")


def test_errors_are_pickled_with_all_that_they_say() -> None:
    error = creel_dask.CreelError("it broke", object="a.log", partition=3, offset=7, worker="tcp://h:1", rows=[1])
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is creel_dask.CreelError and str(again) == str(error)
    assert vars(again) == vars(error)


def test_a_worker_at_its_limit_spills_and_is_not_killed(tmp_path: pathlib.Path, large: pathlib.Path) -> None:
    # 1,600,000 words, all different, and a nanny that kills a worker which takes more than it may.
    program, sources = "words | frequencies | topk(3)", sorted(large.glob("0[0-3].txt"))
    with cluster(tmp_path / "c", 1, memory="250MB", nanny=True) as made, made.client() as client:
        before = client.run(os.getpid)
        rows = creel_dask.run(client, program, sources, tasks=2)
        assert rows == lines(creel(program, *sources).stdout)
        assert client.run(os.getpid) == before
        with pytest.raises(creel_dask.CreelError, match="spill-max") as full:
            creel_dask.run(client, program, sources, tasks=2, memory="64MiB", spill_max="1M")
        assert str(full.value.worker).startswith("tcp://127.0.0.1:")


def test_a_task_that_kills_each_worker_is_an_error(tmp_path: pathlib.Path) -> None:
    killer = tmp_path / "killer"
    killer.write_text(f'#!/bin/sh\n[ "$2" = run ] && kill -KILL $PPID\nexec {binary()} "$@"\n')
    killer.chmod(0o755)
    with cluster(tmp_path / "c", 2, nanny=True) as made, made.client() as client:
        with pytest.raises(creel_dask.CreelError, match="killed") as lost:
            creel_dask.run(client, "count", PEPS, worker_creel=str(killer), tasks=1)
        assert lost.value.kind == "worker" and str(lost.value.worker).startswith("tcp://127.0.0.1:")


def test_tasks_leave_nothing_in_the_local_directory(two: Cluster, client: distributed.Client) -> None:
    creel_dask.run(client, COUNT, PEPS)
    assert not list(two.folder.glob("local-*/**/creel-*"))


def test_python_is_interrupted_and_the_cluster_is_free(two: Cluster, large: pathlib.Path) -> None:
    script = (
        "import creel_dask, distributed, sys\n"
        f"with distributed.Client({two.address!r}) as client:\n"
        f"    creel_dask.run(client, 'words | frequencies | topk(3)', {str(large)!r})\n"
    )
    import sys

    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    until(lambda: processes(str(two.folder)))
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert b"KeyboardInterrupt" in told
    until(lambda: not processes(str(two.folder)), 10)
