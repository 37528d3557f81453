"""The ten commonest words of more than five letters, by dask.bag: WORKERS FILE..."""

import json
import sys

import dask
import dask.bag as db


def main():
    workers, *files = sys.argv[1:]
    # Processes: the bag's own default, since Python's threads would take turns. Fewer, larger
    # partitions than files merge faster, more use less memory; a file each is what users write.
    with dask.config.set(scheduler="processes", num_workers=int(workers)):
        words = db.read_text(files).map(str.split).flatten().filter(lambda word: len(word) > 5)
        # More than ten, for of equal counts topk keeps whichever came first.
        counts = words.frequencies().topk(20, key=lambda pair: pair[1])
        pairs = sorted(counts.compute(), key=lambda pair: (-pair[1], pair[0]))
    for pair in pairs[:10]:
        print(json.dumps(pair, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main()
