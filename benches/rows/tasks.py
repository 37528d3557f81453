"""A million trivial tasks in four shapes, beside tokio's tasks. `make tasks` has more sizes and peers."""

import json
import subprocess

import measure

TASKS = 1_000_000


def run(bench):
    program, lines = bench.example("tasks"), []
    for shape in ("chain", "wide", "tree", "random"):
        runs = {"creel": [], "tokio": []}
        for _ in range(bench.repeats):
            for engine in runs:
                command = [str(part) for part in (program, shape, TASKS, bench.threads, engine)]
                told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
                wall = told["made"] + told["run"] + told["dropped"]
                runs[engine].append({"wall": wall, "memory": told["peak"]})
        bench.raw[shape] = runs
        lines.append(bench.line(f"a million tasks, {shape}", runs, "creel", "tokio"))
    return lines
