#!/usr/bin/env python3
"""Makes a folder of kernel source as text: kernel_source.py FOLDER

All *.c, *.h, *.rst, *.txt and *.S of Debian's linux-source-6.1, in the order of the archive, joined
into files of about 75 MB. Needs apt-get and dpkg-deb, and no root.
"""

import pathlib
import subprocess
import sys
import tarfile
import tempfile

PACKAGE = "linux-source-6.1"
KINDS = (".c", ".h", ".rst", ".txt", ".S")
SIZE = 75_000_000


def archive(folder):
    """Downloads and unpacks the package: the archive in it."""
    lists = folder / "lists/partial"
    lists.mkdir(parents=True)
    # Lists of our own: the machine's may be empty or stale, and updating them takes root.
    apt = ["apt-get", "-q=2", "-o", f"Dir::State::Lists={lists.parent}", "-o", "Debug::NoLocking=1",
           "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "-o", "APT::Sandbox::User="]
    subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "download", PACKAGE], check=True, cwd=folder)
    (package,) = folder.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", package, folder / "unpacked"], check=True)
    return folder / f"unpacked/usr/src/{PACKAGE}.tar.xz"


def main():
    into = pathlib.Path(sys.argv[1])
    into.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=into.parent) as folder:
        source = archive(pathlib.Path(folder))
        out, number = None, 0
        with tarfile.open(source, "r|xz") as members:
            for member in members:
                if not member.isfile() or not member.name.endswith(KINDS):
                    continue
                if out is None or out.tell() > SIZE:
                    out = open(into / f"{number:02}.txt", "wb")
                    number += 1
                out.write(members.extractfile(member).read())
        out.close()


if __name__ == "__main__":
    main()
