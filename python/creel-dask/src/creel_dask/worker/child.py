"""A child process that does not outlive its task, nor the worker."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def child(command: list[str], options: dict[str, Any] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, which does not outlive this block, nor this process.

    A worker may be killed by a signal that nothing can catch. A second process, which waits for the end of a
    pipe that this one holds, kills the group then.
    """
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        start_new_session=True, **(options or {}),
    ) as running:
        guard: subprocess.Popen[bytes] | None = None
        try:
            # If the guard cannot be started, the process ends as well.
            script = 'read -r line; kill -s KILL -- "-$0"'
            guard = subprocess.Popen(
                ["/bin/sh", "-c", script, str(running.pid)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True,
            )
            yield running
        finally:
            if running.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(running.pid, signal.SIGKILL)
                running.wait()
            if guard is not None:
                guard.kill()
                guard.communicate()
