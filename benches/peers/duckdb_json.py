"""The ten addresses with most failures in an access log of JSON records, by DuckDB: THREADS FILE [time]

Prints the rows, or the seconds that the query itself took: half of a process that is as short as this
one is Python and DuckDB coming up, which is theirs and not the query's.
"""

import json
import sys
import time

import duckdb

threads, path, *timed = sys.argv[1:]
connection = duckdb.connect()
connection.execute(f"SET threads = {int(threads)}")
began = time.perf_counter()
rows = connection.execute(
    """
    SELECT uri, count(*) AS n
    FROM read_json(?, columns = {'status': 'INTEGER', 'uri': 'VARCHAR'}, format = 'newline_delimited')
    WHERE status >= 500 GROUP BY uri ORDER BY n DESC, uri LIMIT 10
    """,
    [path],
).fetchall()
took = time.perf_counter() - began
if timed:
    print(took)
else:
    for uri, count in rows:
        print(json.dumps([uri, count], ensure_ascii=False, separators=(",", ":")))
