"""A program in Rust on a cluster: tests/cluster/program.rs, as cargo has built it."""

from __future__ import annotations

import os
import pathlib
import subprocess
from collections.abc import Iterable

from cluster import ROOT, TARGET
from command import environment

PEPS = f"{ROOT}/fixtures/peps/*.rst"


def example(name: str) -> pathlib.Path:
    """An example below EXAMPLES, or its newest build. `make cluster` builds it."""
    given = os.environ.get("EXAMPLES")
    folders = [pathlib.Path(given)] if given else [TARGET / profile / "examples" for profile in ("release", "debug")]
    built = [folder / name for folder in folders]
    found = [path for path in built if path.exists()]
    if not found:
        raise RuntimeError(f"there is no {name}: cargo build --example {name}")
    return max(found, key=lambda path: path.stat().st_mtime)


def arguments(mode: str, scheduler: str, source: object) -> list[str]:
    return [str(example("on_cluster")), mode, scheduler, str(source)]


def run(
    tmp_path: pathlib.Path, mode: str, scheduler: str, source: object = PEPS, *, program: Iterable[str] = (), **more: str
) -> subprocess.CompletedProcess[str]:
    """Runs the program, which leaves nothing."""
    line = [*program] or arguments(mode, scheduler, source)
    done = subprocess.run(line, capture_output=True, text=True, env={**environment(tmp_path), **more}, timeout=120)
    assert not os.listdir(tmp_path / "tmp"), "nothing is left"
    return done


def answer(tmp_path: pathlib.Path, mode: str, source: object = PEPS) -> str:
    """What it prints on this machine."""
    done = run(tmp_path, mode, "here", source)
    assert done.returncode == 0 and done.stdout, done.stderr
    return done.stdout


def processes(word: str) -> list[int]:
    """Ids of the processes of the program that do a step, with a word in their environment or their folder."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name = (entry / "cmdline").read_bytes().split(b"\0")[0]
                variables = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            step = [variable for variable in variables if variable.startswith("CREEL_STEP=")]
            if os.path.basename(name) == b"on_cluster" and step and word in step[0]:
                found.append(int(entry.name))
    return found
