"""Records that take long to work on: what a few threads make of an iterator, and two of one compressed file.

100 records of 10 ms, on four threads, summed and computed in order; they sleep, so that it does not matter how many
cores there are. And a map that computes for 20 µs a line, in input order, over one file in gzip, on one thread
and on two.
"""

import gzip

import measure

LINES = 100_000
RECORDS, A_RECORD = 100, 0.01


def packed(path):
    """The first lines of a file, in gzip."""
    target = measure.DATA / f"lines-{LINES}.gz"
    if not target.exists():
        with open(path, "rb") as lines, gzip.open(target, "wb", 6) as out:
            out.writelines(line for line, _ in zip(lines, range(LINES)))
    return target


def told(out):
    """The seconds that a run prints."""
    return {"wall": float(out)}


def run(bench):
    program, lines = bench.example("expensive"), []
    for end in ("sum", "compute"):
        runs = bench.rounds({"creel": [program, end, 4]}, work=end, told={"creel": told})
        wall, alone = measure.median(runs["creel"]), RECORDS * A_RECORD
        lines.append(measure.Line(f"100 records of 10 ms, {end}, 4 threads", f"{wall:.3f} s", "1 thread",
                                  f"{alone:.3f} s", wall / alone, 0.3))
    path = packed(bench.mail()[0])
    measure.warm([path])
    tools = {f"{n} thread{'s' * (n > 1)}": [program, "lines", n, path] for n in (1, 2)}
    runs = bench.rounds(tools, work="lines", told=dict.fromkeys(tools, told))
    lines.append(bench.line("20 µs a line of one .gz, in order, 2 threads", runs, "2 threads", "1 thread", reach=0.6))
    return lines
