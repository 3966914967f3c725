"""What a guest's operating system lacks for a driver, as far as its libosinfo id tells (H-I13).

An id that is unknown here, or none, stands against nothing: the user's own `mount` tells then.
"""

import re

from roadstead.model.hosts import MissingFact

_WINDOWS = re.compile(r"https?://microsoft\.com/win/")
_FREEBSD = re.compile(r"https?://freebsd\.org/freebsd/(\d+)")
# The first release of each with Linux 5.4 or newer, which has virtiofs.
_LINUX = (
    (re.compile(r"https?://debian\.org/debian/(\d+)"), 11),
    (re.compile(r"https?://ubuntu\.com/ubuntu/(\d+)\.\d+"), 20),
    (re.compile(r"https?://fedoraproject\.org/fedora/(\d+)"), 31),
    (re.compile(r"https?://(?:redhat\.com/rhel|centos\.org/centos|rockylinux\.org/rocky"
                r"|almalinux\.org/almalinux)/(\d+)"), 9),
)  # fmt: skip
# Kernels built without 9p: Red Hat's, in every release.
_NO_9P = re.compile(r"https?://(redhat\.com/rhel|centos\.org|rockylinux\.org|almalinux\.org)/")


def missing(os_id: str | None, driver: str) -> tuple[MissingFact, ...]:
    """What is known to stand against the driver in that guest."""
    if os_id is None:
        return ()
    fact = _virtiofs(os_id) if driver == "virtiofs" else _nine_p(os_id)
    return () if fact is None else (MissingFact(code="guest-os", fact=fact[0], fix=fact[1]),)


def _virtiofs(os_id: str) -> tuple[str, str] | None:
    if _FREEBSD.match(os_id):
        return ("FreeBSD has no virtiofs", "use the direct or the network road")
    for pattern, first in _LINUX:
        found = pattern.match(os_id)
        if found and int(found[1]) < first:
            # RHEL 8 has it backported.
            if first == 9 and int(found[1]) == 8:
                return None
            return (
                "the guest's kernel is older than Linux 5.4",
                "use the driver 9p, or upgrade it",
            )
    return None


def _nine_p(os_id: str) -> tuple[str, str] | None:
    if _WINDOWS.match(os_id):
        return ("Windows has no 9p", "use virtiofs; the guest needs WinFsp and the viofs driver")
    if _NO_9P.match(os_id):
        return ("this guest's kernel is built without 9p", "use the driver virtiofs")
    freebsd = _FREEBSD.match(os_id)
    if freebsd and int(freebsd[1]) < 15:
        return ("FreeBSD has 9p from release 15 on", "use the direct or the network road")
    return None
