"""The creel binary of this machine: its version, and the plans that it writes."""

from __future__ import annotations

import os
import shutil
import subprocess

from .worker.error import USAGE, CreelError
from .worker.process import build_of

INSTALL = "install it (cargo install --path . in creel's repository), or name it by creel="
PROGRAM = "it is the executable of the program, which this process has to read: build it again, and let its user read it"


def found(path: str | os.PathLike[str] | None, is_program: bool = False) -> str:
    """The path of the binary: as given, or as PATH has it. Raises CreelError if there is none.

    A program in Rust is one that its user has built.
    """
    name = os.fspath(path) if path is not None else "creel"
    binary = shutil.which(name)
    if binary is None:
        mend = PROGRAM if is_program else INSTALL
        raise CreelError(f"there is no {name!r} here that can be run: {mend}", kind="binary", exit_code=USAGE)
    return os.path.abspath(binary)


def version(binary: str, is_program: bool = False) -> str:
    """What ``creel --version`` prints; of a program in Rust, which prints none, its build.

    Raises CreelError if the binary does not run.
    """
    if not is_program:
        return command(binary, "--version").decode().strip()
    try:
        return build_of(binary)
    except OSError as error:
        raise CreelError(f"{binary} cannot be read: {error}", kind="binary", exit_code=USAGE) from error


def plan(binary: str, options: list[str], program: str, sources: list[str]) -> bytes:
    """The plan of a program, in bytes; nothing is read. Raises CreelError for what the binary refuses."""
    return command(binary, "--plan-to", "-", *options, "--", program, *sources)


def command(binary: str, *arguments: str) -> bytes:
    """The output of the binary."""
    try:
        done = subprocess.run([binary, *arguments], capture_output=True, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise CreelError(f"{binary} does not run: {error}", kind="binary", exit_code=USAGE) from error
    if done.returncode:
        message = done.stderr.decode(errors="replace").strip().removeprefix("creel: ")
        raise CreelError(message, kind="program", exit_code=done.returncode)
    return done.stdout
