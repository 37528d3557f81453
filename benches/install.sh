#!/bin/sh
# Installs the Python peers of the benchmark, at pinned versions, below target/bench/. mawk is a
# package of every Linux, and is left out of the table where it is missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
into=${CARGO_TARGET_DIR:-$here/../target}/bench
mkdir -p "$into"
if ! cmp -s "$here/requirements.txt" "$into/venv.stamp"; then
    command -v python3 >/dev/null || { echo "install.sh: python3 is missing" >&2; exit 1; }
    python3 -m venv --clear "$into/venv"
    "$into/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$into/venv.stamp"
fi
