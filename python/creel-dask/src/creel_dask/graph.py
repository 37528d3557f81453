"""The graph of a plan: one list task, run tasks, merges in a tree for each shard.

::

    plan ──► list ──► share i ──► run i ──► pick s, i ──► merge s, level, i ──► state s

All of it is plain tuples, so that it works with any version of Dask. The plan is one key, on which the tasks
depend. A share is a part of the listing, so the graph does not grow with the number of partitions.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, replace
from typing import Any

import cloudpickle
from dask.typing import Key

from . import worker
from .worker import by_value, operations
from .worker.process import Settings

# The graph is unpickled on the scheduler, which has no creel_dask.
cloudpickle.register_pickle_by_value(worker)

# States that one task merges: more need fewer tasks, and fewer need less memory of a worker.
FAN_IN = 8

LIST = by_value(operations.list_partitions)
SHARE = by_value(operations.share_of)
RUN = by_value(operations.run_partitions)
PICK = by_value(operations.pick)
MERGE = by_value(operations.merge_states)
FINISH = by_value(operations.finish_states)
FINALIZE = by_value(operations.finish_results)
FRAME = by_value(operations.frame_of)


@dataclass(frozen=True)
class Job:
    """A plan and how it is run."""

    plan: bytes
    settings: Settings
    # How many run tasks there are, and into how many shards each cuts its state.
    tasks: int
    shards: int
    # What stands in all keys: equal for equal jobs, unless a run has one of its own.
    token: str

    @classmethod
    def of(cls, plan: bytes, settings: Settings, tasks: int, shards: int) -> Job:
        """A job whose token is a digest of all that it is made of."""
        parts = repr((plan, settings, tasks, shards)).encode()
        return cls(plan, settings, tasks, shards, hashlib.sha256(parts).hexdigest()[:32])

    def fresh(self) -> Job:
        """The same job under a token of its own, which shares no result with another and tells its progress."""
        token = uuid.uuid4().hex
        return replace(self, token=token, settings=replace(self.settings, run=token))

    @property
    def plan_key(self) -> Key:
        return f"creel-plan-{self.token}"

    @property
    def state_keys(self) -> list[Key]:
        """The keys of the merged states, one for each shard."""
        return [(f"creel-state-{self.token}", shard) for shard in range(self.shards)]

    def graph(self) -> dict[Key, Any]:
        """The tasks, by their keys."""
        token, settings, plan_key = self.token, self.settings, self.plan_key
        list_key: Key = f"creel-list-{token}"
        tasks: dict[Key, Any] = {plan_key: self.plan, list_key: (LIST, settings, plan_key, self.tasks)}
        runs: list[Key] = []
        for index in range(self.tasks):
            share_key, run_key = (f"creel-share-{token}", index), (f"creel-run-{token}", index)
            tasks[share_key] = (SHARE, list_key, index)
            tasks[run_key] = (RUN, settings, plan_key, share_key, self.shards)
            runs.append(run_key)
        for shard, state_key in enumerate(self.state_keys):
            states = runs
            if self.shards > 1:
                states = [(f"creel-pick-{token}", shard, index) for index in range(self.tasks)]
                tasks |= {key: (PICK, run, shard) for key, run in zip(states, runs)}
            tasks |= self.tree(shard, state_key, states)
        return tasks

    def tree(self, shard: int, root: Key, states: list[Key]) -> dict[Key, Any]:
        """Merges of neighbouring states, in input order, until one is left, which is the root."""
        tasks: dict[Key, Any] = {}
        level = 0
        while len(states) > FAN_IN:
            groups = [states[at : at + FAN_IN] for at in range(0, len(states), FAN_IN)]
            states = [(f"creel-merge-{self.token}", shard, level, index) for index in range(len(groups))]
            tasks |= {key: self.merge(group) for key, group in zip(states, groups)}
            level += 1
        tasks[root] = self.merge(states)
        return tasks

    def merge(self, states: list[Key]) -> tuple[Any, ...]:
        """The task that merges states."""
        return (MERGE, self.settings, self.plan_key, states)
