#!/bin/bash
# Writes scripts/locks/ anew: every Python package with its version and hashes, and no word of where it comes from.
#   lock.sh             follow pyproject.toml, keep the versions that still fit
#   lock.sh --upgrade   take the newest versions
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
. scripts/lib.sh
mkdir -p "$SETUP" scripts/locks
find_python
find_uv

with_key() { # with_key FILE: the lock from stdin, under a line that says what it was made from
    { echo "# key $("$PYTHON" scripts/lock_key.py); written by \`make lock\`, do not edit" && grep -v '^#'; } >"$1.new"
    mv "$1.new" "$1"
}

"$UV" lock --quiet "$@"
"$UV" export --quiet --frozen --all-extras --no-annotate --no-header | with_key scripts/locks/dev.txt

kept=$SETUP/keystone.lock # compile keeps the versions it finds in its output file
cp scripts/locks/keystone.txt "$kept" 2>/dev/null || true
"$UV" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
    --output-file "$kept" "$@" scripts/locks/keystone.in >/dev/null
with_key scripts/locks/keystone.txt <"$kept"
say "$(grep -c == scripts/locks/dev.txt) packages in dev.txt, $(grep -c == scripts/locks/keystone.txt) in keystone.txt"
