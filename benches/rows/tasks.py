"""A million trivial tasks in four shapes, beside tokio's tasks. `make tasks` has more sizes and peers."""

import json

TASKS = 1_000_000


def told(out):
    """The figures that a run prints."""
    run = json.loads(out)
    return {"wall": run["made"] + run["run"] + run["dropped"], "memory": run["peak"]}


def run(bench):
    program, lines = bench.example("tasks"), []
    for shape in ("chain", "wide", "tree", "random"):
        tools = {engine: [program, shape, TASKS, bench.threads, engine] for engine in ("creel", "tokio")}
        if bench.old:
            # It has not changed.
            del tools["tokio"]
        runs = bench.rounds(tools, work=shape, told=dict.fromkeys(tools, told))
        lines.append(bench.line(f"a million tasks, {shape}", runs, "creel", "tokio"))
    return lines
