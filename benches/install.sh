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

# igzip and lbzip2 are packages of Debian, unpacked here: that needs no root.
if [ ! -x "$into/tools/bin/lbzip2" ]; then
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
        echo "install.sh: no apt-get, so igzip and lbzip2 are left out of the table" >&2
        exit 0
    }
    mkdir -p "$into/tools/lists/partial" "$into/tools/debs" "$into/tools/bin"
    into=$(cd "$into" && pwd)
    apt="apt-get -q=2 -o Dir::State::Lists=$into/tools/lists -o Debug::NoLocking=1
         -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User="
    $apt update
    (cd "$into/tools/debs" && $apt download isal libisal2 lbzip2)
    for deb in "$into"/tools/debs/*.deb; do
        dpkg-deb -x "$deb" "$into/tools"
    done
    rm -r "$into/tools/lists"
    for tool in igzip lbzip2; do
        printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$(echo "$into"/tools/usr/lib/*/)" \
            "$into/tools/usr/bin/$tool" >"$into/tools/bin/$tool"
        chmod +x "$into/tools/bin/$tool"
    done
fi
