"""A million records of an access log, grouped: a count, a conditional count, a mean and an exact p99 a group.

Once by 103,000 addresses and once by 700, beside DuckDB, which is given the three columns that the query uses.
Shown are whole processes.
"""

import json

import measure

PROGRAM = (
    "groupby(.uri; {n: count, err: count(.status >= 500), mean: mean(.rt), p99: p99(.rt)})"
)
RECORDS = 1_000_000
# How many pages each of seven topics has; all that there are without a number.
PAGES = {"103,000 groups": None, "700 groups": 100}


def records(bench, pages=None, count=RECORDS):
    few = f"-{pages}" if pages else ""
    path = measure.DATA / f"access-{count}{few}.jsonl"
    bench.made(path, bench.example("generate_json"), count, *([pages] if pages else []))
    measure.warm([path])
    return path


def groups(out):
    """What an output says, for comparison: means may differ in their last digit."""
    rows = map(json.loads, out.splitlines())
    return tuple(sorted((r["uri"], r["n"], r["err"], f"{r['mean']:.9f}", r["p99"]) for r in rows))


def run(bench):
    lines = []
    for work, pages in PAGES.items():
        path = records(bench, pages)
        tools = {
            "creel": [bench.creel, "-j", bench.threads, PROGRAM, path],
            "DuckDB": bench.peer("duckdb_groupby.py", bench.threads, path),
        }
        runs = bench.rounds(tools, work=work, agree=groups)
        lines.append(bench.line(f"a million JSON records, {work}", runs, "creel", "DuckDB", reach=0.36))
        lines.append(bench.line("the same, memory", runs, "creel", "DuckDB", figure="memory"))
    return lines
