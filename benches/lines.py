#!/usr/bin/env python3
"""Lines that match a pattern, counted and written: creel beside ripgrep. `make lines`

Over the text of run.py, from the page cache, both on so many threads, output to a file. Rounds are
interleaved; medians are shown. Both must find the same number of lines. The raw results go to
benches/results/.
"""

import argparse
import datetime
import json
import statistics
import sys

from run import HERE, ROOT, TARGET, machine, markdown, measure, text, version, warm

# A pattern, and why it is here.
PATTERNS = {
    "Message-ID": "a text, in one line of ninety",
    "^From:.*com$": "ends of lines, and a text to search for",
    "[a-z]+[0-9]{3}[a-z]+": "no text to search for",
    "e": "every line matches: counted only, as it would be the whole text",
}


def tools(pattern, threads, files):
    """What is measured: name, how, and the command."""
    creel, ripgrep = TARGET / "release/creel", TARGET / "tools/bin/rg"
    found = f'filter(test("{pattern}"))'
    listed = [ripgrep, "-j", threads, "--no-filename", "--no-config"]
    all_ways = [
        ("count", "creel", [creel, "-j", threads, f"{found} | count", *files]),
        ("count", "ripgrep", [*listed, "-c", "--include-zero", pattern, *files]),
        ("write", "creel", [creel, "-j", threads, found, *files]),
        ("write", "ripgrep", [*listed, pattern, *files]),
    ]
    return all_ways[:2] if len(pattern) == 1 else all_ways


def lines(how, out):
    """How many lines were found."""
    return sum(map(int, out.split())) if how == "count" else out.count("\n")


def rounds(options, files):
    results = {}
    for turn in range(options.rounds):
        for pattern in PATTERNS:
            found = set()
            for how, name, command in tools(pattern, options.threads, files):
                out, run = measure(command, False, may_find_nothing=True)
                results.setdefault((pattern, how, name), []).append(run)
                found.add(lines(how, out))
            if len(found) != 1:
                sys.exit(f"they do not agree on {pattern}: {found}")
        print(f"round {turn + 1}", file=sys.stderr)
    return results


def table(results):
    def median(key, what):
        return statistics.median(run[what] for run in results[key])

    rows = [("pattern", "", "creel s", "CPU s", "ripgrep s", "CPU s", "wall", "CPU")]
    for pattern in PATTERNS:
        for how in ("count", "write"):
            if (pattern, how, "creel") not in results:
                continue
            ours, theirs = [
                [median((pattern, how, name), what) for what in ("wall", "cpu")]
                for name in ("creel", "ripgrep")
            ]
            ratios = [f"{a / b:.2f}x" for a, b in zip(ours, theirs)]
            rows.append((f"`{pattern}`", how, *(f"{n:.2f}" for n in (*ours, *theirs)), *ratios))
    markdown(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--size", type=int, default=64, help="MiB of each file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-save", action="store_true")
    options = parser.parse_args()

    files = text(options.files, options.size)
    warm(files)
    results = rounds(options, files)
    table(results)
    if not options.no_save:
        today = datetime.date.today().isoformat()
        path = HERE / "results" / f"{today}-lines.json"
        versions = {
            "commit": version("git", "-C", ROOT, "describe", "--always", "--dirty"),
            "ripgrep": version(TARGET / "tools/bin/rg", "--version"),
        }
        runs = [{"pattern": p, "how": h, "tool": t, "runs": r} for (p, h, t), r in results.items()]
        record = {"date": today, "machine": machine(), "versions": versions, "results": runs}
        path.write_text(json.dumps(record, indent=1) + "\n")
        print(f"raw results: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
