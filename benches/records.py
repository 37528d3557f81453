#!/usr/bin/env python3
"""Records of JSON, filtered and counted: creel beside DuckDB. `make records`

A million records of an access log, from the page cache. creel checks every record whole; DuckDB is
given the two columns that the query uses. Rounds are interleaved; medians are shown, of the whole
process, and for DuckDB of the query alone too. Both must give the same rows. The raw results go to
benches/results/.
"""

import argparse
import datetime
import json
import statistics
import subprocess
import sys
import time

from run import HERE, PEERS, PYTHON, ROOT, TARGET, machine, markdown, measure, version, warm

PROGRAM = "filter(.status >= 500) | frequencies(.uri) | topk(10)"


def query_alone(threads, path):
    """Seconds of DuckDB's query, in a process of its own."""
    done = subprocess.run(
        [PYTHON, PEERS / "duckdb_json.py", str(threads), path, "time"],
        capture_output=True, text=True, check=True,
    )
    return float(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-save", action="store_true")
    options = parser.parse_args()

    path = TARGET / "bench" / f"access-{options.records}.jsonl"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([TARGET / "release/examples/generate_json", path, str(options.records)], check=True)
    warm([path])
    tools = {
        "creel": [TARGET / "release/creel", "-j", options.threads, PROGRAM, path],
        "DuckDB": [PYTHON, PEERS / "duckdb_json.py", options.threads, path],
    }
    results, answers = {name: [] for name in tools}, set()
    for _ in range(options.rounds):
        for name, command in tools.items():
            out, run = measure(command, False)
            results[name].append(run)
            answers.add(out)
        results.setdefault("DuckDB, query alone", []).append({"wall": query_alone(options.threads, path)})
        time.sleep(0.1)
    if len(answers) != 1:
        sys.exit("the tools do not agree")

    rows = [("", "wall s", "CPU s", "peak MB", "wall")]
    base = statistics.median(run["wall"] for run in results["creel"])
    for name, runs in results.items():
        wall = statistics.median(run["wall"] for run in runs)
        rest = ["", ""]
        if "cpu" in runs[0]:
            rest = [f"{statistics.median(run['cpu'] for run in runs):.2f}",
                    f"{statistics.median(run['memory'] for run in runs) / 1e6:.0f}"]
        rows.append((name, f"{wall:.3f}", *rest, f"{wall / base:.2f}x"))
    markdown(rows)
    if not options.no_save:
        today = datetime.date.today().isoformat()
        saved = HERE / "results" / f"{today}-records.json"
        versions = {
            "commit": version("git", "-C", ROOT, "describe", "--always", "--dirty"),
            "duckdb": version(PYTHON, "-c", "import duckdb; print(duckdb.__version__)"),
        }
        record = {"date": today, "program": PROGRAM, "records": options.records, "bytes": path.stat().st_size,
                  "machine": machine(), "versions": versions, "runs": results}
        saved.write_text(json.dumps(record, indent=1) + "\n")
        print(f"raw results: {saved.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
