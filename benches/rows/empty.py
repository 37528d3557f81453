"""What it costs to start: a count of an empty file, beside `true`."""

import measure

# Milliseconds need many.
ROUNDS = 51


def run(bench):
    path = measure.DATA / "empty.txt"
    path.touch()
    runs = bench.rounds(
        {"creel": [bench.creel, "count", path], "true": ["true"]},
        work="empty", agree=False, repeats=ROUNDS,
    )
    took = measure.median(runs["creel"])
    line = bench.line("an empty file", runs, "creel", "true")
    within = measure.Line("the same, beside 10 ms", measure.FIGURES["wall"](took), "10 ms", "0.010 s", took / 0.010, 1.0)
    return [line, within]
