"""A process of the creel binary on a worker: its files, its share of the memory, its errors and its progress."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

import dask.config
import distributed

from .child import child
from .envelope import opened, same_listing
from .error import SOURCE, USAGE, CreelError, failure
from .internals import kept, machine, memory_limit, threads, wanted

# The least that the command takes as --memory.
LEAST_MEMORY = 64 << 20
# Seconds between two looks at whether the task is still wanted.
POLL = 0.1
# Seconds between two events of progress of one task.
INTERVAL = 0.5
# One topic of events for all runs, so that the scheduler keeps a bounded number of them.
TOPIC = "creel"
# Lines of standard error that an error quotes.
LINES = 20
# The variable of a program in Rust that names the file with what it is asked for.
STEP = "CREEL_STEP"
# What stands before the name of a binary that a client has sent to the worker's local directory.
SHIPPED = "shipped:"


@dataclass(frozen=True)
class Settings:
    """How tasks run the binary. It goes to the workers with the code, and holds no credential."""

    # A name on PATH, a path, or SHIPPED and the name of a file in the worker's local directory.
    binary: str
    # What `creel --version` prints at the client: the workers' must print the same.
    version: str
    # --memory as the caller has given it; None is a share of the worker's limit.
    memory: str | None = None
    spill_max: str | None = None
    # The run that events of progress are of; None sends none.
    run: str | None = None
    # Whether one process runs at a time, as on the client, and not one for each thread.
    alone: bool = False
    # The arguments of a program in Rust, which the binary is then, in place of the command; and its folder.
    arguments: tuple[str, ...] | None = None
    directory: str | None = None


class Process:
    """One task's processes of the binary, and the folder in which they find and leave their files."""

    def __init__(self, settings: Settings, folder: pathlib.Path, worker: distributed.Worker | None) -> None:
        self.settings = settings
        self.folder = folder
        self.worker = worker
        self.key = worker.get_current_task() if worker else None
        # What it wrote that is no record, and its report of what was passed over.
        self.lines: list[str] = []
        self.report: dict[str, Any] = {}
        self.progress: dict[str, Any] = {}
        self.exit_code = 0
        self.binary = self.found()
        self.last_event = 0.0

    def found(self) -> str:
        """The path of the binary, once its version is known to be the client's."""
        name = self.settings.binary
        if name.startswith(SHIPPED) and self.worker:
            path: str | None = os.path.join(self.worker.local_directory, name[len(SHIPPED) :])
        else:
            path = shutil.which(name)
        if path is None or not os.access(path, os.X_OK):
            raise self.refused(f"there is no {name!r} {self.where()}")
        try:
            version = self.version_of(path)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise self.refused(f"{path} does not run: {error}") from error
        if version != self.settings.version:
            raise self.refused(
                f"{path} is {version!r}, and the client's binary is {self.settings.version!r}: {self.same()}"
            )
        return path

    @property
    def is_program(self) -> bool:
        """Whether the binary is a program in Rust."""
        return self.settings.arguments is not None

    def where(self) -> str:
        """Where no binary is, and what to do about it."""
        if self.is_program:
            return (
                "there: build the program there, name its path (`Scheduler::worker_binary`), or send the client's "
                "(`Scheduler::ship_binary`)"
            )
        return (
            "on its PATH: install creel there, name it (worker_creel), or send the client's with ship=True "
            "(--ship-binary)"
        )

    def same(self) -> str:
        """How the binaries of the client and of the worker become the same."""
        if self.is_program:
            return "use one build on both, or send the client's (`Scheduler::ship_binary`)"
        return "install one version on both, or send the client's with ship=True (--ship-binary)"

    def killed(self, by: str) -> str:
        """What is told of a process that has ended by a signal."""
        if self.is_program:
            return (
                f"the program was ended by {by}: where the system was short of memory, give a task less "
                "(`Run::memory`); an abort and a stack that is full end it too"
            )
        return f"creel was killed by {by}: where the system was short of memory, lower memory="

    def version_of(self, path: str) -> str:
        """What the binary says of its version; of a program in Rust its build."""
        if self.is_program:
            return known_build(self.worker, path)
        return subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60).stdout.strip()

    @contextlib.contextmanager
    def started(self, binary: str, asked: list[str]) -> Iterator[tuple[list[str], dict[str, Any]]]:
        """The command line that asks the binary for something, and the options of its process.

        A program in Rust has its own arguments, as at the client. What it is asked for is in a file, which it removes.
        """
        if self.settings.arguments is None:
            yield [binary, *asked], {}
            return
        # Relative paths of the program are of the client's folder, if that is here as well.
        there = self.settings.directory
        if there is not None and not os.path.isdir(there):
            asked, there = [*asked, "--folder-missing", there], None
        with step_of(binary, self.settings.arguments, asked, self.folder, there) as started:
            yield started

    def refused(self, message: str) -> CreelError:
        """An error of the binary itself."""
        return CreelError(message, kind="binary", worker=self.address(), exit_code=USAGE)

    def address(self) -> str | None:
        """The worker's address, or None on the client."""
        return self.worker.address if self.worker else None

    def write(self, name: str, body: bytes | memoryview) -> str:
        """Writes a file into the folder; returns its path."""
        path = self.folder / name
        path.write_bytes(body)
        return str(path)

    def write_states(self, states: Iterable[bytes]) -> tuple[str, list[dict[str, Any]], list[str]]:
        """Writes states into the folder, one after another.

        Returns the listing that they are of, what their runs could not read, and the paths of those that hold
        something.
        """
        listing: str | None = None
        notes: list[dict[str, Any]] = []
        paths: list[str] = []
        for state in states:
            named, told, body = opened(state)
            listing = same_listing(listing, named)
            notes += told
            if body:
                paths.append(self.write(f"{len(paths):06}.state", body))
        return listing or "", notes, paths

    def memory(self) -> list[str]:
        """--memory: as given, or what the worker's process leaves of its limit, shared by its threads.

        Without a limit it is half of what there is, shared by as many threads as may run tasks here.
        """
        if self.settings.memory is not None:
            # That of a run in Rust may be less than the command takes.
            return ["--run-memory" if self.is_program else "--memory", self.settings.memory]
        if self.settings.alone:
            return []
        limit = memory_limit(self.worker)
        if limit is not None:
            share = (limit - resident()) // threads(self.worker)
        else:
            # Without a worker the threads are those of Dask's pool; several workers may share the machine.
            there, cores = machine()
            share = there // 2 // max(cores, threads(self.worker), int(dask.config.get("num_workers", None) or 0))
        return ["--memory", str(max(LEAST_MEMORY, share))]

    def run(self, operation: str, *arguments: str, told: int = 0) -> list[dict[str, Any]]:
        """Runs an operation to its end; returns notes on the sources that it could not read.

        An exit code is an error, unless it is the one that is told of: then there is a result all the same.
        """
        asked = ["worker", operation, "-j", "1", *self.memory(), "--no-sync"]
        asked += ["--tmpdir", str(self.folder), "--errors", "json", "--progress", "json"]
        if self.settings.spill_max is not None:
            asked += ["--spill-max", self.settings.spill_max]
        errors: list[dict[str, Any]] = []
        with self.started(self.binary, [*asked, *arguments]) as (command, options), child(command, options) as running:
            for line in self.lines_of(running):
                self.hear(line, errors)
            self.exit_code = running.wait()
        self.tell({**self.progress, "done": operation}, at_once=True)
        if self.exit_code == 0 and not errors and self.settings.arguments is not None and not wrote(arguments):
            self.lines.append(
                "the program ended before it came to the computation: on a worker it has to build the same bags, and "
                "to compute them, before it ends"
            )
            self.exit_code = USAGE
        if self.exit_code not in (0, told) or errors:
            code = self.exit_code if self.exit_code > 0 else SOURCE
            if self.exit_code < 0:
                self.lines.append(self.killed(signal.Signals(-self.exit_code).name))
            raise failure(errors, self.lines, code, self.address())
        return [
            {**noted(entry), "kind": kind, "worker": self.address()}
            for kind in ("unread", "damaged")
            for entry in self.report.get(kind) or ()
        ]

    def lines_of(self, running: subprocess.Popen[bytes]) -> Iterator[bytes]:
        """Lines of standard error; looks between them whether the task is still wanted."""
        assert running.stderr is not None
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(running.stderr, selectors.EVENT_READ)
            while True:
                if selector.select(POLL):
                    read = os.read(running.stderr.fileno(), 1 << 16)
                    if not read:
                        break
                    *lines, rest = (rest + read).split(b"\n")
                    yield from lines
                if not self.wanted():
                    # The scheduler ignores this for a task that it has cancelled, and asks again for one
                    # that it wants after all.
                    raise distributed.Reschedule()
        if rest:
            yield rest

    def wanted(self) -> bool:
        """Whether the scheduler still wants the result of this task from this worker."""
        return self.worker is None or self.key is None or wanted(self.worker, self.key)

    def hear(self, line: bytes, errors: list[dict[str, Any]]) -> None:
        """Takes one line that the binary wrote: an error, a report, progress, or text."""
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        found = record if isinstance(record, dict) else {}
        # A program in Rust may write JSON of its own, which is text here.
        error, report, progress = (found.get(name) for name in ("error", "report", "progress"))
        if is_record(error, "kind", "message", "retry"):
            errors.append(error)
        elif is_record(report, "entries_unread"):
            self.report = report
        elif is_record(progress, "bytes", "total"):
            self.progress = progress
            self.tell(self.progress)
        elif "note" not in found:
            text = line.decode(errors="replace").strip()
            self.lines = [*self.lines[1 - LINES :], text] if text else self.lines

    def tell(self, progress: dict[str, Any], at_once: bool = False) -> None:
        """Sends an event of progress, if anybody listens."""
        now = time.monotonic()
        if self.worker is None or self.settings.run is None:
            return
        if at_once or now - self.last_event >= INTERVAL:
            self.last_event = now
            event = {**progress, "run": self.settings.run, "key": str(self.key)}
            self.worker.log_event(TOPIC, event)


@contextlib.contextmanager
def process(settings: Settings) -> Iterator[Process]:
    """A folder in the worker's local directory, and the binary to run there; the folder goes in the end."""
    try:
        worker: distributed.Worker | None = distributed.get_worker()
    except ValueError:
        worker = None
    within = worker.local_directory if worker else None
    try:
        with tempfile.TemporaryDirectory(prefix="creel-", dir=within) as folder:
            yield Process(settings, pathlib.Path(folder), worker)
    except OSError as error:
        where = worker.address if worker else None
        raise CreelError(f"a file of the task cannot be written or read: {error}", kind="disk", worker=where) from error


def known_build(worker: distributed.Worker | None, path: str) -> str:
    """The build of a program in Rust. A worker reads a file once, unless it is another one."""
    seen = os.stat(path)
    key = (path, seen.st_mtime_ns, seen.st_size, seen.st_ino)
    builds = kept(worker)
    if key not in builds:
        builds[key] = build_of(path)
    return builds[key]


def build_of(path: str) -> str:
    """What tells a build of a program in Rust from another: a digest of the executable."""
    digest = hashlib.blake2b(digest_size=8)
    with open(path, "rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return f"build {digest.hexdigest()}"


@contextlib.contextmanager
def step_of(
    binary: str, arguments: Iterable[str], asked: list[str], folder: pathlib.Path, directory: str | None
) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """The command line of a program in Rust that is asked for a step, and the options of its process."""
    descriptor, file = tempfile.mkstemp(prefix="step-", dir=folder)
    with open(descriptor, "w") as step:
        json.dump(asked, step)
    try:
        yield [binary, *arguments], {"env": {**os.environ, STEP: file}, "cwd": directory}
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file)


def wrote(arguments: Iterable[str]) -> bool:
    """Whether there is what the options of an operation name as its output."""
    given = list(arguments)
    outputs = [value for option, value in zip(given, given[1:]) if option in ("-o", "--into")]
    return all(os.path.isfile(output) or (os.path.isdir(output) and os.listdir(output)) for output in outputs)


def is_record(value: Any, *members: str) -> TypeGuard[dict[str, Any]]:
    """Whether a value is a record of the binary, which has these members."""
    return isinstance(value, dict) and all(member in value for member in members)


def noted(entry: Any) -> dict[str, Any]:
    """What a report says of an object: a text that begins with its name."""
    text = str(entry)
    return {"object": text.split(": ", 1)[0], "message": text}


def resident() -> int:
    """Resident bytes of this process; 0 where the system does not say."""
    try:
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
