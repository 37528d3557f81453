#!/bin/sh
# Prints the path of GNU parallel: that on PATH, else Debian's package, unpacked below target/parallel; needs no root.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
into=${CARGO_TARGET_DIR:-$here/../../target}/parallel

die() {
    echo "parallel.sh: $1" >&2
    exit 1
}

if command -v parallel; then
    exit 0
fi
mkdir -p "$into"
into=$(cd "$into" && pwd)
if [ ! -x "$into/usr/bin/parallel" ]; then
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null && command -v perl >/dev/null ||
        die "GNU parallel is missing: install it so that it is on PATH"
    mkdir -p "$into/lists/partial" "$into/debs"
    # Lists of our own: the machine's may be empty or stale, and updating them takes root.
    apt="apt-get -q=2 -o Dir::State::Lists=$into/lists -o Debug::NoLocking=1
         -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User="
    $apt update >&2 || die "apt-get cannot fetch Debian's package lists: install GNU parallel yourself"
    (cd "$into/debs" && $apt download parallel >&2) ||
        die "apt-get cannot download parallel: install it so that it is on PATH"
    dpkg-deb -x "$into"/debs/parallel_*.deb "$into"
    rm -r "$into/lists"
fi
echo "$into/usr/bin/parallel"
