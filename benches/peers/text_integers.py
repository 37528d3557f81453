"""How often each integer of a text file with one a line occurs, by a peer in this process:

    ENGINE THREADS FILE [LIMIT]

Prints how many are distinct, how many there are, and how often the commonest occurs. From LIMIT bytes on ClickHouse
goes to the disk.
"""

import os
import sys

engine, threads, path, *limit = sys.argv[1:]
if engine == "clickhouse":
    import chdb

    external = f", max_bytes_before_external_group_by = {int(limit[0])}" if limit else ""
    query = f"""
        SELECT count(), sum(n), max(n)
        FROM (SELECT v, count() AS n FROM file('{path}', TSV, 'v UInt64') GROUP BY v)
        SETTINGS max_threads = {int(threads)}{external}
    """
    print(" ".join(str(chdb.query(query, "TSV")).split()))
else:
    os.environ["POLARS_MAX_THREADS"] = threads
    import polars

    counts = polars.scan_csv(path, has_header=False, schema={"v": polars.UInt64}).group_by("v").len("n")
    n = polars.col("n")
    result = counts.select(distinct=polars.len(), all=n.cast(polars.UInt64).sum(), most=n.max())
    print(*result.collect(engine="streaming").row(0))
