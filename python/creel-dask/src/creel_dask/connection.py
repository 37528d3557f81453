"""The connection of a client to its scheduler, and what is told when it is lost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import distributed

from .worker.error import CreelError


@contextlib.contextmanager
def lost_scheduler(client: distributed.Client) -> Iterator[None]:
    """Makes of a lost connection an error that says so. Only calls of the client belong in the block."""
    try:
        yield
    except (distributed.CancelledError, OSError) as error:
        raise lost(client, str(error)) from error


def lost(client: distributed.Client, reason: str) -> CreelError:
    """The error of a lost connection."""
    return CreelError(
        f"the connection to the scheduler at {address(client)} was lost, or the run was cancelled there: {reason}",
        kind="scheduler",
        retry=True,
    )


def address(client: distributed.Client) -> str:
    """The scheduler's address."""
    return str(client.scheduler.address) if client.scheduler else "an unknown address"


def check_scheme(address: str) -> None:
    """Refuses an address that has no meaning; a client of one takes long to say so. Raises ValueError.

    Dask does not document the function that tells. Without it the client says so.
    """
    try:
        from distributed.comm.addressing import get_address_host
    except ImportError:
        return
    get_address_host(address)
