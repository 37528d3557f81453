"""Words in one compressed file, beside its decompressor alone.

Two files of 64 MiB of text are together 66 MB of .gz; a file of one of them is measured too. What
two cores can do at best is half the CPU time of decompressing and of counting, added: it is a
line of its own, since counting takes longer than a fast decompressor. And a decompressor is slower
while the other core counts: cores share what they run at, and memory.
"""

import shlex
import subprocess
import zlib

import measure

from .words import PROGRAM

TOOLS = measure.DATA / "tools/bin"


def run(bench):
    lines = []
    for files in (2, 1):
        text = joined(bench, files)
        for codec in ("gz", "zst", "bz2"):
            lines += one(bench, text, codec, whole=files == 2)
    text = joined(bench, 2)
    lines += one(bench, text, "bgz", whole=True)
    lines += one(bench, text, "frames.zst", whole=True)
    return lines


def one(bench, text, codec, whole):
    """The lines of a codec."""
    file = packed(text, codec)
    peers = {
        "gz": {"igzip": [TOOLS / "igzip"], "zcat": ["gzip"]},
        "bgz": {"zcat": ["gzip"]},
        "zst": {"zstd": ["zstd", "-q"]},
        "frames.zst": {"zstd": ["zstd", "-q"]},
        "bz2": {"lbzip2": [TOOLS / "lbzip2", "-n", bench.threads]},
    }[codec]
    work = f"words of {file.stat().st_size / 1e6:.0f} MB .{codec}"
    count = [bench.creel, "-j", bench.threads, PROGRAM]
    tools = {
        "creel": [*count, file],
        "text": [*count, text],
        # The library that creel decompresses with, or for bzip2 the one that it could.
        "its library": [bench.example("decompress"), file],
        **{name: [*command, "-dc", file] for name, command in peers.items()},
    }
    if whole and codec != "bz2":
        # It takes longer than the decompressor.
        busy = shlex.join(map(str, [bench.creel, "-j", 1, PROGRAM, *[text] * 4]))
        script = f"{busy} & {shlex.join(map(str, tools['its library']))}; code=$?; kill $!; wait; exit $code"
        tools["its library, beside a count"] = ["sh", "-c", script]
    bench.rounds({name: tools[name] for name in ("creel", "text")}, work=f"{work}, agreed", repeats=1)
    runs = bench.rounds(tools, work=work, agree=False, discard=True)
    reach = {"its library": 1.15, "zcat": 0.5, "lbzip2": 1.15}
    lines = [
        bench.line(work, runs, "creel", name, reach=reach.get(name) if whole else None)
        for name in runs if name not in ("creel", "text")
    ]
    return [*lines, bound(bench, work, runs, codec)]


def bound(bench, work, runs, codec):
    """creel beside all CPU time that the work takes, spread over all cores."""
    ours = measure.median(runs["creel"])
    if codec == "bz2":
        cpu, what = measure.median(runs["creel"], "cpu"), "its own CPU time on all cores"
    else:
        cpu = sum(measure.median(runs[name], "cpu") for name in ("its library", "text"))
        what = "library and counting of the text, on all cores"
    best, form = cpu / bench.threads, measure.FIGURES["wall"]
    return measure.Line(work, form(ours), what, form(best), ours / best)


def joined(bench, files):
    """The text of so many files, in one."""
    path = measure.DATA / f"codecs-{files}.txt"
    if not path.exists():
        partial = path.with_suffix(".partial")
        with open(partial, "wb") as out:
            for file in bench.mail(files):
                out.write(file.read_bytes())
        partial.rename(path)
    measure.warm([path])
    return path


def packed(text, codec):
    """The text, compressed as people do it: at the tools' own levels."""
    path = text.with_suffix("." + codec)
    if not path.exists():
        partial = path.with_name(path.name + ".partial")
        with open(partial, "wb") as out:
            if codec == "bgz":
                out.write(bgzf(text.read_bytes()))
            elif codec == "frames.zst":
                data = text.read_bytes()
                for at in range(0, len(data), 1 << 20):
                    out.write(pipe(["zstd", "-q", "-c"], data[at:at + (1 << 20)]))
            else:
                tool = {"gz": ["gzip"], "zst": ["zstd", "-q"], "bz2": ["bzip2"]}[codec]
                subprocess.run([*tool, "-c", text], stdout=out, check=True)
        partial.rename(path)
    measure.warm([path])
    return path


def pipe(command, data):
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def bgzf(data):
    """Gzip in members that say how long they are, as bgzip writes it."""
    out = bytearray()
    for at in [*range(0, len(data), 0xff00), len(data)]:
        part = data[at:at + 0xff00]
        deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        body = deflate.compress(part) + deflate.flush()
        out += b"\x1f\x8b\x08\x04" + bytes(5) + b"\xff\x06\0BC\x02\0"
        out += (len(body) + 25).to_bytes(2, "little") + body
        out += zlib.crc32(part).to_bytes(4, "little") + len(part).to_bytes(4, "little")
    return out
