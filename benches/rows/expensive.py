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


def run(bench):
    program, lines = bench.example("expensive"), []
    for end in ("sum", "compute"):
        runs = [{"wall": bench.printed([program, end, 4])} for _ in range(bench.repeats)]
        bench.raw[end] = {"creel": runs}
        wall, alone = measure.median(runs), RECORDS * A_RECORD
        lines.append(measure.Line(f"100 records of 10 ms, {end}, 4 threads", f"{wall:.3f} s", "1 thread",
                                  f"{alone:.3f} s", wall / alone, 0.3))
    path = packed(bench.mail()[0])
    measure.warm([path])
    runs = {"1 thread": [], "2 threads": []}
    for _ in range(bench.repeats):
        for name in runs:
            runs[name].append({"wall": bench.printed([program, "lines", name.split()[0], path])})
    bench.raw["lines"] = runs
    lines.append(bench.line("20 µs a line of one .gz, in order, 2 threads", runs, "2 threads", "1 thread", reach=0.6))
    return lines
