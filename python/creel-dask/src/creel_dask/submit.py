"""``python -m creel_dask submit``: a plan in, the states of its shards out, as ``creel --scheduler`` needs it.

The command writes the plan and finishes the states, so that its own options of output hold. Standard output has the
paths of the states, one a line; standard error has progress and errors; exit codes are the command's.

With ``--attached`` the plan stands on standard input, behind its length in a line, and the states are in a folder of
this process. An empty line follows their paths. When standard input ends, the process removes the folder and ends; if
the states are not there yet, it cancels the tasks first. So nothing is left of it when the command is killed.

With ``--errors json`` and ``--progress json`` standard error has records, as those of the command. An error's record
also names the worker; one of progress also counts the tasks.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from typing import Any, NoReturn

import dask.config
import distributed

from . import calls, job
from .connection import check_scheme
from .execution import states
from .progress import Progress
from .worker.envelope import opened
from .worker.error import INTERRUPTED, SOURCE, USAGE, CreelError

# Seconds for the connection to the scheduler.
CONNECT = 10


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    options = parser().parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    # What matters of a lost connection is an error of this command; versions of other packages do not matter.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    warned = logging.getLogger("creel_dask")
    warned.propagate = False
    warned.addHandler(Notes(options))
    try:
        if options.verb == "client":
            with connected(options.scheduler) as client:
                calls.serve(options, client)
        elif options.attached:
            submit_attached(options)
        elif options.plan is None or options.into is None:
            parser().error("--plan and --into are needed, or --attached")
        else:
            submit(options, read_plan(options.plan), options.into)
        return 0
    except KeyboardInterrupt:
        message = "interrupted: the tasks on the cluster are cancelled"
        tell_error(options, CreelError(message, kind="cancelled", retry=True))
        # The end of the interpreter takes handlers away, and not this.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        return INTERRUPTED
    except CreelError as error:
        tell_error(options, error)
        return error.exit_code


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python3 -m creel_dask", description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(required=True, metavar="VERB", dest="verb")
    common = argparse.ArgumentParser(add_help=False)
    add_common(common.add_argument)
    verbs.add_parser(
        "client", parents=[common], help="call functions of a program in Rust, as it asks on standard input"
    )
    verb = verbs.add_parser("submit", parents=[common], help="run a plan on a cluster, and write the states")
    add = verb.add_argument
    add("--plan", type=pathlib.Path, help="the plan, as creel --plan-to writes it")
    add("--into", type=pathlib.Path, metavar="STATE",
        help="the file of the state; of several shards STATE.0000, STATE.0001, ...")
    add("--attached", action="store_true",
        help="read the plan from standard input, and keep the states until that ends")
    add("--states", type=pathlib.Path, metavar="FOLDER", help="the folder of these states, which is removed in the end")
    add("--tmpdir", type=pathlib.Path, metavar="FOLDER", help="of these states ($TMPDIR, or /tmp)")
    add("--program", action="store_true", help="the binary is a program in Rust, started with its own arguments")
    add("--spill-max", metavar="SIZE", help="of each task (no limit)")
    add("--tasks-per-core", type=positive, default=6, metavar="N", help="run tasks a core of the cluster (6)")
    add("--shards", type=positive, metavar="N", help="parts of keyed states that are merged apart")
    add("--progress", choices=["auto", "always", "never", "json"], default="auto",
        help="auto: on a terminal; json: a record a line")
    add("--quiet", action="store_true", help="only errors, and no notes on what was not read")
    return parser


def add_common(add: Any) -> None:
    """Adds the options of both verbs."""
    add("--scheduler", required=True, metavar="ADDRESS",
        help="tcp://host:8786, tls://host:8786, file:PATH of a scheduler file, or env (DASK_SCHEDULER_ADDRESS)")
    add("--creel", metavar="PATH", help="the binary here (creel on PATH)")
    add("--worker-creel", default="creel", metavar="PATH", help="the binary of the workers (creel on their PATH)")
    add("--ship-binary", action="store_true", help="send the binary here to each worker, once")
    add("--argument", action="append", default=[], metavar="TEXT", help="an argument of a program in Rust")
    add("--folder", metavar="PATH", help="the folder in which that program was started")
    add("--memory", metavar="SIZE", help="of each task (the worker's limit over its threads)")
    add("--errors", choices=["text", "json"], default="text", help="how errors are told; json: a record a line")


def positive(text: str) -> int:
    """A number of at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def read_plan(path: pathlib.Path) -> bytes:
    """The bytes of the plan in a file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CreelError(f"the plan cannot be read: {error}", kind="plan", exit_code=USAGE) from error


def submit_attached(options: argparse.Namespace) -> None:
    """Runs the plan that stands on standard input; keeps the states until that ends."""
    plan = given_plan()
    is_done, has_ended = threading.Event(), threading.Event()

    def watch() -> None:
        while os.read(0, 1 << 10):
            pass
        has_ended.set()
        if not is_done.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    try:
        folder = options.states or pathlib.Path(tempfile.mkdtemp(prefix="creel-", dir=options.tmpdir))
    except OSError as error:
        raise CreelError(f"no folder for the states: {error}", kind="output", exit_code=USAGE) from error
    with contextlib.ExitStack() as at_the_end:
        at_the_end.callback(shutil.rmtree, folder, ignore_errors=True)
        submit(options, plan, folder / "state")
        is_done.set()
        # The command reads the states now, and handles what comes.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print(flush=True)
        has_ended.wait()


def given_plan() -> bytes:
    """The plan that stands on standard input, behind its length in a line.

    It is read without Python's buffer: the thread that watches for the end of the input would hold the buffer's lock
    when the process ends, and Python aborts then.
    """
    found = bytearray()
    wanted: int | None = None
    while wanted is None or len(found) < wanted:
        read = os.read(0, 1 << 16)
        if not read:
            raise CreelError("standard input ends within the plan", kind="plan", exit_code=USAGE)
        found += read
        if wanted is None and b"\n" in found:
            length, _, found = found.partition(b"\n")
            if not length.isdigit():
                raise CreelError("standard input has no length of a plan", kind="plan", exit_code=USAGE)
            wanted = int(length)
    return bytes(found[:wanted])


def submit(options: argparse.Namespace, plan: bytes, into: pathlib.Path) -> None:
    """Runs a plan on the cluster and writes the states of its shards."""
    process = job.Process(
        tasks_per_core=options.tasks_per_core, shards=options.shards, memory=options.memory,
        spill_max=options.spill_max, ship=options.ship_binary, creel=options.creel,
        worker_creel=options.worker_creel,
        arguments=tuple(options.argument) if options.program else None, directory=options.folder,
    )
    are_records = options.progress == "json"
    shown = are_records or options.progress == "always" or (options.progress == "auto" and sys.stderr.isatty())
    with connected(options.scheduler) as client:
        made = job.of_plan(client, plan, process)
        with states(client, made, Progress(client, shown=shown, records=are_records)) as envelopes:
            for index, envelope in enumerate(envelopes):
                name = into.name if made.shards == 1 else f"{into.name}.{index:04}"
                notes = write(into.with_name(name), envelope)
                for note in notes:
                    if note.get("worker"):
                        tell_note(options, f"worker {note['worker']}: {note.get('message')}")
                print(into.with_name(name), flush=True)


def write(path: pathlib.Path, envelope: bytes) -> list[dict[str, Any]]:
    """Writes the state, which appears when it is whole; returns what workers could not read."""
    _, notes, body = opened(envelope)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(body)
        partial.rename(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise CreelError(f"the state cannot be written: {error}", kind="output", exit_code=USAGE) from error
    return notes


def connected(scheduler: str) -> distributed.Client:
    """A client of the scheduler at an address. Raises CreelError if none answers."""
    address = address_of(scheduler)
    try:
        return distributed.Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise CreelError(
            f"no Dask scheduler answers at {address} ({error}); `dask scheduler` starts one, and prints its address",
            kind="scheduler", exit_code=SOURCE, retry=True,
        ) from error


def address_of(scheduler: str) -> str:
    """The address that a scheduler is named by: itself, or what the environment or a scheduler file has."""
    address, given = scheduler, repr(scheduler)
    try:
        if scheduler == "env":
            address, given = os.environ.get("DASK_SCHEDULER_ADDRESS", ""), "DASK_SCHEDULER_ADDRESS"
        elif scheduler.startswith("file:"):
            given = f"the scheduler file {scheduler.removeprefix('file:')}"
            address = json.loads(pathlib.Path(scheduler.removeprefix("file:")).read_bytes())["address"]
        # A client of an address that has no meaning takes long to say so.
        check_scheme(address)
        if address.startswith("tls://") and not dask.config.get("distributed.comm.tls.ca-file", None):
            raise CreelError(
                f"{address} needs distributed.comm.tls.ca-file, client.cert and client.key in Dask's configuration",
                kind="scheduler", exit_code=USAGE,
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"{given} is not set" if not address else f"{given} names no scheduler: {error}"
        raise CreelError(reason, kind="scheduler", exit_code=USAGE) from error
    return address


def interrupt(number: int, frame: Any) -> NoReturn:
    """Ends as Ctrl-C does. A second signal changes nothing: it would interrupt the cleaning."""
    for each in (signal.SIGINT, signal.SIGTERM):
        # Python complains of a signal that it has taken already, if it is ignored (SIG_IGN) from now on.
        signal.signal(each, lambda number, frame: None)
    raise KeyboardInterrupt


class Notes(logging.Handler):
    """Tells as notes what the package warns of."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(logging.WARNING)
        self.options = options

    def emit(self, record: logging.LogRecord) -> None:
        tell_note(self.options, record.getMessage())


def tell_error(options: argparse.Namespace, error: CreelError) -> None:
    """Tells why the command fails: a line of text, or a record."""
    say(options, str(error), {"error": calls.record(error)})


def tell_note(options: argparse.Namespace, message: str) -> None:
    """Tells what is worth knowing, and no failure."""
    if not getattr(options, "quiet", False):
        say(options, message, {"note": {"message": message}})


def say(options: argparse.Namespace, message: str, record: dict[str, Any]) -> None:
    """Writes a line to standard error, as the command does."""
    line = json.dumps(record) if options.errors == "json" else f"creel: {message}"
    print(line, file=sys.stderr, flush=True)
