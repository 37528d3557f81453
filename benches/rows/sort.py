"""The lines of 1 GiB of mail-like text in order, to a file; and the same in 256 MB.

ClickHouse is measured in memory, and DuckDB with its memory limited: it takes more than that.
"""

import filecmp
import sys

import measure


def run(bench):
    [path] = bench.mail(files=1, mebibytes=1024)
    threads = bench.threads
    outs = {name: measure.DATA / f"sorted-{name}" for name in ("creel", "creel-256", "clickhouse", "duckdb")}
    creel = [bench.creel, "-j", threads, "--no-sync", "-f", "text", "-t", "text"]
    tools = {
        "creel": [*creel, "-o", outs["creel"], "sort", path],
        "ClickHouse": bench.peer("clickhouse_lines.py", "sort", threads, "none", outs["clickhouse"], path),
        "creel, 256 MB": [*creel, "--memory", "256M", "--tmpdir", measure.DATA,
                          "-o", outs["creel-256"], "sort", path],
        "DuckDB, 256 MB": bench.peer("duckdb_lines.py", "sort", threads, "256MB", outs["duckdb"], path),
    }
    runs = bench.rounds(tools, work="sort", slow={"DuckDB, 256 MB"}, discard=True)
    for other in outs.values():
        if other.exists() and not filecmp.cmp(outs["creel"], other, shallow=False):
            sys.exit(f"sort: {outs['creel']} and {other} are not the same")
    for out in outs.values():
        out.unlink(missing_ok=True)
    work = "1 GiB of lines in order"
    return [
        bench.line(work, runs, "creel", "ClickHouse", reach=0.42),
        bench.line(f"{work}, memory", runs, "creel", "ClickHouse", figure="memory"),
        bench.line(f"{work}, in 256 MB", runs, "creel, 256 MB", "DuckDB, 256 MB", reach=0.31),
        bench.line(f"{work}, in 256 MB, memory", runs, "creel, 256 MB", "DuckDB, 256 MB", figure="memory"),
    ]
