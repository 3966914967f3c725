#!/bin/bash
# Makes .setup/keystone-venv, a virtual environment that holds a real Keystone for the tests, and in
# .setup/keystone-template a database with the tests' projects and users. Does nothing where both are as they should be.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
. scripts/lib.sh
mkdir -p "$SETUP"
[ -n "${UV:-}" ] || find_uv
sync_venv "$SETUP/keystone-venv" scripts/locks/keystone.txt
.venv/bin/python -m tests.services.keystone
