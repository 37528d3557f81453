"""Words of 1 GiB of mail on a Dask cluster of two workers of one thread, and 100,000 partitions there.

Beside one process of as many threads, dask.bag on the same cluster, and Daft in one process: the cluster of
Daft is that of Ray.
"""

import json
import os
import sys

import cluster
import measure
from rows import words

PARTITIONS = 100_000
# Seconds after which a client is stopped: its time is more, and its memory what it was until then.
MOST = 600


def ten(output):
    """The ten rows; the command and Python write them with other spaces."""
    return tuple(tuple(json.loads(line)) for line in output.splitlines())


def client(name, address, *arguments):
    """The command of a client in Python."""
    return [cluster.PYTHON, measure.PEERS / name, address, *arguments]


def on_a_cluster(bench):
    files = bench.mail()
    with cluster.running(bench.creel, bench.threads) as made:
        runs = bench.rounds(
            {
                "creel, cluster": client("cluster_creel.py", made.address, bench.creel, words.PROGRAM, *files),
                "creel, one process": [bench.creel, "-j", bench.threads, "-t", "jsonl", words.PROGRAM, *files],
                "dask.bag, cluster": client("cluster_dask.py", made.address, "words", *files),
                "Daft, one process": bench.peer("daft_count.py", bench.threads, *files),
            },
            work="words on a cluster", slow={"dask.bag, cluster"}, agree=ten,
        )
    return [
        bench.line("words of 1 GiB of mail, cluster", runs, "creel, cluster", "creel, one process", reach=1.3),
        bench.line("words of 1 GiB of mail, cluster", runs, "creel, cluster", "dask.bag, cluster", reach=1 / 40),
        bench.line("words of 1 GiB of mail, cluster", runs, "creel, cluster", "Daft, one process"),
    ]


def partitions():
    """A folder of files of one line."""
    folder = measure.DATA / f"partitions-{PARTITIONS}"
    if not folder.exists():
        partial = folder.with_name(folder.name + ".partial")
        partial.mkdir(parents=True, exist_ok=True)
        for n in range(PARTITIONS):
            (partial / f"{n:06}.txt").write_text(f"line {n}\n")
        partial.rename(folder)
    return folder


def many_partitions(bench):
    """Seconds until the first task reads, seconds in all, and the peak of the scheduler, each on a new cluster."""
    folder, runs = partitions(), {}
    clients = {
        "creel": lambda made: client("cluster_creel.py", made.address, bench.creel, "count", folder),
        "dask.bag": lambda made: client("cluster_dask.py", made.address, "count", folder / "*.txt", made.mark),
    }
    for name, command in clients.items():
        with cluster.running(bench.creel, bench.threads) as made:
            until = 'date +%s.%N >"$0"; timeout "$@" || [ $? = 124 ]'
            out, run = measure.measure(["sh", "-c", until, made.folder / "began", MOST, *command(made)])
            began = float((made.folder / "began").read_text())
            run |= {"first": made.mark.stat().st_mtime - began, "scheduler": made.peak()}
            run["stopped"] = not out
            assert run["stopped"] or json.loads(out) == PARTITIONS, f"{name} counted {out!r}"
        runs[name] = [run]
        print(f"100,000 partitions: {name}: {run}", file=sys.stderr)
    bench.raw["100,000 partitions"] = runs
    ours, theirs = runs["creel"][0], runs["dask.bag"][0]
    seconds, memory = measure.FIGURES["wall"], measure.FIGURES["memory"]
    more = "> " if theirs["stopped"] else ""
    return [
        measure.Line(f"100,000 partitions, {what}", form(ours[key]), "dask.bag", ("" if key == "first" else more) + form(theirs[key]),
                     ours[key] / theirs[key])
        for what, key, form in (
            ("to the first task", "first", seconds), ("in all", "wall", seconds), ("memory of the scheduler", "scheduler", memory)
        )
    ]


def run(bench):
    if bench.old:
        return []
    return [*on_a_cluster(bench), *many_partitions(bench)]
