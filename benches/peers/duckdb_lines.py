"""Lines in order to a file, or how many different ones there are, by DuckDB:

    sort THREADS LIMIT OUT FILE...
    distinct THREADS LIMIT FILE...
"""

import pathlib
import sys
import tempfile

import duckdb

what, threads, limit, *files = sys.argv[1:]
connection = duckdb.connect()
connection.execute(f"SET threads = {int(threads)}")
connection.execute("SET preserve_insertion_order = false")
if limit != "none":
    connection.execute(f"SET memory_limit = '{limit}'")
# A separator that does not occur; it reads empty lines as missing values.
LINES = """(SELECT coalesce(line, '') AS line
            FROM read_csv(?, columns = {'line': 'VARCHAR'}, header = false, delim = '\x01',
                          quote = '', escape = '', auto_detect = false))"""
with tempfile.TemporaryDirectory(dir=pathlib.Path(files[0]).parent) as spilled:
    connection.execute(f"SET temp_directory = '{spilled}'")
    if what == "sort":
        out, *files = files
        connection.execute(
            f"""COPY (SELECT line FROM {LINES} ORDER BY line) TO '{out}'
                (FORMAT csv, HEADER false, DELIMITER '\x01', QUOTE '', ESCAPE '')""",
            [files],
        )
    else:
        rows = connection.execute(f"SELECT count(*) FROM (SELECT DISTINCT line FROM {LINES})", [files])
        print(*rows.fetchone())
