"""Lines in order to a file, or how many different ones there are, by ClickHouse in this process:

    sort THREADS LIMIT OUT FILE
    distinct THREADS LIMIT FILE

LIMIT is a number of bytes from which on it goes to the disk, or none.
"""

import pathlib
import sys

import chdb

what, threads, limit, *files = sys.argv[1:]
settings = f"SETTINGS max_threads = {int(threads)}"
if what == "sort":
    out, path = files
    pathlib.Path(out).unlink(missing_ok=True)
    chdb.query(
        f"""SELECT line FROM file('{path}', LineAsString, 'line String') ORDER BY line
            INTO OUTFILE '{out}' FORMAT TSVRaw {settings}"""
    )
else:
    [path] = files
    if limit != "none":
        settings += f", max_bytes_before_external_group_by = {int(limit)}, max_memory_usage = {2 * int(limit)}"
    # Its DISTINCT does not go to the disk, and GROUP BY is as fast.
    query = f"SELECT count() FROM (SELECT line FROM file('{path}', LineAsString, 'line String') GROUP BY line) {settings}"
    print(str(chdb.query(query, "TSV")).strip())
