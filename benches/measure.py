"""What all rows of the benchmark share: one run of a command, rounds in turn, the lines of the table.

A row is a file in rows/ with a function `run(bench)`, which measures creel and its peers on one
work and returns the lines that it adds to the table:

    def run(bench):
        files = bench.mail()
        runs = bench.rounds({"creel": [bench.creel, "count", *files], "wc": ["wc", "-l", *files]})
        return [bench.line("lines", runs, "creel", "wc", reach=1.2)]

Rounds are interleaved, so that a slow minute of the machine hits all tools alike; medians are
shown, and every raw figure goes to results/.

With `--old FOLDER`, the release folder of an older commit, peers are left out: each command of creel
runs beside the same command there, in turn, and the lines are the ratios of time and of memory.
"""

import dataclasses
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
DATA = TARGET / "bench"
PYTHON = DATA / "venv/bin/python"
PEERS = HERE / "peers"

# What stands behind the name of a tool that is of an older commit.
BEFORE = ", before"

# How a figure is written, and what its larger or smaller unit is.
FIGURES = {
    "wall": lambda seconds: f"{seconds:.3f} s" if seconds < 0.2 else f"{seconds:.2f} s",
    "cpu": lambda seconds: f"{seconds:.2f} s CPU",
    "memory": lambda count: f"{count / 1e6:.0f} MB",
    "scale": lambda times: f"{times:.2f}x",
}


@dataclasses.dataclass
class Line:
    """A line of the table: what creel needs for a work, and what a peer does."""

    work: str
    creel: str
    peer: str
    theirs: str
    ratio: float | None
    # The largest ratio that is asked for, if one is; the smallest, if `at_least`.
    reach: float | None = None
    at_least: bool = False

    def cells(self):
        sign = "≥" if self.at_least else "≤"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return (self.work, self.creel, self.peer, self.theirs, ratio,
                "" if self.reach is None else f"{sign} {self.reach:g}")


def measure(command, whole_tree=False, may_find_nothing=False, env=None, stdin=None, discard=False):
    """One run: its output, and wall seconds, CPU seconds and peak bytes.

    CPU time is of the process and all children that it waited for; memory is the largest resident
    size of one process among these, or with `whole_tree` the sum over the tree, sampled. A search
    that finds nothing may end with exit code 1. What is `discard`ed goes nowhere, and is empty.
    """
    with tempfile.TemporaryFile(dir=DATA) as out:
        began = time.perf_counter()
        child = subprocess.Popen([str(part) for part in command],
                                 stdout=subprocess.DEVNULL if discard else out,
                                 stdin=stdin or subprocess.DEVNULL, env=env)
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
        return out.read(), {
            "wall": round(wall, 4),
            "cpu": round(usage.ru_utime + usage.ru_stime, 3),
            "memory": max(peak[0], usage.ru_maxrss * 1024),
        }


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


def median(runs, figure="wall"):
    return statistics.median(run[figure] for run in runs)


class Bench:
    """What a row is given: where things are, how often to measure, and what was measured."""

    def __init__(self, rounds, threads, old=None):
        self.repeats = rounds
        self.threads = threads
        self.old = old
        self.creel = TARGET / "release/creel"
        # Raw figures by work and tool, as they will be kept.
        self.raw = {}
        # What the older commit needs, beside this one.
        self.before = []

    def example(self, name):
        """A program of benches/ that is built as an example."""
        return TARGET / "release/examples" / name

    def peer(self, name, *arguments):
        """The command of a peer in Python."""
        return [PYTHON, PEERS / name, *arguments]

    def of_old(self, tools):
        """The commands of creel among tools, and the same of the older commit."""
        new = TARGET / "release"
        for name, (program, *arguments) in tools.items():
            if pathlib.Path(program).is_relative_to(new):
                yield name, [program, *arguments]
                old = self.old / pathlib.Path(program).relative_to(new)
                if old.exists():
                    yield f"{name}{BEFORE}", [old, *arguments]

    def rounds(self, tools, *, work, slow=(), trees=(), agree=True, repeats=None, told={}, **how):
        """Runs each of the tools in turn, round after round: the runs of each.

        `slow` tools run once, `trees` are measured with all of their children. If they are to agree,
        all must print the same (`agree` may be a function that makes of an output what is compared).
        Tools that measure themselves are in `told`, with a function that makes figures of their output.
        """
        if self.old:
            tools, slow = dict(self.of_old(tools)), ()
        missing = [name for name, command in tools.items() if not shutil.which(command[0])]
        if missing:
            print(f"{work}: not installed, so left out: {', '.join(missing)}", file=sys.stderr)
        tools = {name: command for name, command in tools.items() if name not in missing}
        runs, answers = {name: [] for name in tools}, {}
        for turn in range(repeats or self.repeats):
            for name, command in tools.items():
                if turn and name in slow:
                    continue
                out, run = measure(command, name in trees, **how)
                if reads := told.get(name.removesuffix(BEFORE)):
                    run |= reads(out)
                runs[name].append(run)
                if agree and not reads:
                    answers.setdefault(agree(out) if callable(agree) else out, set()).add(name)
                print(f"{work}: round {turn + 1}: {name}: {run['wall']:.3f} s", file=sys.stderr)
        if len(answers) > 1:
            told = "\n".join(f"{sorted(names)}: {out[:400]!r}" for out, names in answers.items())
            sys.exit(f"{work}: the tools do not agree:\n{told}")
        self.raw[work] = runs
        for name in tools:
            if f"{name}{BEFORE}" in tools:
                for figure in ("wall", "memory"):
                    self.before.append(self.line(f"{work}, {name}", runs, name, f"{name}{BEFORE}", reach=1.03, figure=figure))
        return runs

    def printed(self, command):
        """The number that a command prints: seconds that it has measured itself."""
        command = [str(part) for part in command]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    def line(self, work, runs, ours, peer, *, reach=None, figure="wall"):
        """A line that compares the medians of two tools; nothing if a tool was left out."""
        if not runs.get(ours) or not runs.get(peer):
            return None
        mine, theirs = median(runs[ours], figure), median(runs[peer], figure)
        form = FIGURES[figure]
        return Line(work, form(mine), peer, form(theirs), mine / theirs, reach)

    def made(self, path, program, *arguments):
        """A file or folder of generated data, made if it is missing."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(path.name + ".partial")
            shutil.rmtree(partial, ignore_errors=True)
            subprocess.run([str(part) for part in (program, partial, *arguments)], check=True)
            partial.rename(path)
        return path

    def mail(self, files=16, mebibytes=64):
        """Mail-like text: the files, in the page cache."""
        path = DATA / f"mail-{files}x{mebibytes}"
        self.made(path, self.example("generate"), "--files", files, "--size", mebibytes)
        return warm(sorted(path.glob("*.txt")))


def warm(files):
    """Into the page cache: what is measured is not the disk."""
    for path in files:
        with open(path, "rb") as file:
            while file.read(1 << 22):
                pass
    return files


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
    """Of creel, and of all peers that are installed."""
    pinned = (HERE / "requirements.txt").read_text().split()
    return {
        "creel": version(TARGET / "release/creel", "--version"),
        "commit": version("git", "-C", ROOT, "describe", "--always", "--dirty"),
        "rustc": version("rustc", "--version"),
        "python": version(PYTHON, "--version"),
        "peers": [pin for pin in pinned if "==" in pin],
        "mawk": version("mawk", "-W", "version"),
        "igzip": version(TARGET / "bench/tools/bin/igzip", "--version"),
        "lbzip2": version(TARGET / "bench/tools/bin/lbzip2", "--version"),
        "zstd": version("zstd", "--version"),
        "ripgrep": version(TARGET / "tools/bin/rg", "--version"),
    }


def markdown(rows):
    """Prints rows, the first a head, as a table."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for at, row in enumerate(rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))]
        print("| " + " | ".join(cells) + " |")
        if at == 0:
            print("|" + "|".join(("-" * (w + 1) + (":" if i else "-")) for i, w in enumerate(widths)) + "|")
