#!/usr/bin/env python3
"""Runs a program of creel by several processes: a launcher of the worker protocol, in docs/workers.md.

    launcher.py --workers 4 -- 'words | frequencies | topk(3)' 'logs/**/*.gz'

It moves names of files alone. To run steps on other machines, change `step`: all that a step needs is the
command, the plan, and the files that it names, on a disk that the machines share or copied there.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

TRIES = 3


class Failed(Exception):
    """A step failed: its exit code, and why."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def step(creel, *args):
    """Runs a step, again if the record of its error says that this may help."""
    for last in range(1, TRIES + 1):
        command = [creel, "worker", *map(str, args), "--errors", "json"]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode == 0:
            return ended.stdout
        records = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]
        errors = [record["error"] for record in records if "error" in record]
        message = "\n".join(error["message"] for error in errors) or ended.stderr.strip()
        # A process that was killed, as by a machine without memory, has no record.
        retry = ended.returncode < 0 or any(error["retry"] for error in errors)
        if last == TRIES or not retry:
            raise Failed(ended.returncode, f"{args[0]} of {args[2]}: {message}")


def merged(creel, pool, plan, states):
    """One state of many, merged in a tree: neighbours first, so that the order stays that of the input."""
    while len(states) > 1:
        groups = [states[at : at + 8] for at in range(0, len(states), 8)]
        names = [group[0].with_suffix(f".{len(group)}") for group in groups]
        merges = [pool.submit(step, creel, "merge", plan, *group, "-o", name) for group, name in zip(groups, names)]
        for merge in merges:
            merge.result()
        states = names
    return states[0]


def run(options, folder):
    """The exit code of the program."""
    creel, plan, shards = options.creel, folder / "plan", options.shards
    planned = subprocess.run([creel, "--plan-to", plan, *options.program])
    if planned.returncode:
        return planned.returncode
    tasks = step(creel, "list", plan, "--into", folder / "parts", "--tasks", options.workers * 6).splitlines()
    tasks = [pathlib.Path(task) for task in tasks]
    with ThreadPoolExecutor(options.workers) as pool:
        outputs = [
            ["--into", task.with_suffix(""), "--shards", shards] if shards > 1 else ["-o", task.with_suffix(".state")]
            for task in tasks
        ]
        runs = [pool.submit(step, creel, "run", plan, task, "-j1", *out) for task, out in zip(tasks, outputs)]
        for of_task in runs:
            of_task.result()
        if shards > 1:
            of_shards = [[task.with_suffix("") / f"{shard:04}.state" for task in tasks] for shard in range(shards)]
        else:
            of_shards = [[task.with_suffix(".state") for task in tasks]]
        states = [merged(creel, pool, plan, states) for states in of_shards]
    # What was passed over is told here, with the exit code of one run.
    finish = [creel, "worker", "finish", plan, *states]
    finish += ["-t", options.to] if options.to else []
    finish += ["-o", options.output] if options.output else []
    return subprocess.run(finish).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--creel", default="creel", help="the command")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time")
    parser.add_argument("--shards", type=int, default=1, help="shards of the keys, merged side by side")
    parser.add_argument("-t", "--to", help="the format of the rows")
    parser.add_argument("-o", "--output", help="where the rows go")
    parser.add_argument("program", nargs="+", help="options, the program and its sources, behind --")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="creel-") as folder:
        try:
            return run(options, pathlib.Path(folder))
        except Failed as error:
            print(f"launcher.py: {error}", file=sys.stderr)
            return error.code if error.code > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
