#!/usr/bin/env python3
"""What a task costs: creel beside dask's threaded scheduler, rayon and tokio. `make tasks`

The shapes are those of tasks.rs. Each measurement is a process of its own, so that memory is the
peak of that graph alone; rounds are interleaved, so that a slow minute of the machine hits all
alike; medians are shown. A task's cost is that of making the graph, running and dropping it,
through the number of tasks. What takes longer than the limit is not tried at larger sizes. The raw
results go to benches/results/.
"""

import argparse
import datetime
import json
import statistics
import subprocess
import sys

from measure import HERE, PEERS, PYTHON, ROOT, TARGET, machine, markdown, version

RUST = TARGET / "release/examples/tasks"
DASK = [PYTHON, PEERS / "tasks_dask.py"]
# Name, program, its last argument, whether it is slow.
ENGINES = {
    "creel": ([RUST], "creel", False),
    "dask": (DASK, "delayed", True),
    "dask, dict": (DASK, "dict", True),
    "rayon": ([RUST], "rayon", False),
    "tokio": ([RUST], "tokio", False),
}
# Rayon cannot say that two tasks need a third.
CANNOT = {("rayon", "random")}


def measure(engine, shape, tasks, threads, limit):
    """One run: what it printed, or nothing if it took longer than the limit."""
    program, way, _ = ENGINES[engine]
    command = [str(part) for part in (*program, shape, tasks, threads, way)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


def rounds(options):
    """All runs, by engine, shape, tasks and threads; `None` for one that was over the limit."""
    results, over = {}, set()
    for turn in range(max(options.rounds, options.slow_rounds)):
        for tasks in sorted(options.sizes):
            for threads in options.threads:
                for shape in options.shapes:
                    for engine in options.engines:
                        last = options.slow_rounds if ENGINES[engine][2] else options.rounds
                        line = (engine, shape, threads)
                        if turn >= last or (engine, shape) in CANNOT or line in over:
                            continue
                        run = measure(engine, shape, tasks, threads, options.limit)
                        results.setdefault((engine, shape, tasks, threads), []).append(run)
                        if run is None:
                            over.add(line)
            print(f"round {turn + 1}: {tasks} tasks", file=sys.stderr)
    return results


def disagreements(results):
    """Shapes of which not all found the same value."""
    values = {}
    for (_, shape, tasks, _), runs in results.items():
        values.setdefault((shape, tasks), set()).update(run["value"] for run in runs if run)
    return [graph for graph, found in values.items() if len(found) > 1]


def microseconds(runs, tasks):
    """The median cost of a task, or nothing if it was not measured."""
    if not runs or None in runs:
        return None
    return statistics.median(run["made"] + run["run"] + run["dropped"] for run in runs) * 1e6 / tasks


def megabytes(runs):
    peaks = [run["peak"] for run in runs or [] if run and run["peak"]]
    return statistics.median(peaks) / 1e6 if peaks else None


def table(results, options):
    def shown(number, form):
        return "" if number is None else format(number, form)

    head = ["shape", "tasks", "threads"]
    for engine in options.engines:
        head += [f"{engine} µs", "MB"]
        if ENGINES[engine][2]:
            head.append("ratio")
    rows = [head]
    for shape in options.shapes:
        for tasks in sorted(options.sizes):
            for threads in options.threads:
                row = [shape, str(tasks), str(threads)]
                base = microseconds(results.get(("creel", shape, tasks, threads)), tasks)
                for engine in options.engines:
                    runs = results.get((engine, shape, tasks, threads))
                    cost = microseconds(runs, tasks)
                    over = runs and cost is None
                    row.append(f"> {options.limit} s" if over else shown(cost, ".2f"))
                    row.append(shown(megabytes(runs), ".0f"))
                    if ENGINES[engine][2]:
                        row.append(shown(cost and base and cost / base, ".0f"))
                rows.append(row)
    markdown(rows)


def versions():
    return {
        "commit": version("git", "-C", ROOT, "describe", "--always", "--dirty"),
        "rustc": version("rustc", "--version"),
        "dask": version(PYTHON, "-c", "import dask; print(dask.__version__)"),
        "python": version(PYTHON, "--version"),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", nargs="+", default=["chain", "wide", "tree", "random"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--rounds", type=int, default=5, help="of the fast engines")
    parser.add_argument("--slow-rounds", type=int, default=1)
    parser.add_argument("--limit", type=int, default=300, help="seconds that one run may take")
    parser.add_argument("--no-save", action="store_true")
    options = parser.parse_args()

    results = rounds(options)
    table(results, options)
    if wrong := disagreements(results):
        sys.exit(f"the engines do not agree on {wrong}")
    if not options.no_save:
        today = datetime.date.today().isoformat()
        path = HERE / "results" / f"{today}-tasks.json"
        runs = [
            {"engine": engine, "shape": shape, "tasks": tasks, "threads": threads, "runs": runs}
            for (engine, shape, tasks, threads), runs in results.items()
        ]
        record = {"date": today, "limit": options.limit, "machine": machine(), "versions": versions(), "results": runs}
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record, indent=1) + "\n")
        print(f"raw results: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
