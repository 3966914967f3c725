"""Share servers' network namespaces.

A namespace gets its name below /run/netns (a bind mount, as `ip netns` makes them) only when it
is marked and set up, so whoever finds the name finds it whole.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from roadstead.drivers.host import mounts, netlink, netns, process
from roadstead.drivers.network.marks import Marks, PlaceMark
from roadstead.model.errors import Conflict, InUse, NotFound
from roadstead.model.ids import place_of_netns

DIRECTORY = Path("/run/netns")

# A share server believes no tenant about where to send things, forwards nothing, answers for an
# address only on the port that has it, and tells neighbours when it comes up.
_IPV4 = {
    "accept_redirects": "0",
    "send_redirects": "0",
    "accept_source_route": "0",
    "arp_ignore": "1",
    "arp_announce": "2",
    "arp_notify": "1",
    "rp_filter": "2",
    "promote_secondaries": "1",
}
_IPV6 = {
    "disable_ipv6": "0",
    "forwarding": "0",
    "accept_ra": "0",
    "autoconf": "0",
    "addr_gen_mode": "0",
    "accept_redirects": "0",
    "accept_dad": "0",
    "ndisc_notify": "1",
}
_SETTINGS = {
    "ipv4/ip_forward": "0",
    **{f"ipv4/conf/{who}/{k}": v for who in ("all", "default") for k, v in _IPV4.items()},
    **{f"ipv6/conf/{who}/{k}": v for who in ("all", "default") for k, v in _IPV6.items()},
}


def ensure(marks: Marks, name: str, place_id: str) -> None:
    """The namespace exists. Conflict when the name is somebody else's."""
    found = owner_of(name)
    if found is None:
        netlink.in_thread(netns.enter_new, lambda links: _make(links, marks, name, place_id))
    elif marks.read(found) != PlaceMark(place_id):
        raise Conflict(f"network namespace {name} is not ours: {found or 'no mark'}")


def ensure_absent(marks: Marks, name: str, place_id: str) -> None:
    """Neither the namespace nor its name is left. InUse while a process runs inside."""
    path = DIRECTORY / name
    found = owner_of(name)
    if found is not None:
        if marks.read(found) != PlaceMark(place_id):
            raise Conflict(f"network namespace {name} is not ours: {found or 'no mark'}")
        if inside := processes(name):
            raise InUse(f"process {inside[0]} runs in {name}")
        netlink.act(mounts.detach, path)
    with contextlib.suppress(FileNotFoundError):
        netlink.act(os.unlink, path)


def owner_of(name: str) -> str | None:
    """The namespace's mark ("" when it has none); None when there is no such namespace."""
    try:
        return netlink.within(name, lambda links: links.get("lo").alias or "")
    except NotFound:
        return None


def inventory(marks: Marks) -> Iterator[tuple[str, str | None]]:
    """(place id, what is broken) of this owner's, and of names that lead nowhere any more."""
    try:
        names = sorted(os.listdir(DIRECTORY))
    except FileNotFoundError:
        return
    for name in names:
        place_id = place_of_netns(name)
        if place_id is None:
            continue
        found = owner_of(name)
        if found is not None and marks.read(found) == PlaceMark(place_id):
            yield place_id, None
        elif found is None and _is_left_over(marks, name, place_id):
            yield place_id, "its namespace is gone"


def processes(name: str) -> list[int]:
    """Ids of the processes in the namespace."""
    return [pid for pid in process.ids() if process.is_in(pid, name)]


def in_scratch(call: "Callable[[netlink.Netlink], netlink.T]") -> netlink.T:
    """What the call returned in a namespace of its own that vanishes with it."""
    return netlink.in_thread(netns.enter_new, call)


def _is_left_over(marks: Marks, name: str, place_id: str) -> bool:
    try:
        return marks.read((DIRECTORY / name).read_text()) == PlaceMark(place_id)
    except OSError:
        return False


def _make(links: netlink.Netlink, marks: Marks, name: str, place_id: str) -> None:
    loopback = links.get("lo")
    links.set_link(loopback, ifalias=marks.of_place(place_id))
    netlink.write_sysctls(_SETTINGS)
    links.set_link(loopback, state="up")
    _share_directory()
    path = DIRECTORY / name
    # Seen only if we are killed before the namespace covers it: then it tells whose it is.
    netlink.act(path.write_text, marks.of_place(place_id))
    netlink.act(mounts.mount, "/proc/thread-self/ns/net", path, None, mounts.BIND)


def _share_directory() -> None:
    """Names that go from here go from every mount namespace made since (ip-netns(8))."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    try:
        mounts.mount(None, DIRECTORY, None, mounts.SHARED | mounts.REC)
    except OSError as error:
        if error.errno != errno.EINVAL:  # not a mount yet
            raise
        mounts.mount(str(DIRECTORY), DIRECTORY, None, mounts.BIND | mounts.REC)
        mounts.mount(None, DIRECTORY, None, mounts.SHARED | mounts.REC)
