"""``creel --scheduler``: the command on a cluster, as it is typed."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys

import pytest
from cluster import ROOT, Cluster, binary, creel
from programs import CASES, Case
from test_faults import processes, until

FIXTURES = ROOT / "fixtures"
PROGRAM = "words | frequencies | topk(3)"


def environment(tmp_path: pathlib.Path) -> dict[str, str]:
    """One where python3 is that of these tests, and temporary files are told apart."""
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    # A link to a Python of a virtual environment would not find the environment.
    python = tools / "python3"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    own = tmp_path / "tmp"
    own.mkdir(exist_ok=True)
    return {**os.environ, "PATH": f"{tools}:/usr/bin:/bin", "TMPDIR": str(own)}


def command(address: str, *arguments: object) -> list[str]:
    return [str(binary()), "--scheduler", address, *map(str, arguments)]


def run(tmp_path: pathlib.Path, address: str, *arguments: object, **more: str) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        command(address, *arguments), capture_output=True, env={**environment(tmp_path), **more}, timeout=120
    )
    assert not os.listdir(tmp_path / "tmp"), "nothing is left"
    return done


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_answer_is_that_of_one_machine_to_the_byte(two: Cluster, tmp_path: pathlib.Path, case: Case) -> None:
    sources = [f"{FIXTURES}/{source}" for source in case.sources]
    for form in ("jsonl", "table"):
        done = run(tmp_path, two.address, "-t", form, case.program, *sources)
        assert done.returncode == 0, done.stderr
        assert done.stdout == creel("-t", form, case.program, *sources).stdout


def test_the_output_and_the_ways_to_name_a_scheduler_are_those_of_the_command(
    two: Cluster, tmp_path: pathlib.Path
) -> None:
    out = tmp_path / "out"
    source = f"{FIXTURES}/access.log"
    done = run(tmp_path, "env", "-o", out, "count", source, DASK_SCHEDULER_ADDRESS=two.address)
    assert (done.returncode, done.stdout, out.read_bytes()) == (0, b"", b"1500\n"), done.stderr
    done = run(tmp_path, f"file:{two.scheduler_file}", "--ship-binary", "--memory", "128M", "count", source)
    assert (done.returncode, done.stdout) == (0, b"1500\n"), done.stderr


def test_relative_paths_are_those_of_the_command(two: Cluster, tmp_path: pathlib.Path) -> None:
    done = subprocess.run(
        command(two.address, "count", "access.log"), capture_output=True, env=environment(tmp_path), cwd=FIXTURES
    )
    assert (done.returncode, done.stdout) == (0, b"1500\n"), done.stderr


def test_faults_end_with_the_exit_codes_of_the_command(two: Cluster, tmp_path: pathlib.Path) -> None:
    done = run(tmp_path, two.address, "count", f"{FIXTURES}/nowhere.log")
    assert done.returncode == 3 and b"nowhere.log" in done.stderr
    done = run(tmp_path, "tcp://127.0.0.1:9", "count", f"{FIXTURES}/access.log")
    assert done.returncode == 3 and b"no Dask scheduler answers at tcp://127.0.0.1:9" in done.stderr
    done = run(tmp_path, two.address, "count", "-")
    assert done.returncode == 2 and b"- is read by this one alone" in done.stderr
    done = run(tmp_path, two.address, "--merge", "a.state")
    assert done.returncode == 2


def test_without_the_package_the_line_that_installs_it_is_told(tmp_path: pathlib.Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    # One without any package.
    (bare / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -I "$@"\n')
    (bare / "python3").chmod(0o755)
    line = command("tcp://127.0.0.1:9", "count", f"{FIXTURES}/access.log")
    done = subprocess.run(line, capture_output=True, env={**os.environ, "PATH": f"{bare}:/usr/bin:/bin"})
    assert done.returncode == 2
    assert b"python3 -m pip install ./python/creel-dask" in done.stderr
    (bare / "python3").unlink()
    done = subprocess.run(line, capture_output=True, env={**os.environ, "PATH": str(bare)})
    assert done.returncode != 0 and b"there is no python3 on the path" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_end_by_a_signal_cancels_the_remote_work_and_leaves_nothing(
    two: Cluster, tmp_path: pathlib.Path, large: pathlib.Path, how: signal.Signals
) -> None:
    started = subprocess.Popen(
        command(two.address, "words | frequencies | topk(3)", f"{large}/*.txt"),
        env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )
    until(lambda: processes("run"))
    started.send_signal(how)
    out, told = started.communicate(timeout=60)
    assert started.returncode == (130 if how == signal.SIGINT else -how), told
    assert out == b""
    until(lambda: not processes("run"))
    until(lambda: not os.listdir(tmp_path / "tmp"))
    assert run(tmp_path, two.address, "count", f"{FIXTURES}/access.log").stdout == b"1500\n"
