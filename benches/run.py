#!/usr/bin/env python3
"""Runs creel beside its peers over the same files, in turn, and prints a table. `make bench`.

Each tool counts the words of more than five letters and gives the ten commonest. Rounds are
interleaved, so that a slow minute of the machine hits all alike; medians are shown. CPU time is of
the process and of all children that it waited for; memory is the largest resident size of a
single process among these, and for dask, whose work is done in processes, the sum over the tree,
sampled. The raw results go to benches/results/.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PYTHON = TARGET / "bench/venv/bin/python"
PEERS = HERE / "peers"
PROGRAM = "words | filter(length > 5) | frequencies | topk(10)"


def tools(threads, files):
    """Name, command, whether it is slow, whether its memory is that of several processes."""
    creel, lent = TARGET / "release/creel", TARGET / "release/examples/lent_count"
    duckdb = [PYTHON, PEERS / "duckdb_count.py"]
    listed = [
        ("creel", [creel, "-j", threads, PROGRAM, *files], False, False),
        ("creel, lent plan", [lent, threads, *files], False, False),
        ("DuckDB, one space", [*duckdb, "space", threads, *files], False, False),
        ("DuckDB, regex", [*duckdb, "regex", threads, *files], True, False),
        ("mawk (one thread)", ["mawk", "-f", PEERS / "count.awk", *files], True, False),
        ("dask.bag", [PYTHON, PEERS / "dask_count.py", threads, *files], True, True),
    ]
    missing = [tool[0] for tool in listed if not shutil.which(tool[1][0])]
    if missing:
        print(f"not installed, so left out: {'; '.join(missing)}", file=sys.stderr)
    return [tool for tool in listed if tool[0] not in missing]


def tree_memory(pid):
    """Resident bytes of a process and all below it, now."""
    total = 0
    try:
        pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
        total = pages * os.sysconf("SC_PAGE_SIZE")
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            total += sum(tree_memory(int(child)) for child in (task / "children").read_text().split())
    except OSError:
        pass  # It has ended meanwhile.
    return total


def measure(command, whole_tree, may_find_nothing=False):
    """One run: its output, and wall seconds, CPU seconds and peak bytes. A search that finds
    nothing may end with exit code 1."""
    with tempfile.TemporaryFile() as out:
        began = time.perf_counter()
        child = subprocess.Popen([str(part) for part in command], stdout=out, stdin=subprocess.DEVNULL)
        peak, ended = [0], threading.Event()

        def sample():
            while not ended.wait(0.1):
                peak[0] = max(peak[0], tree_memory(child.pid))

        sampler = threading.Thread(target=sample)
        if whole_tree:
            sampler.start()
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        ended.set()
        if whole_tree:
            sampler.join()
        if child.returncode > may_find_nothing or child.returncode < 0:
            sys.exit(f"{command[0]} failed with exit code {child.returncode}")
        out.seek(0)
        return out.read().decode(), {
            "wall": round(wall, 3),
            "cpu": round(usage.ru_utime + usage.ru_stime, 3),
            "memory": max(peak[0], usage.ru_maxrss * 1024),
        }


def version(*command):
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True)
        return (done.stdout or done.stderr).splitlines()[0].strip()
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None


def machine():
    def first(path, key):
        try:
            lines = pathlib.Path(path).read_text().splitlines()
        except OSError:
            return None
        return next((l.split(":", 1)[1].strip() for l in lines if l.startswith(key)), None)

    return {
        "cpu": first("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory": first("/proc/meminfo", "MemTotal"),
        "kernel": platform.release().split("-")[0],
        "load": os.getloadavg(),
    }


def versions():
    return {
        "creel": version(TARGET / "release/creel", "--version"),
        "commit": version("git", "-C", ROOT, "describe", "--always", "--dirty"),
        "rustc": version("rustc", "--version"),
        "mawk": version("mawk", "-W", "version"),
        "duckdb": version(PYTHON, "-c", "import duckdb; print(duckdb.__version__)"),
        "dask": version(PYTHON, "-c", "import dask; print(dask.__version__)"),
        "python": version(PYTHON, "--version"),
    }


def text(count, size):
    """The files, made if they are missing."""
    into = TARGET / "bench" / ("mail" if (count, size) == (16, 64) else f"mail-{count}x{size}")
    if len(list(into.glob("*.txt"))) != count:
        subprocess.run(
            [TARGET / "release/examples/generate", into, "--files", str(count), "--size", str(size)],
            check=True,
        )
    return sorted(into.glob("*.txt"))


def warm(files):
    """Into the page cache: what is measured is not the disk."""
    for path in files:
        with open(path, "rb") as file:
            while file.read(1 << 22):
                pass


def table(results):
    mid = {name: {k: statistics.median(r[k] for r in runs) for k in runs[0]} for name, runs in results.items()}
    base = mid.get("creel") or next(iter(mid.values()))
    rows = [("", "wall s", "CPU s", "peak MB", "wall", "CPU", "runs")]
    for name, m in sorted(mid.items(), key=lambda item: item[1]["wall"]):
        rows.append((
            name, f"{m['wall']:.2f}", f"{m['cpu']:.2f}", f"{m['memory'] / 1e6:.0f}",
            f"{m['wall'] / base['wall']:.2f}x", f"{m['cpu'] / base['cpu']:.2f}x", str(len(results[name])),
        ))
    markdown(rows)


def markdown(rows):
    """Prints rows, the first a head, as a table."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for at, row in enumerate(rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))]
        print("| " + " | ".join(cells) + " |")
        if at == 0:
            print("|" + "|".join(("-" * (w + 1) + (":" if i else "-")) for i, w in enumerate(widths)) + "|")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--size", type=int, default=64, help="MiB of each file")
    parser.add_argument("--rounds", type=int, default=5, help="of the fast tools")
    parser.add_argument("--slow-rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", action="append", help="tools whose name holds this")
    parser.add_argument("--what", default="words", help="the name of the file of raw results")
    parser.add_argument("--no-save", action="store_true")
    options = parser.parse_args()

    files = text(options.files, options.size)
    warm(files)
    chosen = [
        tool for tool in tools(options.threads, files)
        if not options.only or any(part in tool[0] for part in options.only)
    ]
    results, answers = {}, {}
    for turn in range(max(options.rounds, options.slow_rounds)):
        for name, command, slow, whole_tree in chosen:
            if turn >= (options.slow_rounds if slow else options.rounds):
                continue
            out, run = measure(command, whole_tree)
            results.setdefault(name, []).append(run)
            answers.setdefault(out, set()).add(name)
            print(f"round {turn + 1}: {name}: {run['wall']:.2f} s", file=sys.stderr)
    table(results)
    if len(answers) != 1:
        for out, names in answers.items():
            print(f"\n{', '.join(sorted(names))}:\n{out}", file=sys.stderr)
        sys.exit("the tools do not agree on the ten commonest words")
    print("all agree on the ten commonest words")
    if not options.no_save:
        today = datetime.date.today().isoformat()
        path = HERE / "results" / f"{today}-{options.what}.json"
        record = {
            "date": today, "program": PROGRAM, "files": options.files, "mebibytes": options.size,
            "threads": options.threads, "machine": machine(), "versions": versions(), "runs": results,
        }
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record, indent=1) + "\n")
        print(f"raw results: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
