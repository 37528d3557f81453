"""Count, conditional count, mean and exact p99 by address of an access log, by DuckDB: THREADS FILE"""

import sys

import duckdb

threads, path = sys.argv[1:]
connection = duckdb.connect()
connection.execute(f"SET threads = {int(threads)}")
connection.execute("SET preserve_insertion_order = false")
# By the database's own writer, for rows that come to Python one by one would take longer than the query.
connection.execute(
    f"""
    COPY (
        SELECT uri, count(*) AS n, count(*) FILTER (status >= 500) AS err, avg(rt) AS mean,
               quantile_disc(rt, 0.99) AS p99
        FROM read_json('{path}', format = 'newline_delimited',
                       columns = {{'uri': 'VARCHAR', 'status': 'INTEGER', 'rt': 'DOUBLE'}})
        GROUP BY uri ORDER BY uri
    ) TO '/dev/stdout' (FORMAT json)
    """
)
