"""``python -m creel_dask client``: calls of the functions of a program in Rust, as that program asks for them.

The program writes requests to standard input and reads answers from standard output. Each is a line of JSON and then as
many bytes as it names under ``length``, if it names any:

    {"call": 7, "function": "square", "length": 8}   a call, and the bytes of its arguments
    {"cancel": 7}                                     gives up that call
    {"info": 8}                                       asks for the workers
    {"restart": 9}                                    restarts the workers, and forgets all calls
    {"connected": "tcp://127.0.0.1:8786"}             the first answer
    {"id": 7, "length": 8}                            an answer, and the bytes of the result
    {"id": 7, "error": {"kind": "panic", ...}}        an error, as the records of ``creel worker``
    {"id": 8, "info": {"workers": [...], ...}}

A call that is given up has no answer. The process ends with its standard input, and its calls with it.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import uuid
from typing import Any, BinaryIO

import cloudpickle
import distributed
from dask.typing import Key
from dask.utils import apply

from . import job
from .connection import address, lost
from .execution import fail
from .graph import operation
from .worker.error import CreelError
from .worker.operations import Operations

Call = distributed.Future[Any]


class Calls:
    """The calls that are under way, and where their answers go."""

    def __init__(self, client: distributed.Client, process: job.Process, out: BinaryIO) -> None:
        self.client = client
        self.code = cloudpickle.dumps(Operations(job.settings(client, process)))
        self.token = uuid.uuid4().hex
        self.out = out
        self.lock = threading.Lock()
        self.futures: dict[int, Call] = {}

    def serve(self, requests: BinaryIO) -> None:
        """Does what is asked for until the requests end."""
        self.answer({"connected": address(self.client)})
        while line := requests.readline():
            request = json.loads(line)
            body = requests.read(request.get("length", 0))
            if "call" in request:
                self.submit(request["call"], request["function"], body)
            elif "cancel" in request:
                self.cancel(request["cancel"])
            elif "info" in request:
                self.ask(request["info"], lambda: {"info": self.info()})
            elif "restart" in request:
                self.ask(request["restart"], self.restart)

    def submit(self, number: int, function: str, arguments: bytes) -> None:
        """Submits a call, and has it answered when it has ended."""
        try:
            future = self.client.get(*self.graph(number, function, arguments), sync=False)
        except Exception as error:
            self.answer({"id": number, "error": record(lost(self.client, str(error)))})
            return
        self.futures[number] = future
        future.add_done_callback(lambda future: self.ended(number, future))

    def graph(self, number: int, function: str, arguments: bytes) -> tuple[dict[Key, Any], Key]:
        """The graph of a call and its key. All functions in it are of Dask or the standard library."""
        code, call = f"creel-code-{self.token}", f"{function}-{self.token}-{number}"
        return {code: self.code, call: (apply, operation(code, "call"), [function, arguments])}, call

    def ended(self, number: int, future: Call) -> None:
        """Answers a call that has ended; not one that was given up."""
        if self.futures.pop(number, None) is None:
            return
        try:
            if future.status == "finished":
                self.answer({"id": number}, future.result())
                return
            if future.status == "error":
                fail(future.exception())
            raise lost(self.client, f"a call is {future.status}")
        except CreelError as error:
            self.answer({"id": number, "error": record(error)})
        except Exception as error:
            self.answer({"id": number, "error": record(lost(self.client, str(error)))})

    def cancel(self, number: int) -> None:
        """Gives up a call."""
        if future := self.futures.pop(number, None):
            future.cancel()

    def ask(self, number: int, question: Any) -> None:
        """Answers a question, beside the calls."""

        def asked() -> None:
            try:
                self.answer({"id": number, **question()})
            except Exception as error:
                self.answer({"id": number, "error": record(lost(self.client, str(error)))})

        threading.Thread(target=asked, daemon=True).start()

    def restart(self) -> dict[str, Any]:
        """Restarts the workers. Calls that are under way are answered as cancelled."""
        self.client.restart()
        return {}

    def info(self) -> dict[str, Any]:
        """The scheduler and its workers. Raises CreelError if the connection is lost: what is known then is old."""
        if self.client.status != "running":
            raise lost(self.client, f"the client is {self.client.status}")
        try:
            known = self.client.scheduler_info(n_workers=-1)
        except TypeError:
            known = self.client.scheduler_info()
        workers = [
            {
                "address": where, "name": str(of.get("name", "")), "threads": of.get("nthreads", 0),
                "memory_limit": of.get("memory_limit") or 0, "memory": (of.get("metrics") or {}).get("memory") or 0,
                "running": ((of.get("metrics") or {}).get("task_counts") or {}).get("executing", 0),
            }
            for where, of in known.get("workers", {}).items()
        ]
        return {"scheduler": address(self.client), "dashboard": self.client.dashboard_link, "workers": workers}

    def answer(self, header: dict[str, Any], body: bytes | None = None) -> None:
        """Writes an answer; none is written into another."""
        if body is not None:
            header = {**header, "length": len(body)}
        with self.lock:
            self.out.write(json.dumps(header).encode() + b"\n" + (body or b""))
            self.out.flush()


def record(error: CreelError) -> dict[str, Any]:
    """An error as data."""
    return {
        "kind": error.kind or "internal", "object": error.object, "partition": error.partition,
        "offset": error.offset, "message": str(error), "retry": error.retry, "worker": error.worker,
    }


def serve(options: argparse.Namespace, client: distributed.Client) -> None:
    """Serves the program that has started this process."""
    process = job.Process(
        memory=options.memory, ship=options.ship_binary, creel=options.creel, worker_creel=options.worker_creel,
        arguments=tuple(options.argument), directory=options.folder,
    )
    Calls(client, process, sys.stdout.buffer).serve(sys.stdin.buffer)
