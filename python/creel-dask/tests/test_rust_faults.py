"""Programs in Rust on a cluster: more of their promises, which take longer."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess

import pytest
from cluster import ROOT, Cluster, cluster
from command import environment
from rust import PEPS, answer, arguments, example, processes, run
from test_faults import until


@pytest.mark.parametrize(
    "mode",
    ["count", "sum", "frequencies", "extremes", "fold", "sort", "sort-take", "distinct", "collect", "collect-own", "groups",
     "lend", "phases", "after-failure", "chains", "argument", "memory", "dropped",
     "once", "threads", "little-memory"],
)
def test_other_answers_are_those_of_one_machine_to_the_byte(two: Cluster, tmp_path: pathlib.Path, mode: str) -> None:
    done = run(tmp_path, mode, two.address)
    assert done.returncode == 0, done.stderr
    assert done.stdout == answer(tmp_path, mode)


def test_a_worker_at_its_limit_spills_and_is_not_killed(tmp_path: pathlib.Path, large: pathlib.Path) -> None:
    # A nanny kills a worker that takes more than it may.
    files = f"{large}/0[0-1].txt"
    with cluster(tmp_path / "c", 1, memory="250MB", nanny=True) as made, made.client() as client:
        before = client.run(os.getpid)
        done = run(tmp_path, "large", made.address, files)
        assert done.returncode == 0, done.stderr
        assert done.stdout == answer(tmp_path, "large", files)
        assert client.run(os.getpid) == before
        # What outgrows the memory is in a file, which may not be that small.
        full = run(tmp_path, "spill", made.address, files)
        assert full.returncode == 1, full.stdout
        assert "worker tcp://127.0.0.1:" in full.stderr and "the temporary file in" in full.stderr, full.stderr


def test_a_source_that_one_worker_alone_cannot_read_is_named_with_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    with cluster(tmp_path / "c", 1) as made:
        made.environment["ELSEWHERE"] = str(tmp_path / "elsewhere")
        made.start_worker()
        with made.client() as client:
            workers = client.scheduler_info(n_workers=-1)["workers"]
            (other,) = [address for address, of in workers.items() if of["name"] == "worker-1"]
        line = arguments("elsewhere", made.address, "fixtures/peps/*.rst")
        done = subprocess.run(line, capture_output=True, env=environment(tmp_path), cwd=ROOT, timeout=120, text=True)
        assert done.returncode == 1, done.stdout
        assert f"worker {other}: fixtures/peps/" in done.stderr and "not found" in done.stderr, done.stderr


def test_a_worker_that_cannot_write_is_named(tmp_path: pathlib.Path) -> None:
    with cluster(tmp_path / "c", 2) as made, made.client() as client:
        # As a full disk: no file can be made in its local directory.
        workers = client.scheduler_info(n_workers=-1)["workers"]
        (full,) = [address for address, of in workers.items() if of["name"] == "worker-1"]
        shutil.rmtree(made.folder / "local-1")
        done = run(tmp_path, "slow", made.address)
        assert done.returncode == 1, done.stdout
        assert f"worker {full}: a file of the task cannot be written or read" in done.stderr, done.stderr


def test_a_pass_that_fails_ends_those_beside_it(two: Cluster, tmp_path: pathlib.Path) -> None:
    # The pass that would go on has one task, which leaves a worker to the other.
    (tmp_path / "one.log").write_text("one line\n")
    line = arguments("beside", two.address, tmp_path / "one.log")
    done = subprocess.run(line, capture_output=True, env=environment(tmp_path), cwd=ROOT, timeout=120, text=True)
    assert done.returncode == 1 and "panicked: an empty line" in done.stderr, done.stderr
    until(lambda: not processes(str(two.folder)))
    assert not os.listdir(tmp_path / "tmp")


def test_a_scheduler_that_goes_away_ends_calls(tmp_path: pathlib.Path) -> None:
    markers = tmp_path / "markers"
    markers.mkdir()
    with cluster(tmp_path / "c", 1) as made:
        line = arguments("client-lost", made.address, markers / "m")
        started = subprocess.Popen(
            line, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        until(lambda: os.listdir(markers))
        assert made.scheduler
        made.scheduler.kill()
        out, told = started.communicate(timeout=90)
        assert started.returncode == 0, told
        call, later, info = out.splitlines()
        lost = f"the connection to the scheduler at {made.address} was lost"
        assert lost in call and lost in later and lost in info, out


def test_an_executable_that_was_removed_is_told_and_can_be_sent(two: Cluster, tmp_path: pathlib.Path) -> None:
    for mode in ("replaced", "replaced-shipped"):
        program = tmp_path / mode / "on_cluster"
        program.parent.mkdir()
        shutil.copy(example("on_cluster"), program)
        done = run(tmp_path, "", "", program=[str(program), mode, two.address, PEPS], AT_CLIENT="1")
        if mode == "replaced":
            assert done.returncode == 1, done.stdout
            assert f"{program}, which workers start, was replaced or removed since this program began" in done.stderr
        else:
            assert done.stdout == answer(tmp_path, "lines"), done.stderr


def test_a_scheduler_that_goes_away_is_an_error(tmp_path: pathlib.Path, large: pathlib.Path) -> None:
    with cluster(tmp_path / "c", 1) as made:
        line = arguments("slow", made.address, f"{large}/*.txt")
        started = subprocess.Popen(line, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until(lambda: processes(str(made.folder)))
        assert made.scheduler
        made.scheduler.kill()
        out, told = started.communicate(timeout=60)
        assert (started.returncode, out) == (1, b"")
        assert f"the connection to the scheduler at {made.address} was lost".encode() in told, told
        until(lambda: not processes(str(made.folder)))


def test_calls_are_cancelled_and_workers_restarted(tmp_path: pathlib.Path) -> None:
    with cluster(tmp_path / "c", 2, nanny=True) as made:
        for mode in ("cancel", "info"):
            (tmp_path / mode).mkdir()
            done = run(tmp_path, f"client-{mode}", made.address, tmp_path / mode / "marker")
            assert done.returncode == 0, done.stderr
            until(lambda: not processes(str(made.folder)))
            lines = done.stdout.splitlines()
            if mode == "cancel":
                assert lines == ["true Cancelled", "9"]
            else:
                assert lines[0].startswith(f"a client of {made.address}: 2 workers, 2 threads, 1.86 GiB of memory")
                assert "(worker-0): 1 thread, idle" in done.stdout and lines[-1] == "Cancelled 25"


def test_a_call_whose_worker_is_killed_is_made_again(tmp_path: pathlib.Path) -> None:
    markers = tmp_path / "markers"
    markers.mkdir()
    with cluster(tmp_path / "c", 2) as made:
        line = arguments("client-killed", made.address, markers / "m")
        started = subprocess.Popen(line, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until(lambda: os.listdir(markers))
        for index, worker in enumerate(made.workers):
            if processes(str(made.folder / f"local-{index}")):
                worker.kill()
                break
        out, told = started.communicate(timeout=120)
        assert (started.returncode, out) == (0, b"2000\n"), told
        assert len(os.listdir(markers)) == 2


def test_ctrl_c_in_a_terminal_reaches_the_whole_group(two: Cluster, tmp_path: pathlib.Path, large: pathlib.Path) -> None:
    started = subprocess.Popen(
        arguments("slow", two.address, f"{large}/*.txt"), env=environment(tmp_path), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    )
    until(lambda: processes(str(two.folder)))
    os.killpg(started.pid, signal.SIGINT)
    _, told = started.communicate(timeout=60)
    assert started.returncode == -signal.SIGINT and b"Traceback" not in told
    until(lambda: not processes(str(two.folder)))
    until(lambda: not os.listdir(tmp_path / "tmp"))
    assert run(tmp_path, "count", two.address, PEPS).stdout == answer(tmp_path, "count")


def test_what_the_program_prints_on_a_worker_is_no_part_of_its_answer(two: Cluster, tmp_path: pathlib.Path) -> None:
    line = arguments("loud", two.address, PEPS)
    done = subprocess.run(line, capture_output=True, env=environment(tmp_path), timeout=120)
    assert done.stdout == b"to standard output\n\xff\n9084\n", done.stderr


def test_a_worker_killed_in_mid_task_changes_nothing(tmp_path: pathlib.Path, large: pathlib.Path) -> None:
    with cluster(tmp_path / "c", 2) as made:
        line = arguments("slow", made.address, f"{large}/*.txt")
        started = subprocess.Popen(line, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        victim = str(made.folder / "local-0")
        until(lambda: processes(victim) or started.poll() is not None)
        made.workers[0].kill()
        # Its process of the program does not go on.
        until(lambda: not processes(victim))
        out, told = started.communicate(timeout=120)
        assert started.returncode == 0, told
        assert out.decode() == answer(tmp_path, "lines", f"{large}/*.txt")


def test_an_end_by_a_signal_cancels_the_remote_work(two: Cluster, tmp_path: pathlib.Path, large: pathlib.Path) -> None:
    for how in (signal.SIGINT, signal.SIGKILL):
        line = arguments("slow", two.address, f"{large}/*.txt")
        started = subprocess.Popen(line, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until(lambda: processes(str(two.folder)))
        started.send_signal(how)
        assert started.wait(60) == -how
        until(lambda: not processes(str(two.folder)))
        until(lambda: not os.listdir(tmp_path / "tmp"))


def test_a_client_without_a_scheduler_has_a_clear_error(tmp_path: pathlib.Path) -> None:
    done = run(tmp_path, "client-calls", "tcp://127.0.0.1:9", PEPS)
    assert done.returncode == 1 and "no Dask scheduler answers at tcp://127.0.0.1:9" in done.stderr


def test_without_a_worker_the_run_says_that_it_waits(tmp_path: pathlib.Path) -> None:
    with cluster(tmp_path / "c", 0) as made:
        line = arguments("count", made.address, PEPS)
        started = subprocess.Popen(
            line, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert started.stderr
        assert "no worker is connected" in started.stderr.readline()
        made.start_worker()
        out, told = started.communicate(timeout=60)
        assert (started.returncode, out) == (0, answer(tmp_path, "count")), told


def test_the_scheduler_is_named_as_for_the_command(two: Cluster, tmp_path: pathlib.Path) -> None:
    expected = answer(tmp_path, "count")
    assert run(tmp_path, "count", f"file:{two.scheduler_file}").stdout == expected
    assert run(tmp_path, "count", "env", DASK_SCHEDULER_ADDRESS=two.address).stdout == expected
    done = run(tmp_path, "count", "nonsense://127.0.0.1:9")
    assert done.returncode == 1 and "unknown address scheme 'nonsense'" in done.stderr
