"""The form of states and of shares of a listing in Dask's store: bytes, with a line of JSON before them.

Dask moves and spills bytes as they are, without a copy through pickle.
"""

from __future__ import annotations

import json
from typing import Any

from .error import CreelError

# Notes that an envelope carries.
NOTES = 100


def enveloped(listing: str, notes: list[dict[str, Any]], body: bytes | memoryview) -> bytes:
    """Bytes behind a header: the digest of the listing that they are of, and notes on what was not read."""
    header = json.dumps({"listing": listing, "notes": notes[:NOTES]}).encode()
    return b"".join((header, b"\n", body))


def opened(envelope: bytes) -> tuple[str, list[dict[str, Any]], memoryview]:
    """The digest, the notes and the body of an envelope; the body is not copied."""
    end = envelope.index(b"\n")
    header = json.loads(envelope[:end])
    return header["listing"], header["notes"], memoryview(envelope)[end + 1 :]


def same_listing(known: str | None, listing: str) -> str:
    """The one listing that states are of.

    A listing is computed again if its worker is lost. If the sources have changed since, shares of both
    listings could miss bytes that no checksum tells of.
    """
    if known not in (None, listing):
        raise CreelError(
            "the sources changed while a worker was lost, so parts of the answer are of two listings; run it again",
            kind="changed",
            retry=True,
        )
    return listing


def joined(notes: list[dict[str, Any]], told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Notes, and what else a process told.

    A process that merges states tells again what they could not read. The notes of the run name its worker.
    """
    messages = {note.get("message") for note in notes}
    return [*notes, *(record for record in told if record.get("message") not in messages)]
