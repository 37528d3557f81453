"""20,000 files of 2 KB: counted, beside `cat` of them; and in S3, beside bare requests of the same client."""

import os

import measure
import servers

FILES = 20_000
LINE = b"a small file of %05d lines of text\n"


def contents():
    """Names and contents, 2,000 bytes each."""
    for at in range(FILES):
        yield f"{at:05}.txt", (LINE % at * 60)[:1999] + b"\n"


def run(bench):
    folder = measure.DATA / "small"
    if len(list(folder.glob("*.txt"))) != FILES:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents():
            (folder / name).write_bytes(text)
    files = measure.warm(sorted(folder.glob("*.txt")))
    creel = [bench.creel, "-j", bench.threads, "count"]
    runs = bench.rounds(
        {"creel": [*creel, folder], "cat": ["cat", *files]}, work="small files", agree=False
    )
    lines = [bench.line("20,000 files of 2 KB", runs, "creel", "cat", reach=1.5)]
    with servers.seaweedfs() as server:
        for name, text in contents():
            server.put(f"small/{name}", text)
        bare = {f"bare requests, {n} at a time": [bench.example("fetch"), f"{server.base}small", 0, n] for n in (32, 64, 128)}
        runs = bench.rounds(
            {"creel": [*creel, f"{server.base}small/*"], **bare},
            work="small objects", agree=False, repeats=3, env=os.environ | server.environment,
        )
        peer = min(bare, key=lambda name: measure.median(runs[name]))
        lines.append(bench.line("20,000 objects of 2 KB, SeaweedFS", runs, "creel", peer, reach=1.5))
    return lines
