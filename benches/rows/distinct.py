"""How many of 50 million keys are different, in memory and in 350 MB.

ClickHouse goes to the disk from 1 GB on, which is the least with which it ends.
"""

import measure

KEYS, MOST = 50_000_000, 50_000_000


def keys(bench):
    """The keys, in the page cache."""
    path = measure.DATA / f"keys-{KEYS}-{MOST}.txt"
    bench.made(path, bench.example("generate_keys"), KEYS, MOST)
    measure.warm([path])
    return path


def run(bench):
    path = keys(bench)
    creel = [bench.creel, "-j", bench.threads, "-f", "text"]
    program = "distinct | count"
    tools = {
        "creel": [*creel, program, path],
        "DuckDB": bench.peer("duckdb_lines.py", "distinct", bench.threads, "none", path),
        "creel, 350 MB": [*creel, "--memory", "350M", "--tmpdir", measure.DATA, program, path],
        "ClickHouse, 1 GB": bench.peer("clickhouse_lines.py", "distinct", bench.threads, 10**9, path),
    }
    runs = bench.rounds(tools, work="distinct", slow={"ClickHouse, 1 GB"})
    work = "50 M keys, how many are different"
    return [
        bench.line(work, runs, "creel", "DuckDB", reach=0.27),
        bench.line(f"{work}, memory", runs, "creel", "DuckDB", figure="memory"),
        bench.line(f"{work}, in 350 MB", runs, "creel, 350 MB", "ClickHouse, 1 GB", reach=0.18),
        bench.line(f"{work}, in 350 MB, memory", runs, "creel, 350 MB", "ClickHouse, 1 GB", figure="memory"),
    ]
