"""How often each of 100 million integers occurs, 20 million distinct, beside ClickHouse.

creel counts a bag in memory; ClickHouse reads the same integers, eight bytes each, out of the page cache, which is
the form that it reads fastest. Of creel the run alone is shown, of ClickHouse the query alone.
"""

import measure

INTEGERS, DISTINCT = 100_000_000, 20_000_000


def run(bench):
    program = bench.example("integers")
    path = measure.DATA / f"integers-{INTEGERS}-{DISTINCT}.u64"
    bench.made(path, program, INTEGERS, DISTINCT)
    measure.warm([path])
    creel = [program, path, bench.threads]
    clickhouse = bench.peer("clickhouse_integers.py", bench.threads, path)
    agreed = bench.rounds({"creel": creel, "ClickHouse": clickhouse}, work="answers", repeats=1)
    runs = {name: [] for name in agreed}
    for _ in range(bench.repeats):
        for name, command in (("creel", creel), ("ClickHouse", clickhouse)):
            if name in runs:
                runs[name].append({"wall": bench.printed([*command, "time"])})
    bench.raw["integers"] = runs
    return [bench.line("100 M integers, 20 M distinct", runs, "creel", "ClickHouse", reach=0.35)]
