"""16 objects of 64 MiB from object stores, beside bare requests of the same client.

The program counts the lines that hold a word that is in none: a search through all bytes, which is
the cheapest that a program does. What counts words costs a core of its own, and the two cores are the
server's too, which needs ten times the CPU time of its clients.

The bare requests are streamed and thrown away, in ranges of 8 and 16 MiB and of whole objects, at
several numbers at a time; the fastest is the peer.
"""

import os

import measure
import servers

PROGRAM = 'filter(contains("no such word")) | count'
BARE = [(8, 8), (16, 4), (65, 2), (65, 4), (65, 16)]
DELAY = 50


def fastest(bench, server, environment, work):
    """The bare requests that are fastest, as a command."""
    commands = {
        f"{mebibytes} MiB x {number}": [bench.example("fetch"), f"{server.base}large", mebibytes << 20, number]
        for mebibytes, number in BARE
    }
    runs = bench.rounds(commands, work=f"{work}, bare requests", repeats=1, env=environment)
    name = min(runs, key=lambda name: measure.median(runs[name]))
    return name, commands[name]


def compare(bench, server, environment, work, reach):
    name, bare = fastest(bench, server, environment, work)
    creel = [bench.creel, "-j", bench.threads, PROGRAM, f"{server.base}large/*"]
    tools = {"creel": creel, f"bare requests, {name}": bare}
    runs = bench.rounds(tools, work=work, agree=False, env=environment)
    return bench.line(work, runs, "creel", f"bare requests, {name}", reach=reach)


def run(bench):
    lines = []
    for start in (servers.seaweedfs, servers.fake_gcs_server):
        with start() as server:
            for at, path in enumerate(bench.mail()):
                server.put(f"large/{at:02}.txt", path.read_bytes())
            environment = os.environ | server.environment
            work = f"1 GiB in 16 objects, {server.name}"
            lines.append(compare(bench, server, environment, work, 1.1))
            with servers.delayed(server, DELAY) as environment:
                work = f"the same, {DELAY} ms more a request"
                lines.append(compare(bench, server, os.environ | environment, f"{work}, {server.name}", 1.3))
    return lines
