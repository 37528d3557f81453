#!/usr/bin/env python3
"""Runs creel beside its peers, row by row, and prints one table. `make bench`

Each row is a file in rows/, which says what is measured; measure.py says how. The raw results go to
results/, a file for each row.
"""

import argparse
import datetime
import importlib
import json
import pathlib
import sys

import measure

ROWS = sorted(path.stem for path in (measure.HERE / "rows").glob("[a-z]*.py"))


def save(row, bench, lines):
    today = datetime.date.today().isoformat()
    path = measure.HERE / "results" / f"{today}-{row}.json"
    record = {
        "date": today, "row": row, "threads": bench.threads, "machine": measure.machine(),
        "versions": measure.versions(), "table": [line.cells() for line in lines], "runs": bench.raw,
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    print(f"raw results: {path.relative_to(measure.ROOT)}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], help="which rows; all if none is named")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-save", action="store_true")
    parser.add_argument("--old", type=pathlib.Path, metavar="FOLDER",
                        help="the release folder of an older commit, beside which creel is measured, and no peer")
    options = parser.parse_args()

    measure.DATA.mkdir(parents=True, exist_ok=True)
    table = [("work", "creel", "beside", "it takes", "ratio", "asked")]
    for row in options.rows or ROWS:
        bench = measure.Bench(options.rounds, options.threads, options.old)
        lines = importlib.import_module(f"rows.{row}").run(bench)
        lines = bench.before if options.old else [line for line in lines if line]
        table.extend(line.cells() for line in lines)
        if not options.no_save:
            save(f"{row}-old" if options.old else row, bench, lines)
    measure.markdown(table)


if __name__ == "__main__":
    main()
