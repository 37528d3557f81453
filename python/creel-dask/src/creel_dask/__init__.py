"""creel on a Dask cluster: word counts and log mining by the creel binary of each worker.

`run` runs a program on the cluster of a client and returns its rows. `Program` is the same as a lazy collection,
for ``dask.compute``, ``persist``, ``delayed`` and the rest of Dask. ``python -m creel_dask submit`` is what the
command ``creel --scheduler`` executes.
"""

from __future__ import annotations

from .program import Program
from .execution import run
from .worker.error import CreelError

__all__ = ["CreelError", "Program", "run"]
__version__ = "0.1.0"
