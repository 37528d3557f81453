"""``creel --scheduler``: the command on a cluster, as it is typed."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys

import pytest
from cluster import ROOT, Cluster, cluster, creel
from command import command, environment, run
from programs import CASES, Case
from test_faults import processes, until

FIXTURES = ROOT / "fixtures"
PROGRAM = "words | frequencies | topk(3)"


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
    done = run(tmp_path, "nonsense://127.0.0.1:9", "count", f"{FIXTURES}/access.log")
    assert done.returncode == 2 and b"unknown address scheme 'nonsense'" in done.stderr
    aborts_not(done.stderr)


def aborts_not(told: bytes) -> None:
    """The process of Python ends by itself, with a code of its own."""
    assert b"Fatal" not in told and b"signal" not in told and b"Traceback" not in told, told


def test_a_bad_record_ends_with_the_exit_code_of_the_command(two: Cluster, tmp_path: pathlib.Path) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text("{}\nnonsense\n")
    done = run(tmp_path, two.address, "sum(.a)", source)
    assert done.returncode == creel("sum(.a)", source, check=False).returncode == 4
    assert os.fsencode(source) in done.stderr and b"worker tcp://127.0.0.1:" in done.stderr
    aborts_not(done.stderr)


def test_another_version_of_a_worker_ends_with_the_exit_code_of_usage(tmp_path: pathlib.Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "creel").write_text("#!/bin/sh\necho creel 0.0.9\n")
    (old / "creel").chmod(0o755)
    with cluster(tmp_path / "c", 0) as made:
        made.start_worker(path=f"{old}:/usr/bin:/bin")
        done = run(tmp_path, made.address, "count", f"{FIXTURES}/access.log")
    assert done.returncode == 2 and b"creel 0.0.9" in done.stderr
    aborts_not(done.stderr)


def test_tls_takes_its_certificates_from_dasks_configuration(tmp_path: pathlib.Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )
    # One certificate that all trust and all show.
    tls = {"CA_FILE": certificate} | {
        f"{role}__{name}": path
        for role in ("SCHEDULER", "WORKER", "CLIENT") for name, path in (("CERT", certificate), ("KEY", key))
    }
    configured = {f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(path) for name, path in tls.items()}
    with cluster(tmp_path / "c", 1, protocol="tls", environment=configured) as made:
        assert made.address.startswith("tls://127.0.0.1:")
        done = run(tmp_path, made.address, "count", f"{FIXTURES}/access.log", **configured)
        assert (done.returncode, done.stdout) == (0, b"1500\n"), done.stderr
        without = run(tmp_path, made.address, "count", f"{FIXTURES}/access.log")
        assert without.returncode == 2 and b"needs distributed.comm.tls.ca-file" in without.stderr
        aborts_not(without.stderr)


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


@pytest.mark.parametrize("turn", range(3))
def test_ctrl_c_in_a_terminal_reaches_the_whole_group_and_ends_as_the_command_does(
    two: Cluster, tmp_path: pathlib.Path, large: pathlib.Path, turn: int
) -> None:
    started = subprocess.Popen(
        command(two.address, "words | frequencies | topk(3)", f"{large}/*.txt"),
        env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )
    until(lambda: processes(str(two.folder)))
    os.killpg(started.pid, signal.SIGINT)
    out, told = started.communicate(timeout=60)
    assert (started.returncode, out) == (130, b""), told
    aborts_not(told)
    until(lambda: not processes(str(two.folder)))
    until(lambda: not os.listdir(tmp_path / "tmp"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_end_by_a_signal_cancels_the_remote_work_and_leaves_nothing(
    two: Cluster, tmp_path: pathlib.Path, large: pathlib.Path, how: signal.Signals
) -> None:
    started = subprocess.Popen(
        command(two.address, "words | frequencies | topk(3)", f"{large}/*.txt"),
        env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )
    until(lambda: processes(str(two.folder)))
    started.send_signal(how)
    out, told = started.communicate(timeout=60)
    assert started.returncode == (130 if how == signal.SIGINT else -how), told
    assert out == b""
    until(lambda: not processes(str(two.folder)))
    until(lambda: not os.listdir(tmp_path / "tmp"))
    assert run(tmp_path, two.address, "count", f"{FIXTURES}/access.log").stdout == b"1500\n"
