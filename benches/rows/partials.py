"""1.1 GB of records in 16 files as 16 partials and a merge, beside one run over all of them: processor time.

Each partial is a process of one thread, as on a machine of its own.
"""

import shlex
import shutil

import measure
from rows import groupby

FILES = 16
RECORDS = 4_000_000


def parts(log):
    """The log's records in files, cut at ends of lines."""
    folder = log.with_suffix(".parts")
    if not folder.exists():
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        lines = log.read_bytes().splitlines(keepends=True)
        each = -(-len(lines) // FILES)
        for n in range(FILES):
            part = b"".join(lines[n * each:(n + 1) * each])
            (partial / f"{n:02}.jsonl").write_bytes(part)
        partial.rename(folder)
    return measure.warm(sorted(folder.glob("*.jsonl")))


def by_partials(bench, files):
    """A shell command: a partial of each file, and their merge."""
    folder = measure.DATA / "partials"
    folder.mkdir(exist_ok=True)
    creel, program = shlex.quote(str(bench.creel)), shlex.quote(groupby.PROGRAM)
    states = [folder / f"{file.stem}.creel" for file in files]
    steps = [
        f"{creel} -j 1 --partial {shlex.quote(str(state))} {program} {shlex.quote(str(file))}"
        for state, file in zip(states, files)
    ]
    merge = f"{creel} -j {bench.threads} --merge {shlex.join(map(str, states))}"
    return ["sh", "-ec", "\n".join([*steps, merge])]


def run(bench):
    lines = []
    for work, pages in groupby.PAGES.items():
        files = parts(groupby.records(bench, pages, RECORDS))
        tools = {
            "partials": by_partials(bench, files),
            "one run": [bench.creel, "-j", bench.threads, groupby.PROGRAM, *files],
        }
        runs = bench.rounds(tools, work=f"partials, {work}")
        lines.append(
            bench.line(f"16 partials and a merge, {work}", runs, "partials", "one run", reach=1.3, figure="cpu")
        )
    return lines
