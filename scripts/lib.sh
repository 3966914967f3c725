# shellcheck shell=bash
# What setup.sh, keystone-env.sh and lock.sh share. Sourced from the root of the checkout.

SETUP=$PWD/.setup
LOG=$SETUP/log
export DEBIAN_FRONTEND=noninteractive UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_NO_PROGRESS=1 PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf 'setup: %s\n' "$*"; }

die() { # die CODE MESSAGE...
    local code=$1
    shift
    printf 'setup: %s\n' "$@" >&2
    exit "$code"
}

# step TITLE COMMAND...: one line with the time it took; the output goes to the log, and its end to the screen if it fails.
# The || below switches `set -e` off inside a function, so functions used as steps chain their commands with &&.
step() {
    local title=$1 start=${EPOCHREALTIME/[.,]/} code=0
    shift
    printf 'setup: %-44s' "$title"
    printf '\n### %s\n' "$title" >>"$LOG"
    "$@" >>"$LOG" 2>&1 </dev/null || code=$?
    local took=$(((${EPOCHREALTIME/[.,]/} - start) / 100000))
    if [ $code -ne 0 ]; then
        printf 'FAILED after %d.%d s\n' $((took / 10)) $((took % 10))
        tail -n 25 "$LOG" | sed 's/^/    | /' >&2
        die 1 "this step failed: $title (all of its output: ${LOG#"$PWD"/})"
    fi
    printf '%4d.%d s\n' $((took / 10)) $((took % 10))
}

# Three tries, for the hiccups of a network.
retry() {
    local try
    for try in 1 2 3; do
        "$@" && return
        echo "try $try of 3 failed: $*"
        [ "$try" = 3 ] || sleep $((try * 3))
    done
    return 1
}

is_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# PYTHON is the system's Python: its wheels and headers match Debian's packages.
find_python() {
    for PYTHON in /usr/bin/python3 python3; do
        is_python "$PYTHON" && return
    done
    die 2 "Python 3.11 or newer is needed; this system has $(/usr/bin/python3 --version 2>&1)"
}

# UV is the uv on PATH if it runs, else our own, in .setup/tools (Debian does not package it).
find_uv() {
    for UV in uv "$SETUP/tools/bin/uv"; do
        "$UV" --version >/dev/null 2>&1 && return
    done
    find_python && "$PYTHON" -m venv "$SETUP/tools" && retry "$SETUP/tools/bin/python" -m pip install --quiet uv
}

# A virtual environment that holds exactly what a lock file lists.
# sync_venv DIR LOCK: keeps a DIR whose Python still runs, else makes a new one.
sync_venv() {
    if ! is_python "$1/bin/python"; then
        find_python && rm -rf "$1" && "$UV" venv --quiet --python "$PYTHON" "$1" || return
    fi
    retry "$UV" pip sync --python "$1/bin/python" --compile-bytecode "$2"
}
