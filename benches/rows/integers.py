"""How often each of 100 million integers occurs, 20 million distinct, beside ClickHouse and Polars.

creel counts a bag in memory, and its run alone is shown. ClickHouse and Polars are shown as whole processes that
read a text file with an integer a line; and ClickHouse once more by its query alone over the same integers, eight
bytes each, which is the form that it reads fastest. All files are in the page cache.

And the same in half of the memory that each takes for it, beside ClickHouse.
"""

import measure

INTEGERS, DISTINCT = 100_000_000, 20_000_000
# Half of the lists and tables of creel, and of the resident memory of ClickHouse.
HALF = {"creel": 750_000_000, "ClickHouse": 1_600_000_000}


def text_of(path):
    """The integers of a file, one a line."""
    text = path.with_suffix(".txt")
    if not text.exists():
        made = text.with_suffix(".made")
        with path.open("rb") as integers, made.open("wb") as out:
            while block := integers.read(8 << 20):
                numbers = memoryview(block).cast("Q")
                out.write(b"".join(b"%d\n" % number for number in numbers))
        made.rename(text)
    return text


def run(bench):
    program = bench.example("integers")
    path = measure.DATA / f"integers-{INTEGERS}-{DISTINCT}.u64"
    bench.made(path, program, INTEGERS, DISTINCT)
    text = text_of(path)
    measure.warm([path, text])
    creel = [program, path, bench.threads]
    halved = [*creel, f"memory={HALF['creel']}"]
    timed = {"creel": creel, "creel, half": halved, "ClickHouse, query": bench.peer("clickhouse_integers.py", bench.threads, path)}
    whole = {
        "ClickHouse": bench.peer("text_integers.py", "clickhouse", bench.threads, text),
        "Polars": bench.peer("text_integers.py", "polars", bench.threads, text),
        "ClickHouse, half": bench.peer("text_integers.py", "clickhouse", bench.threads, text, HALF["ClickHouse"]),
    }
    bench.rounds({**timed, **whole}, work="integers, answers", repeats=1)
    alone = {name: [*command, "time"] for name, command in timed.items()}
    told = dict.fromkeys(alone, lambda out: {"wall": float(out)})
    runs = bench.rounds({**alone, **whole}, work="integers", agree=False, told=told)
    work = "100 M integers, 20 M distinct"
    return [
        bench.line(work, runs, "creel", "ClickHouse", reach=0.35),
        bench.line(work, runs, "creel", "Polars", reach=0.35),
        bench.line(work, runs, "creel", "ClickHouse, query"),
        bench.line(f"{work}, in half", runs, "creel, half", "ClickHouse, half", reach=0.22),
        bench.line(f"{work}, in half", runs, "creel, half", "creel", reach=1.2),
    ]
