"""A million records of an access log, filtered and counted, beside DuckDB.

creel checks every record whole; DuckDB is given the two columns that the query uses. Shown are the
whole process, and DuckDB's query alone too.
"""

import subprocess

import measure

PROGRAM = "filter(.status >= 500) | frequencies(.uri) | topk(10)"
RECORDS = 1_000_000


def records(bench):
    path = measure.DATA / f"access-{RECORDS}.jsonl"
    bench.made(path, bench.example("generate_json"), RECORDS)
    measure.warm([path])
    return path


def run(bench):
    path = records(bench)
    duckdb = bench.peer("duckdb_json.py", bench.threads, path)
    tools = {"creel": [bench.creel, "-j", bench.threads, PROGRAM, path], "DuckDB": duckdb}
    runs = bench.rounds(tools, work="json")
    if "DuckDB" in runs:
        runs["DuckDB, the query alone"] = [
            {"wall": bench.printed([*duckdb, "time"])} for _ in runs["DuckDB"]
        ]
    work = "a million JSON records"
    return [
        bench.line(work, runs, "creel", "DuckDB", reach=0.5),
        bench.line("the same", runs, "creel", "DuckDB, the query alone"),
    ]
