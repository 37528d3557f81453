"""10 GB through a filter to a file: the largest resident size, sampled from first to last byte."""

import os
import subprocess
import sys
import time

import measure

GIGABYTES = 10
MOST = 100e6
PROGRAM = 'filter(contains("the"))'


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


def feed(files, out, pack):
    """Writes 10 GB down a pipe, the files again and again, in another process."""
    again = -(-GIGABYTES * 10**9 // sum(path.stat().st_size for path in files))
    listed = " ".join(f"'{path}'" for path in files)
    script = f"for n in $(seq {again}); do cat {listed}; done | head -c {GIGABYTES * 10**9}"
    # At its fastest: what is watched is the memory of the reader.
    return subprocess.Popen(["sh", "-c", f"{script} | gzip -1" if pack else script], stdout=out)


def run(bench):
    files, lines = bench.mail(), []
    target = measure.DATA / "stream.out"
    for name, pack in (("10 GB down a pipe, to a file", False), ("the same, gzip", True)):
        reading, writing = os.pipe()
        feeder = feed(files, writing, pack)
        os.close(writing)
        command = [bench.creel, "-j", bench.threads, "-t", "text", "-o", target, PROGRAM, "-"]
        peak, count, wall = sampled(command, reading)
        os.close(reading)
        feeder.wait()
        written = target.stat().st_size
        target.unlink()
        bench.raw[name] = {"peak": peak, "samples": count, "wall": wall, "written": written}
        told = f"{peak / 1e6:.0f} MB"
        lines.append(measure.Line(name, told, "100 MB", f"{count} samples", peak / MOST, 1.0))
    return lines
