"""``python -m creel_dask submit``: what the command ``creel --scheduler`` executes."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from cluster import ROOT, Cluster, binary, creel
from programs import CASES, Case
from test_faults import processes, until

FIXTURES = ROOT / "fixtures"
PROGRAM = "words | frequencies | topk(3)"


@pytest.fixture
def plan(tmp_path: pathlib.Path) -> pathlib.Path:
    """A plan over the fixtures."""
    return written(tmp_path, PROGRAM, f"{FIXTURES}/peps/*.rst")


def written(folder: pathlib.Path, *arguments: object) -> pathlib.Path:
    path = folder / "plan"
    creel("--plan-to", path, *arguments)
    return path


def command(scheduler: str, plan: pathlib.Path, *arguments: object) -> list[str]:
    into = plan.with_name("state")
    options = ["--scheduler", scheduler, "--plan", plan, "--into", into, "--creel", binary(), *arguments]
    return [sys.executable, "-m", "creel_dask", "submit", *map(str, options)]


def submit(scheduler: str, plan: pathlib.Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    line = command(scheduler, plan, *arguments)
    return subprocess.run(line, capture_output=True, text=True, env={**os.environ, **environment}, timeout=120)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_finished_state_is_the_answer_to_the_byte(two: Cluster, tmp_path: pathlib.Path, case: Case) -> None:
    sources = [f"{FIXTURES}/{source}" for source in case.sources]
    plan = written(tmp_path, "--blocksize", "4k", case.program, *sources)
    done = submit(two.address, plan, "--tasks-per-core", 3)
    assert done.returncode == 0, done.stderr
    states = done.stdout.split()
    assert states == [str(tmp_path / "state")]
    for form in ("jsonl", "text", "table"):
        answer = creel("worker", "finish", plan, *states, "-t", form).stdout
        assert answer == creel("-t", form, case.program, *sources).stdout


def test_states_of_shards_are_files_of_their_own(two: Cluster, plan: pathlib.Path) -> None:
    done = submit(two.address, plan, "--shards", 3)
    assert done.returncode == 0, done.stderr
    states = done.stdout.split()
    assert states == [f"{plan.with_name('state')}.{index:04}" for index in range(3)]
    answer = creel("worker", "finish", plan, *states, "-t", "jsonl").stdout
    assert answer == creel("-t", "jsonl", PROGRAM, f"{FIXTURES}/peps/*.rst").stdout


@pytest.fixture
def named(two: Cluster) -> Iterator[dict[str, tuple[str, dict[str, str]]]]:
    """Ways to name the scheduler, and what they need of the environment."""
    yield {
        "file": (f"file:{two.scheduler_file}", {}),
        "environment": ("env", {"DASK_SCHEDULER_ADDRESS": two.address}),
    }


@pytest.mark.parametrize("way", ["file", "environment"])
def test_a_scheduler_is_named_in_dasks_ways(
    named: dict[str, tuple[str, dict[str, str]]], plan: pathlib.Path, way: str
) -> None:
    scheduler, environment = named[way]
    done = submit(scheduler, plan, **environment)
    assert done.returncode == 0, done.stderr


def test_progress_tells_bytes_and_tasks(two: Cluster, plan: pathlib.Path) -> None:
    done = submit(two.address, plan, "--progress", "always")
    assert done.returncode == 0
    assert done.stderr.startswith("dashboard: http://127.0.0.1:")
    assert done.stderr.endswith("\n364.0 kB of 364.0 kB, 2 of 2 tasks\n")
    assert submit(two.address, plan, "--progress", "never").stderr == ""


@pytest.mark.parametrize(
    ("scheduler", "code", "says"),
    [
        # Nothing listens on this port.
        ("tcp://127.0.0.1:1", 3, "no Dask scheduler answers at tcp://127.0.0.1:1"),
        ("nonsense://127.0.0.1:1", 2, "'nonsense://127.0.0.1:1' names no scheduler: unknown address scheme 'nonsense'"),
        ("file:/nowhere/scheduler.json", 2, "the scheduler file /nowhere/scheduler.json names no scheduler"),
        ("env", 2, "DASK_SCHEDULER_ADDRESS is not set"),
    ],
)
def test_a_scheduler_that_is_not_there_is_an_error(plan: pathlib.Path, scheduler: str, code: int, says: str) -> None:
    began = time.monotonic()
    done = submit(scheduler, plan)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr and "Traceback" not in done.stderr
    assert time.monotonic() - began < 30
    assert not plan.with_name("state").exists()


def test_errors_of_tasks_have_the_exit_codes_of_the_command(two: Cluster, tmp_path: pathlib.Path) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text("{}\nnonsense\n")
    plan = written(tmp_path, "sum(.a)", source)
    done = submit(two.address, plan)
    assert done.returncode == creel("sum(.a)", source, check=False).returncode == 4
    assert str(source) in done.stderr and "worker tcp://127.0.0.1:" in done.stderr
    assert not plan.with_name("state").exists()


def test_sources_that_are_missing_are_in_the_state(two: Cluster, tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.log").write_text("one\n")
    plan = written(tmp_path, "count", tmp_path / "a.log", tmp_path / "nowhere.log")
    done = submit(two.address, plan)
    assert done.returncode == 0
    finished = creel("worker", "finish", plan, *done.stdout.split(), check=False)
    local = creel("count", tmp_path / "a.log", tmp_path / "nowhere.log", check=False)
    assert (finished.stdout, finished.returncode) == (local.stdout, local.returncode) == (b"1\n", 3)


def test_damaged_plans_are_refused(two: Cluster, plan: pathlib.Path) -> None:
    plan.write_bytes(plan.read_bytes()[:-9])
    done = submit(two.address, plan)
    assert done.returncode in (2, 3) and "plan" in done.stderr and "Traceback" not in done.stderr
    plan.unlink()
    assert submit(two.address, plan).returncode == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_cancels_the_tasks(
    two: Cluster, tmp_path: pathlib.Path, large: pathlib.Path, number: signal.Signals
) -> None:
    plan = written(tmp_path, PROGRAM, large)
    running = subprocess.Popen(command(two.address, plan), stderr=subprocess.PIPE, text=True)
    until(lambda: processes(str(two.folder)))
    running.send_signal(number)
    _, told = running.communicate(timeout=30)
    assert running.returncode == 130
    assert told == "creel: interrupted: the tasks on the cluster are cancelled\n"
    until(lambda: not processes(str(two.folder)), 10)
    assert not plan.with_name("state").exists()


def test_the_second_signal_does_not_interrupt_the_cleaning(
    two: Cluster, tmp_path: pathlib.Path, large: pathlib.Path
) -> None:
    plan = written(tmp_path, PROGRAM, large)
    running = subprocess.Popen(command(two.address, plan), stderr=subprocess.PIPE, text=True)
    until(lambda: processes(str(two.folder)))
    running.send_signal(signal.SIGINT)
    while running.poll() is None:
        running.send_signal(signal.SIGTERM)
        running.send_signal(signal.SIGINT)
        time.sleep(0.01)
    assert running.stderr
    told = running.stderr.read()
    assert running.returncode == 130
    assert told.endswith("creel: interrupted: the tasks on the cluster are cancelled\n")
    assert "KeyboardInterrupt" not in told and "Fatal" not in told
    until(lambda: not processes(str(two.folder)), 10)


def records(done: subprocess.CompletedProcess[str]) -> list[dict[str, dict[str, object]]]:
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_errors_are_told_as_records(two: Cluster, tmp_path: pathlib.Path) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text("{}\nnonsense\n")
    plan = written(tmp_path, "sum(.a)", source)
    (record,) = records(submit(two.address, plan, "--errors", "json"))
    error = record["error"]
    assert (error["kind"], error["object"], error["partition"], error["offset"]) == ("record", str(source), 0, 3)
    assert str(error["worker"]).startswith("tcp://127.0.0.1:") and str(error["worker"]) in str(error["message"])
    assert error["retry"] is False
    (record,) = records(submit("tcp://127.0.0.1:1", plan, "--errors", "json"))
    assert record["error"]["kind"] == "scheduler" and record["error"]["retry"] is True


def test_notes_are_told_as_records_and_not_if_it_is_quiet(two: Cluster, tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.log").write_text("one\n")
    plan = written(tmp_path, "count", tmp_path / "a.log", tmp_path / "nowhere.log")
    (record,) = records(submit(two.address, plan, "--errors", "json"))
    message = str(record["note"]["message"])
    assert message.startswith("worker tcp://127.0.0.1:") and f"{tmp_path}/nowhere.log: not found" in message
    assert submit(two.address, plan).stderr.startswith("creel: worker tcp://127.0.0.1:")
    assert submit(two.address, plan, "--quiet").stderr == ""


def test_progress_is_told_as_records(two: Cluster, plan: pathlib.Path) -> None:
    last = records(submit(two.address, plan, "--progress", "json"))[-1]["progress"]
    size = sum(path.stat().st_size for path in FIXTURES.glob("peps/*.rst"))
    assert last["bytes"] == last["total"] == size
    assert last["tasks"] == last["tasks_done"] == 2
    assert {"records", "skipped", "replaced", "seconds", "waiting"} < set(last)


@pytest.mark.parametrize("given", [b"", b"12\nshort", b"nonsense\n"])
def test_standard_input_without_a_whole_plan_is_refused(given: bytes) -> None:
    line = [sys.executable, "-m", "creel_dask", "submit", "--scheduler", "tcp://127.0.0.1:1", "--attached"]
    done = subprocess.run(line, input=given, capture_output=True, timeout=60)
    assert done.returncode == 2 and done.stderr.startswith(b"creel: standard input")
