"""The ten commonest words of more than five letters, by ClickHouse in this process: HOW THREADS FILE..."""

import json
import pathlib
import sys

import chdb

how, threads, *files = sys.argv[1:]
# One space where words stand apart by that: the least work. White space elsewhere, which is that of
# ASCII, and what a word's length is in bytes: cheaper than code points, and the same ten words.
split = {"space": "splitByChar(' ', line)", "white": "splitByWhitespace(line)"}[how]
(folder,) = {str(pathlib.Path(file).parent) for file in files}
names = ",".join(pathlib.Path(file).stem for file in files)
result = chdb.query(
    f"""
    SELECT word, count() AS n
    FROM (SELECT arrayJoin({split}) AS word FROM file('{folder}/{{{names}}}.txt', LineAsString))
    WHERE length(word) > 5 GROUP BY word ORDER BY n DESC, word LIMIT 10
    SETTINGS max_threads = {int(threads)}
    """,
    "JSONCompactEachRow",
)
for line in str(result).splitlines():
    word, count = json.loads(line)
    print(json.dumps([word, int(count)], ensure_ascii=False, separators=(",", ":")))
