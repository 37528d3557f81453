"""The same words in 1.2 GB of the kernel's source, of which 11 million are distinct; and in 512 MB.

creel's white space is Unicode's, the peers' that of ASCII: a word behind a no-break space is one more
to creel. So the ten commonest words are compared, and not how often they occur.
"""

import json

import measure

from .words import PROGRAM


def run(bench):
    folder = bench.made(measure.DATA / "kernel", measure.HERE / "kernel_source.py")
    files, threads = measure.warm(sorted(folder.glob("*.txt"))), bench.threads
    runs = bench.rounds(
        {
            "creel": [bench.creel, "-j", threads, PROGRAM, *files],
            "creel, 512 MB": [bench.creel, "-j", threads, "--memory", "512MB", PROGRAM, *files],
            "ClickHouse": bench.peer("clickhouse_count.py", "white", threads, *files),
            "DuckDB": bench.peer("duckdb_count.py", "white", threads, "none", *files),
            "DuckDB, 512 MB": bench.peer("duckdb_count.py", "white", threads, "512MB", *files),
            "Polars": bench.peer("polars_count.py", "white", threads, *files),
        },
        work="kernel",
        agree=lambda out: [json.loads(line)[0] for line in out.splitlines()].__repr__(),
        slow={"DuckDB", "Polars"},
    )
    asked = {"ClickHouse": 0.6}
    lines = [
        bench.line("words of kernel source", runs, "creel", peer, reach=asked.get(peer))
        for peer in ("ClickHouse", "DuckDB", "Polars")
    ]
    return [
        *lines,
        bench.line("the same, memory", runs, "creel", "ClickHouse", reach=1.0, figure="memory"),
        bench.line("the same in 512 MB", runs, "creel, 512 MB", "DuckDB, 512 MB", reach=0.5),
        bench.line("the same, memory", runs, "creel, 512 MB", "DuckDB, 512 MB", figure="memory"),
    ]
