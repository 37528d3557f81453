"""The ten commonest words of more than five letters, by Daft in one process: THREADS FILE..."""

import json
import os
import sys

os.environ["DAFT_ANALYTICS_ENABLED"] = "0"  # Read when the module is loaded.

import daft
from daft.functions import explode, length, split

threads, *files = sys.argv[1:]
daft.set_runner_native(num_threads=int(threads))
word, count = daft.col("word"), daft.col("count")
words = (
    daft.read_text(files)
    .select(explode(split(daft.col("text"), " ")).alias("word"))
    .where(length(word) > 5)
    .groupby("word")
    .agg(word.count().alias("count"))
    .sort([count, word], desc=[True, False])
    .limit(10)
    .to_pydict()
)
for row in zip(words["word"], words["count"]):
    print(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
