"""10 GB through a filter to a file: the largest resident size, sampled from first to last byte."""

import os
import subprocess
import sys
import time

import measure

GIGABYTES = 10
MOST = 100e6
# A sixth of the text.
PROGRAM = 'filter(contains("an"))'


def sampled(command, stdin):
    """Runs a command; the largest of the resident sizes that were seen, how many, and the seconds."""
    began, sizes = time.perf_counter(), []
    child = subprocess.Popen([str(part) for part in command], stdin=stdin)
    while child.poll() is None:
        sizes.append(measure.tree_memory(child.pid))
        time.sleep(0.02)
    if child.returncode:
        sys.exit(f"{command[0]} failed with exit code {child.returncode}")
    return max(sizes), len(sizes), time.perf_counter() - began


def feed(files, out):
    """Writes the files down a pipe, again and again up to 10 GB as they unpack, in another process."""
    listed = " ".join(f"'{path}'" for path in files)
    return subprocess.Popen(["sh", "-c", f"for n in $(seq {GIGABYTES}); do cat {listed}; done"], stdout=out)


def packed(files):
    """The files as members of one in gzip."""
    path = measure.DATA / "stream.gz"
    if not path.exists():
        listed = " ".join(f"'{path}'" for path in files)
        subprocess.run(["sh", "-c", f"gzip -1 -c {listed} > '{path}.partial' && mv '{path}.partial' '{path}'"], check=True)
    return measure.warm([path])


def run(bench):
    files, lines = bench.mail(), []
    target = measure.DATA / "stream.out"
    for name, fed in (("10 GB down a pipe, to a file", files), ("the same, gzip", packed(files))):
        reading, writing = os.pipe()
        feeder = feed(fed, writing)
        os.close(writing)
        command = [bench.creel, "-j", bench.threads, "-t", "text", "-o", target, PROGRAM, "-"]
        peak, count, wall = sampled(command, reading)
        os.close(reading)
        feeder.wait()
        written = target.stat().st_size
        target.unlink()
        if written < GIGABYTES * 1e8:
            sys.exit(f"{name}: only {written} bytes were written")
        bench.raw[name] = {"peak": peak, "samples": count, "wall": wall, "written": written}
        told = f"{peak / 1e6:.0f} MB"
        lines.append(measure.Line(name, told, "100 MB", f"{count} samples", peak / MOST, 1.0))
    return lines
