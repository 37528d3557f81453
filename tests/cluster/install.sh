#!/bin/sh
# Installs what the cluster of the tests is made of, at pinned versions, below target/cluster/ and nowhere
# else; needs no root. What is there already is left alone. Run from anywhere.
#
#   workers   Dask alone: the scheduler and the workers, which have no creel_dask
#   client    the package of python/creel-dask, pytest, mypy, and pandas for to_dataframe
set -eu
here=$(cd "$(dirname "$0")" && pwd)
package=$here/../../python/creel-dask
into=${CARGO_TARGET_DIR:-$here/../../target}/cluster
mkdir -p "$into"
into=$(cd "$into" && pwd)

die() {
    echo "install.sh: $1" >&2
    exit 1
}

command -v python3 >/dev/null || die "python3 is missing: install Python 3.10 or later"

# A stamp says which pins are installed, so that a changed pin installs again.
install() {
    cat "$here/requirements-workers.txt" "$here/requirements-$1.txt" >"$into/$1.wanted"
    if ! cmp -s "$into/$1.wanted" "$into/$1.stamp"; then
        python3 -m venv --clear "$into/$1" || die "python3 has no venv module: install python3-venv"
        "$into/$1/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements-$1.txt"
        mv "$into/$1.wanted" "$into/$1.stamp"
    fi
    rm -f "$into/$1.wanted"
}

install workers
install client
# Always: the package is small, and may have changed.
"$into/client/bin/pip" install --quiet --disable-pip-version-check --no-deps "$package"
