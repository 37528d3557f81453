"""The ten commonest words of more than five letters, by Polars: HOW THREADS FILE..."""

import json
import os
import sys

how, threads, *files = sys.argv[1:]
os.environ["POLARS_MAX_THREADS"] = threads  # Read when the module is loaded.

import polars as pl

line = pl.col("line")
# Polars splits at one text; white space of other kinds is made a space first.
split = {"space": line, "white": line.str.replace_all("[\t\n\x0b\x0c\r]", " ")}[how].str.split(" ")
words = (
    pl.scan_csv(files, has_header=False, separator="\x01", quote_char=None, schema={"line": pl.String})
    .select(split.explode().alias("word"))
    .filter(pl.col("word").str.len_bytes() > 5)
    .group_by("word")
    .len()
    .sort(["len", "word"], descending=[True, False])
    .head(10)
    .collect(engine="streaming")
)
for word, count in words.iter_rows():
    print(json.dumps([word, count], ensure_ascii=False, separators=(",", ":")))
