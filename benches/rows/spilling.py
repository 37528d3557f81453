"""Works in half and in a tenth of the memory that they take, beside the same works in all of it.

The memory of a work is the peak resident memory of a run without a limit. No run is given less than 64 MB.
"""

import measure

from . import distinct

PROGRAMS = {
    "sort": "sort",
    "distinct": "distinct | count",
    "frequencies": "frequencies | count",
    "groups": "groupby(.; {n: count, longest: max(length)}) | count",
}
LEAST = 64 << 20
# The part of its memory that a work has, and the ratio of the times that is asked for.
PARTS = {"half": (2, 1.2), "a tenth": (10, 2.0)}


def run(bench):
    [mail], keys = bench.mail(files=1, mebibytes=1024), distinct.keys(bench)
    out, lines = measure.DATA / "spilling.out", []
    for work, program in PROGRAMS.items():
        creel = [bench.creel, "-j", bench.threads, "--no-sync", "-f", "text", "--tmpdir", measure.DATA, "-o", out]
        end = [program, mail if work == "sort" else keys]
        _, whole = measure.measure([*creel, *end])
        limits = {name: max(whole["memory"] // part, LEAST) for name, (part, _) in PARTS.items()}
        limited = {name: [*creel, "--memory", limit, *end] for name, limit in limits.items()}
        runs = bench.rounds({"all": [*creel, *end], **limited}, work=f"spilling, {work}", agree=False)
        for name, (_, reach) in PARTS.items():
            of = f"{work}, in {limits[name] / 1e6:.0f} of {whole['memory'] / 1e6:.0f} MB"
            lines.append(bench.line(of, runs, name, "all", reach=reach))
    out.unlink()
    return lines
