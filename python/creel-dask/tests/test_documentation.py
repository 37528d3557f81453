"""What the documentation shows is what happens."""

from __future__ import annotations

import doctest
import importlib
import os
import pathlib
import pkgutil
import re
import shlex
import socket
import subprocess
import sys

import creel_dask
import pytest
from cluster import DASK, PATIENCE, ROOT

# That of the package, and that of the project, with the number of programs of each.
READMES = {pathlib.Path(__file__).parents[1] / "README.md": 2, ROOT / "README.md": 1}
MODULES = [name for _, name, _ in pkgutil.walk_packages(creel_dask.__path__, "creel_dask.") if "__main__" not in name]


@pytest.mark.parametrize("name", ["creel_dask", *MODULES])
def test_examples_of_docstrings_hold(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def blocks(readme: pathlib.Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", readme.read_text(), re.DOTALL)


@pytest.mark.parametrize("readme", READMES, ids=["package", "project"])
def test_the_readme_starts_a_cluster_and_runs_programs_there(readme: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (start,) = [block for block in blocks(readme, "sh") if "dask scheduler" in block]
    programs = blocks(readme, "python")
    assert len(programs) == READMES[readme]
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = str(held.getsockname()[1])
    environment = {**os.environ, "TMPDIR": str(tmp_path), "DASK_DISTRIBUTED__WORKER__DASHBOARD__ADDRESS": "127.0.0.1:0"}
    started: list[subprocess.Popen[bytes]] = []
    try:
        for line in start.replace("8786", port).splitlines():
            if not line.startswith("dask "):
                continue
            (_, *arguments) = shlex.split(line.removesuffix("&"))
            if arguments[0] == "scheduler":
                # Another scheduler of this machine may have the port of the dashboard.
                arguments += ["--dashboard-address", "127.0.0.1:0"]
            with open(tmp_path / "log", "ab") as log:
                started.append(subprocess.Popen(
                    [DASK, *arguments], env=environment, cwd=tmp_path, stdout=log, stderr=log
                ))
        for program in programs:
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", program.replace("8786", port)], cwd=ROOT, env=environment,
                capture_output=True, text=True, timeout=PATIENCE,
            )
            assert done.returncode == 0, done.stderr + (tmp_path / "log").read_text()
        for session in blocks(readme, "console cluster"):
            command, answer = session.removeprefix("$ ").split("\n", 1)
            done = subprocess.run(
                ["sh", "-c", command.replace("8786", port)], cwd=ROOT, capture_output=True, text=True,
                env={**environment, "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"},
                timeout=PATIENCE,
            )
            assert (done.returncode, done.stdout) == (0, answer), done.stderr
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(30)
