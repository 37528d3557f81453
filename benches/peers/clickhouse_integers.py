"""How often each integer occurs, eight bytes each, by ClickHouse in this process: THREADS FILE [time]

Prints how many are distinct, how many there are, and how often the commonest occurs; or the seconds that the
query took.
"""

import sys
import time

import chdb

threads, path, *timed = sys.argv[1:]
chdb.query("SELECT 1")  # So that it has come up.
began = time.perf_counter()
result = chdb.query(
    f"""
    SELECT count(), sum(n), max(n)
    FROM (SELECT v, count() AS n FROM file('{path}', RowBinary, 'v UInt64') GROUP BY v)
    SETTINGS max_threads = {int(threads)}
    """,
    "TSV",
)
took = time.perf_counter() - began
print(took if timed else " ".join(str(result).split()))
