"""The command ``creel --scheduler``, as it is typed."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

from cluster import binary


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
