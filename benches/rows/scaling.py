"""What a second core brings: each work on one thread and on two.

How much a second core can bring is the machine's to say: beside two threads, two processes of one thread
each take half of the files, and neither wait for one another nor put their results together.
"""

import shlex

import measure

from . import json
from .words import PROGRAM


def run(bench):
    mail, log = bench.mail(), json.records(bench)
    command = lambda *rest: lambda threads, files: [bench.creel, "-j", threads, *rest, *files]
    works = {
        "words": (command(PROGRAM), mail),
        "JSON records": (command(json.PROGRAM), [log]),
        "lines counted": (command('filter(test("e")) | count'), mail),
        "lines written": (command("-t", "text", 'filter(test("Message-ID"))'), mail),
        "owned words": (lambda threads, files: [bench.example("owned_count"), threads, "words", *files], mail),
    }
    return [line for work, (command, files) in works.items() for line in scaled(bench, work, command, files)]


def scaled(bench, work, command, files):
    """The lines of a work: how much faster two threads are than one, and how much slower than two processes."""
    tools = {"one": command(1, files), "two": command(2, files)}
    runs = bench.rounds(tools, work=f"scaling, {work}")
    one, two = (measure.median(runs[name]) for name in ("one", "two"))
    form = measure.FIGURES["wall"]
    yield measure.Line(f"{work} on 2 threads", form(two), "1 thread", form(one), one / two, 1.8, True)
    if len(files) > 1:
        half = len(files) // 2
        halves = [shlex.join(map(str, command(1, some))) for some in (files[:half], files[half:])]
        tools = {"two": command(2, files), "2 processes": ["sh", "-c", f"{halves[0]} & {halves[1]} && wait $!"]}
        runs = bench.rounds(tools, work=f"processes, {work}", agree=False)
        yield bench.line(f"{work}, 2 threads", runs, "two", "2 processes")
