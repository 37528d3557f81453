"""The graph of a plan: one list task, run tasks, merges in a tree for each shard.

::

    plan ──► list ──► run i ──► pick s, i ──► merge s, level, i ──► state s

It is a dict of tuples, as any version of Dask takes it. The plan is one key and the code of the tasks, as bytes,
is another; the tasks depend on both. All functions in the graph are of Dask or the standard library: a scheduler
unpickles them, and has no creel_dask. A run takes its share of the listing by a number, so the graph does not grow
with the number of partitions.

All runs depend on the same few tasks. So the scheduler gives them to workers as these become free; tasks between the
list and the runs, a share each, would draw the runs to the workers that they are on: two of 512 MiB both to one.
"""

from __future__ import annotations

import hashlib
import pickle
import uuid
from dataclasses import dataclass, replace
from operator import getitem
from typing import Any

import cloudpickle
from dask.typing import Key
from dask.utils import apply

from . import worker
from .worker.operations import Operations
from .worker.process import Settings

cloudpickle.register_pickle_by_value(worker)

# States that one task merges: more need fewer tasks, and fewer need less memory of a worker.
FAN_IN = 8


@dataclass(frozen=True)
class Job:
    """A plan and how it is run."""

    plan: bytes
    settings: Settings
    # How many run tasks there are, of which few bytes may leave some without work, but not the least.
    tasks: int
    least: int
    # Into how many shards each cuts its state.
    shards: int
    # What stands in all keys: equal for equal jobs, unless a run has one of its own.
    token: str

    @classmethod
    def of(cls, plan: bytes, settings: Settings, tasks: int, least: int, shards: int) -> Job:
        """A job whose token is a digest of all that it is made of."""
        parts = repr((plan, settings, tasks, least, shards)).encode()
        return cls(plan, settings, tasks, least, shards, hashlib.sha256(parts).hexdigest()[:32])

    def fresh(self, told: bool) -> Job:
        """The same job under a token of its own, which shares no result with another; it may tell its progress."""
        token = uuid.uuid4().hex
        return replace(self, token=token, settings=replace(self.settings, run=token if told else None))

    @property
    def code_key(self) -> Key:
        """The key of the operations, pickled."""
        return f"creel-code-{self.token}"

    @property
    def plan_key(self) -> Key:
        """The key of the plan."""
        return f"creel-plan-{self.token}"

    @property
    def state_keys(self) -> list[Key]:
        """The keys of the merged states, one for each shard."""
        return [(f"creel-state-{self.token}", shard) for shard in range(self.shards)]

    @property
    def answer_key(self) -> Key:
        """The key of the code, the plan and the states in one list: all that the rows are made of."""
        return f"creel-answer-{self.token}"

    def graph(self) -> dict[Key, Any]:
        """The tasks, by their keys."""
        # Pickle writes an object once: names and calls that many tasks share are made once.
        code, plan, token = self.code_key, self.plan_key, self.token
        listing, run_name = f"creel-list-{token}", f"creel-run-{token}"
        run = operation(code, "run")
        tasks: dict[Key, Any] = {
            code: cloudpickle.dumps(Operations(self.settings)),
            plan: self.plan,
            listing: (apply, operation(code, "list_shares"), [plan, self.tasks, self.least]),
        }
        runs: list[Key] = []
        for index in range(self.tasks):
            runs.append((run_name, index))
            tasks[runs[-1]] = (apply, run, [plan, listing, index, self.shards])
        merge = operation(code, "merge")
        for shard, state in enumerate(self.state_keys):
            states = runs
            if self.shards > 1:
                pick_name = f"creel-pick-{token}"
                states = [(pick_name, shard, index) for index in range(self.tasks)]
                tasks |= {pick: (getitem, made, shard) for pick, made in zip(states, runs)}
            tasks |= tree(f"creel-merge-{token}", shard, state, states, plan, merge)
        # No task of the graph depends on it. The scheduler fails if a key is cancelled that others depend on.
        tasks[self.answer_key] = [code, plan, *self.state_keys]
        return tasks


def tree(
    name: str, shard: int, root: Key, states: list[Key], plan: Key, merge: tuple[Any, ...]
) -> dict[Key, Any]:
    """Merges of neighbouring states, in input order, until one is left, which is the root."""
    tasks: dict[Key, Any] = {}
    level = 0
    while len(states) > FAN_IN:
        groups = [states[at : at + FAN_IN] for at in range(0, len(states), FAN_IN)]
        states = [(name, shard, level, index) for index in range(len(groups))]
        tasks |= {key: (apply, merge, [plan, group]) for key, group in zip(states, groups)}
        level += 1
    tasks[root] = (apply, merge, [plan, states])
    return tasks


def operation(code: Key, name: str) -> tuple[Any, ...]:
    """An operation of the code at a key, as a part of a task."""
    return (getattr, (pickle.loads, code), name)


# The scheduler unpickles the functions that make an answer to rows. Plain pickle, which distributed tries first,
# would write a function as the name of its module, which the scheduler lacks. A lambda it cannot write, so
# cloudpickle gets the graph, and writes the lambda by value.
FINALIZE = lambda results: pickle.loads(results[0][0]).finish(results[0][1], results[0][2:])  # noqa: E731
FRAME = lambda answer, rows: pickle.loads(answer[0]).frame(rows)  # noqa: E731
