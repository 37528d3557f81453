"""The ten commonest words of more than five letters, by DuckDB: HOW THREADS LIMIT FILE..."""

import json
import sys

import duckdb

how, threads, limit, *files = sys.argv[1:]
split = {
    # One space: the least work, and the same words, since they stand apart by one.
    "space": "string_split(line, ' ')",
    # White space, as creel and Python split.
    "regex": r"string_split_regex(line, '\s+')",
    # White space of ASCII, without a regular expression: half the time.
    "white": "string_split(translate(line, chr(9) || chr(11) || chr(12) || chr(13), '    '), ' ')",
}[how]
connection = duckdb.connect()
connection.execute(f"SET threads = {int(threads)}")
if limit != "none":
    connection.execute(f"SET memory_limit = '{limit}'")
# Lines by read_csv with a separator that does not occur and neither quotes nor escapes: of the ways
# to read lines it is the one that uses all threads within a file. read_text and a split at line ends
# makes one value of each file, and takes more than twenty times as long.
rows = connection.execute(
    f"""
    SELECT word, count(*) AS n
    FROM (
        SELECT unnest({split}) AS word
        FROM read_csv(?, columns = {{'line': 'VARCHAR'}}, header = false, delim = '\x01',
                      quote = '', escape = '', auto_detect = false)
    )
    WHERE length(word) > 5 GROUP BY word ORDER BY n DESC, word LIMIT 10
    """,
    [files],
).fetchall()
for word, count in rows:
    print(json.dumps([word, count], ensure_ascii=False, separators=(",", ":")))
