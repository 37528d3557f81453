"""A process of creel on a worker: its memory, its guard, and what is taken from Dask for it."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import threading
from types import SimpleNamespace
from typing import Any

import creel_dask
import dask.config
import distributed
import pytest
from cluster import ROOT, binary, cluster
from creel_dask import job
from creel_dask.execution import states
from creel_dask.progress import SHOWN, Progress
from creel_dask.worker import internals
from creel_dask.worker import process as process_of_worker
from creel_dask.worker.child import child
from creel_dask.worker.process import LEAST_MEMORY, Settings, process

PEPS = f"{ROOT}/fixtures/peps/*.rst"


def memory(settings: Settings) -> int:
    with process(settings) as creel:
        option, size = creel.memory()
    assert option == "--memory"
    return int(size)


def test_without_a_limit_half_of_the_machine_is_shared_by_all_threads() -> None:
    here = job.here(None)
    settings = Settings(binary=here.binary, version=here.version)
    there, cores = internals.machine()
    assert memory(settings) == max(LEAST_MEMORY, there // 2 // cores)
    with dask.config.set(num_workers=4 * cores):
        assert memory(settings) == max(LEAST_MEMORY, there // 2 // (4 * cores))
    # The client runs one process, which takes what the command takes.
    with process(here) as creel:
        assert creel.memory() == []


def test_a_worker_without_a_limit_shares_the_machine_too(tmp_path: pathlib.Path) -> None:
    told, teller = tmp_path / "told", tmp_path / "teller"
    teller.write_text(f'#!/bin/sh\necho "$@" >>{told}\nexec {binary()} "$@"\n')
    teller.chmod(0o755)
    with cluster(tmp_path / "c", 1, memory="0") as made, made.client() as client:
        assert len(creel_dask.run(client, "count", PEPS, worker_creel=str(teller))) == 1
    there, cores = internals.machine()
    lines = [line for line in told.read_text().splitlines() if line.startswith("worker run")]
    assert lines and all(f" --memory {max(LEAST_MEMORY, there // 2 // cores)} " in line for line in lines)


def test_a_dask_without_these_attributes_has_answers() -> None:
    bare = SimpleNamespace()
    assert internals.threads(bare) >= 1
    assert internals.memory_limit(bare) is None
    assert internals.wanted(bare, "key")
    assert internals.wanted(SimpleNamespace(status=SimpleNamespace(name="closed")), "key") is False


def test_the_installed_dask_has_these_attributes(client: distributed.Client) -> None:
    def found(dask_worker: Any) -> tuple[int, int, bool]:
        state = dask_worker.state
        return state.nthreads, dask_worker.memory_manager.memory_limit, state.tasks.get("key") is None

    found.__module__ = "__main__"
    assert set(client.run(found).values()) == {(1, 1_000_000_000, True)}


def test_a_program_in_rust_has_its_memory_and_is_told_of_a_folder_that_is_not_here(tmp_path: pathlib.Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    known = process_of_worker.build_of(str(program))
    for folder in (str(tmp_path), "/nowhere"):
        settings = Settings(str(program), known, memory="1000", arguments=("a", "b"), directory=folder)
        with process(settings) as creel:
            assert creel.memory() == ["--run-memory", "1000"]
            with creel.started(creel.binary, ["worker", "list"]) as (command, options):
                asked = json.loads(pathlib.Path(options["env"]["CREEL_STEP"]).read_text())
        assert command == [str(program), "a", "b"]
        if folder == "/nowhere":
            assert (asked, options["cwd"]) == (["worker", "list", "--folder-missing", folder], None)
        else:
            assert (asked, options["cwd"]) == (["worker", "list"], folder)
    with pytest.raises(creel_dask.CreelError, match="use one build on both, or send.*Scheduler::ship_binary") as stale:
        with process(Settings(str(program), "build of another", arguments=())):
            pass
    assert "ship=True" not in str(stale.value)


def test_a_worker_reads_an_executable_once_unless_it_is_another(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def build_of(path: str) -> str:
        read.append(path)
        return f"build {len(read)}"

    monkeypatch.setattr(process_of_worker, "build_of", build_of)
    worker: Any = SimpleNamespace()
    path = tmp_path / "program"
    path.write_text("one")
    builds = [process_of_worker.known_build(worker, str(path)) for _ in range(3)]
    path.unlink()
    path.write_text("another")
    builds.append(process_of_worker.known_build(worker, str(path)))
    assert builds == ["build 1", "build 1", "build 1", "build 2"]


def test_a_process_ends_if_its_guard_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.Popen
    started: list[subprocess.Popen[bytes]] = []

    def start(command: list[str], **options: Any) -> Any:
        if started:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        started.append(real(command, **options))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(BlockingIOError):
        with child(["/bin/sleep", "600"]):
            pass
    (running,) = started
    assert running.returncode == -9
    with pytest.raises(ProcessLookupError):
        os.kill(running.pid, 0)


def test_two_runs_of_one_client_show_their_own_progress(
    client: distributed.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    made = job.of_program(client, "count", PEPS, {})
    both = [Progress(client, shown=True), Progress(client, shown=True)]
    first_is_open, second_has_ended = threading.Event(), threading.Event()

    def first() -> None:
        with states(client, made, both[0]) as found:
            first_is_open.set()
            second_has_ended.wait(60)
            list(found)

    thread = threading.Thread(target=first)
    thread.start()
    first_is_open.wait(60)
    with states(client, made, both[1]) as found:
        list(found)
    # The end of one leaves the other's.
    assert SHOWN[client] == [both[0]]
    second_has_ended.set()
    thread.join(60)
    assert SHOWN[client] == []
    lines = [line for line in capfd.readouterr().err.splitlines() if "tasks" in line]
    assert lines[-2:] == ["364.0 kB of 364.0 kB, 2 of 2 tasks"] * 2
