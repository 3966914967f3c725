#!/bin/bash
# Makes a fresh Debian or Ubuntu machine ready for `make demo` and `make test`. Run it as often as you like:
# when nothing is to be done it takes a fraction of a second.
#
# Installs Debian packages (scripts/packages.txt; no daemon is started), makes the system user `roadstead`, and fills
# .venv (the project, locked by scripts/locks/dev.txt), .setup (tools, a Keystone for tests) and .lab (the lab's machines).
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
. scripts/lib.sh

[ -r /etc/os-release ] && . /etc/os-release
case " ${ID:-} ${ID_LIKE:-} " in
*" debian "* | *" ubuntu "*) ;;
*) die 2 "this needs Debian 12 or newer, or Ubuntu 24.04 or newer; this is ${PRETTY_NAME:-an unknown system}." ;;
esac
[ "$(id -u)" = 0 ] || die 2 "this must run as root: it installs packages, and the service mounts filesystems." "Try: sudo make setup"

mapfile -t packages < <(sed 's/#.*//; s/[[:space:]]//g; /^$/d' scripts/packages.txt)

missing_packages() {
    local state=" $(dpkg-query --show --showformat='${db:Status-Status}=${Package} ' "${packages[@]}" 2>/dev/null)"
    local package
    for package in "${packages[@]}"; do
        [[ $state == *" installed=$package "* ]] || echo "$package"
    done
}

hash_of() { find "$@" -type f -not -name '*.pyc' -print0 2>/dev/null | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16; }
stamped() { [ "$(cat "$SETUP/$1.stamp" 2>/dev/null)" = "$2" ]; }
stamp() { echo "$2" >"$SETUP/$1.stamp"; }

project_key=$(hash_of scripts pyproject.toml)
lab_key=$(hash_of tests/lab)
missing=$(missing_packages)

nothing_to_do() {
    [ -z "$missing" ] && stamped project "$project_key" && stamped lab "$lab_key" &&
        [ -d .lab ] && [ -x .setup/keystone-venv/bin/python ] && is_python .venv/bin/python && id roadstead >/dev/null 2>&1
}
nothing_to_do && exit 0

mkdir -p "$SETUP"
exec 9>"$SETUP/lock"
flock 9
missing=$(missing_packages)
nothing_to_do && exit 0 # somebody else did it while we waited
: >"$LOG"
began=$SECONDS

# -- Debian packages -------------------------------------------------------------------------------------------------

apt() { apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 -y "$@"; }

install_packages() {
    # Daemons must not start: we run private ones. invoke-rc.d asks this script, and 101 means no.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
    fi
    local fresh
    fresh=$(find /var/lib/apt/lists -name '*_Packages*' -mtime -1 -print -quit 2>/dev/null || true)
    local code=1
    if [ -n "$fresh" ]; then apt install --no-install-recommends "$@" && code=0; fi
    if [ $code -ne 0 ]; then retry apt update && retry apt install --no-install-recommends "$@" && code=0; fi
    return $code
}

if [ -n "$missing" ]; then
    # shellcheck disable=SC2086  # a list of words
    step "$(wc -w <<<"$missing") Debian packages" install_packages $missing
    [ -z "$(missing_packages)" ] || die 1 "still not installed:" "$(missing_packages)"
fi

# -- the service's own user ------------------------------------------------------------------------------------------

make_user() {
    useradd --system --user-group --home-dir /var/lib/roadstead --no-create-home --shell /usr/sbin/nologin roadstead &&
        install -d -o roadstead -g roadstead -m 0750 /var/lib/roadstead
}
id roadstead >/dev/null 2>&1 || step "the system user roadstead" make_user

# -- Python ----------------------------------------------------------------------------------------------------------

if ! stamped project "$project_key" || ! is_python .venv/bin/python || [ ! -x .setup/keystone-venv/bin/python ]; then
    find_python
    step "uv" find_uv
    export UV
    "$PYTHON" scripts/lock_key.py --check scripts/locks/dev.txt || die 1 "scripts/locks/ is older than pyproject.toml. Run: make lock"
    step "Python packages" sync_venv .venv scripts/locks/dev.txt
    step "a Keystone for tests" bash scripts/keystone-env.sh
    stamp project "$project_key"
fi

# -- the lab's virtual machines --------------------------------------------------------------------------------------

if ! stamped lab "$lab_key" || [ ! -d .lab ]; then
    mkdir -p .lab
    step "the lab's virtual machine" .venv/bin/python -m tests.lab.build
    stamp lab "$(hash_of tests/lab)"
fi

say "ready after $((SECONDS - began)) s"
