"""The shapes of `tasks` on dask's threaded scheduler: SHAPE TASKS THREADS [delayed | dict]

`delayed` is what users write. Its graphs are layers, and each call copies the list of all layers
below it, so that deep graphs cost the square of their tasks: `dict` is the graph as a dict of
tasks, which dask's scheduler takes as it is, and shows what the scheduler alone costs.

Prints what the Rust program does.
"""

import json
import pathlib
import sys
import time

from dask import delayed, threaded


class Chance:
    """Numbers by chance, the same in each run and in each language."""

    def __init__(self):
        self.seed = 1

    def below(self, end):
        self.seed = (self.seed * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return (self.seed >> 33) % end


def add(*needs):
    return 1 + sum(needs)


def one(_):
    return 1


def total(values):
    return sum(values)


def both(a, b):
    return a + b


class Delayed:
    """Tasks by `dask.delayed`."""

    def call(self, function, *needs):
        return delayed(function)(*needs)

    def total(self, needs):
        return delayed(total)(needs)

    def compute(self, task, threads):
        return task.compute(scheduler="threads", num_workers=threads)


class Dict:
    """Tasks in a dict: a key each, and a tuple of a function and the keys that it needs."""

    def __init__(self):
        self.graph = {}

    def call(self, *task):
        key = f"task-{len(self.graph)}"
        self.graph[key] = task
        return key

    def total(self, needs):
        return self.call(total, needs)

    def compute(self, key, threads):
        return threaded.get(self.graph, key, num_workers=threads)


def chain(make, tasks):
    last = make.call(add)
    for _ in range(1, tasks):
        last = make.call(add, last)
    return last


def wide(make, tasks):
    first = make.call(add)
    return make.total([make.call(one, first) for _ in range(3, tasks)])


def tree(make, tasks):
    first = make.call(add)
    level = [make.call(one, first) for _ in range(tasks // 2)]
    while len(level) > 1:
        pairs = [level[i:i + 2] for i in range(0, len(level), 2)]
        level = [make.call(both, *pair) if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0]


def random(make, tasks):
    chance, made, wanted = Chance(), [make.call(add)], [False]
    while len(made) < tasks - 2:
        needs = [chance.below(len(made)) for _ in range(chance.below(5))]
        for need in needs:
            wanted[need] = True
        made.append(make.call(add, *(made[need] for need in needs)))
        wanted.append(False)
    return make.total([task for task, wanted in zip(made, wanted) if not wanted])


def measure(shape, tasks, threads, way):
    start = time.perf_counter()
    make = way()
    task = shape(make, tasks)
    made = time.perf_counter()
    value = make.compute(task, threads)
    run = time.perf_counter()
    del make, task
    return {"value": value, "made": made - start, "run": run - made, "dropped": time.perf_counter() - run}


def peak():
    """The most memory that this process held so far, in bytes, where the kernel tells."""
    try:
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def main():
    shape = {"chain": chain, "wide": wide, "tree": tree, "random": random}[sys.argv[1]]
    tasks, threads = max(int(sys.argv[2]), 4), int(sys.argv[3])
    way = {"delayed": Delayed, "dict": Dict}[sys.argv[4] if len(sys.argv) > 4 else "delayed"]
    runs = [measure(shape, tasks, threads, way) for _ in range(max(5_000 // tasks, 1))]
    runs.sort(key=lambda run: run["made"] + run["run"] + run["dropped"])
    print(json.dumps({**runs[len(runs) // 2], "peak": peak()}))


if __name__ == "__main__":
    main()
