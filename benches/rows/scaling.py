"""What a second core brings: each work on one thread and on two."""

import measure

from . import json
from .words import PROGRAM


def run(bench):
    mail, log = bench.mail(), json.records(bench)
    command = lambda threads, *rest: [bench.creel, "-j", threads, *rest]
    works = {
        "words": lambda threads: command(threads, PROGRAM, *mail),
        "JSON records": lambda threads: command(threads, json.PROGRAM, log),
        "lines counted": lambda threads: command(threads, 'filter(test("e")) | count', *mail),
        "lines written": lambda threads: command(threads, "-t", "text", 'filter(test("Message-ID"))', *mail),
        "owned words": lambda threads: [bench.example("owned_count"), threads, "words", *mail],
    }
    return [scaled(bench, work, command) for work, command in works.items()]


def scaled(bench, work, command):
    runs = bench.rounds({"one": command(1), "two": command(2)}, work=f"scaling, {work}")
    one, two = (measure.median(runs[name]) for name in ("one", "two"))
    form = measure.FIGURES["wall"]
    return measure.Line(f"{work} on 2 threads", form(two), "1 thread", form(one), one / two, 1.8, True)
