"""dask.bag on a cluster: ADDRESS words FILE... for the ten commonest words of more than five letters, or
ADDRESS count PATTERN MARK for the lines; the first task makes the file MARK."""

import json
import os
import sys

import dask.bag as db
from distributed import Client


def words(files):
    found = db.read_text(files).map(str.split).flatten().filter(lambda word: len(word) > 5)
    # More than ten, for of equal counts topk keeps whichever came first.
    counts = found.frequencies().topk(20, key=lambda pair: pair[1])
    return sorted(counts.compute(), key=lambda pair: (-pair[1], pair[0]))[:10]


def count(pattern, mark):
    def marked(lines):
        if not os.path.exists(mark):
            open(mark, "a").close()
        return lines

    return [db.read_text(pattern).map_partitions(marked).count().compute()]


def main():
    address, work, *arguments = sys.argv[1:]
    with Client(address):
        for row in words(arguments) if work == "words" else count(*arguments):
            print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
