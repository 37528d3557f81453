"""A program as a collection of Dask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import dask
import dask.threaded
import distributed
from dask.base import DaskMethodsMixin
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.typing import Key, NestedKeys

from . import job
from .graph import FINALIZE, FRAME, Job
from .options import Sources


class Program(DaskMethodsMixin):
    """A program of creel over sources, lazy, as a collection of Dask.

    ``dask.compute``, ``persist``, ``visualize``, ``Client.compute`` and ``delayed(f)(program)`` take it as they
    take a bag. It computes to the list of rows that the command prints, as values of Python. Dask makes that
    list on a worker; `run` makes it on the client.

    The keywords are those of `run`. The number of tasks is fixed here: from the cluster of the current client
    if there is one, else from the cores of this machine; ``tasks=`` sets it. Equal programs have equal keys: while
    one is persisted, another takes its result, also if the sources have changed since.

    >>> import creel_dask
    >>> program = creel_dask.Program("words | frequencies | topk(2)", "fixtures/peps/*.rst")
    >>> program.compute()
    [['the', 2415], ['to', 1193]]

    Raises CreelError for a program or an option that the command refuses, TypeError for a keyword that is no
    option, ValueError for standard input.
    """

    __dask_optimize__ = None
    __dask_scheduler__ = staticmethod(dask.threaded.get)

    def __init__(self, program: str, sources: Sources, **options: Any) -> None:
        self._job = job.of_program(current_client(), program, sources, options)
        self._tasks: Mapping[Key, Any] | None = None
        self._key: Key = self._job.answer_key

    @classmethod
    def _of(cls, made: Job, tasks: Mapping[Key, Any], key: Key) -> Program:
        program = cls.__new__(cls)
        program._job = made
        program._tasks = tasks
        program._key = key
        return program

    def __repr__(self) -> str:
        return f"creel_dask.Program<{self._job.token}, {self._job.tasks} tasks, {self._job.shards} shards>"

    @property
    def _layer(self) -> str:
        return f"creel-{self._job.token}"

    def __dask_graph__(self) -> HighLevelGraph:
        if isinstance(self._tasks, HighLevelGraph):
            return self._tasks
        tasks = self._job.graph() if self._tasks is None else self._tasks
        return HighLevelGraph({self._layer: dict(tasks)}, {self._layer: set()})

    def __dask_keys__(self) -> NestedKeys:
        return [self._key]

    def __dask_layers__(self) -> tuple[str, ...]:
        if isinstance(self._tasks, HighLevelGraph):
            return tuple(self._tasks.layers)
        return (self._layer,)

    def __dask_tokenize__(self) -> tuple[str, Any]:
        return ("creel_dask.Program", self._key)

    def __dask_postcompute__(self) -> tuple[Callable[..., list[Any]], tuple[Any, ...]]:
        return FINALIZE, ()

    def __dask_postpersist__(self) -> tuple[Callable[..., Program], tuple[Any, ...]]:
        return self._rebuild, ()

    def _rebuild(self, tasks: Mapping[Key, Any], *, rename: Mapping[str, str] | None = None) -> Program:
        return self._of(self._job, tasks, (rename or {}).get(str(self._key), self._key))

    def compute(self, **options: Any) -> list[Any]:
        """The rows, as `dask.compute` makes them. Raises CreelError for a run that fails."""
        rows: list[Any] = super().compute(**options)  # type: ignore[no-untyped-call]
        return rows

    def persist(self, **options: Any) -> Program:
        """The same program with its states on the cluster, as `dask.persist` makes it."""
        kept: Program = super().persist(**options)  # type: ignore[no-untyped-call]
        return kept

    def to_delayed(self) -> Delayed:
        """The rows as a `dask.delayed.Delayed`.

        >>> import creel_dask
        >>> rows = creel_dask.Program("count", "fixtures/access.log").to_delayed()
        >>> rows[0].compute()
        1500
        """
        name = f"creel-rows-{dask.base.tokenize(self)}"
        return delayed(name, [self], (FINALIZE, [self._key]))

    def to_dataframe(self, meta: Any = None) -> Any:
        """The rows, if they are objects, as a `dask.dataframe.DataFrame` of one partition.

        ``meta`` says the columns and their types. Without it the program runs now, to find them, and its rows
        stay on the cluster.
        """
        import dask.dataframe

        rows, name = self.to_delayed(), f"creel-frame-{self._job.token}"
        frame = delayed(name, [self, rows], (FRAME, self._key, rows.key))
        if meta is None:
            frame = frame.persist()
        return dask.dataframe.from_delayed([frame], meta=meta)


def delayed(name: str, dependencies: list[Any], made: tuple[Any, ...]) -> Delayed:
    """The value of one task, which depends on collections."""
    tasks: dict[Key, Any] = {name: made}
    return Delayed(name, HighLevelGraph.from_collections(name, tasks, dependencies=dependencies))


def current_client() -> distributed.Client | None:
    """The client that Dask would use, if there is one."""
    try:
        return distributed.get_client()
    except ValueError:
        return None
