"""Words of more than five letters, the ten commonest, in 1 GiB of mail-like text."""

PROGRAM = "words | filter(length > 5) | frequencies | topk(10)"


def run(bench):
    files, threads = bench.mail(), bench.threads
    runs = bench.rounds(
        {
            "creel": [bench.creel, "-j", threads, PROGRAM, *files],
            "lent plan": [bench.example("lent_count"), threads, *files],
            "ClickHouse": bench.peer("clickhouse_count.py", "space", threads, *files),
            "DuckDB": bench.peer("duckdb_count.py", "space", threads, "none", *files),
            "DuckDB, by regex": bench.peer("duckdb_count.py", "regex", threads, "none", *files),
            "Polars": bench.peer("polars_count.py", "space", threads, *files),
            "dask.bag": bench.peer("dask_count.py", threads, *files),
            "mawk": ["mawk", "-f", bench.peer("count.awk")[1], *files],
        },
        work="words",
        slow={"DuckDB, by regex", "dask.bag", "mawk"},
        trees={"dask.bag"},
    )
    asked = {"ClickHouse": 0.28, "DuckDB": 0.20}
    lines = [
        bench.line(f"words of 1 GiB of mail, {ours}", runs, tool, peer, reach=asked.get(peer))
        for ours, tool in (("command", "creel"), ("lent plan", "lent plan"))
        for peer in runs if peer not in ("creel", "lent plan")
    ]
    return [*lines, bench.line("the same, memory", runs, "creel", "DuckDB", figure="memory")]
