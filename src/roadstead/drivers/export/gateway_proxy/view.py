"""Whether a proxy gateway still gets at its filer: tried, as a client would."""

import ipaddress
import secrets
import socket
from pathlib import Path
from typing import TypeAlias, cast

import msgspec

from roadstead.drivers.base.filer import FilerControl
from roadstead.drivers.ganesha.conf import Behind, StoredExport
from roadstead.drivers.host import netns as namespaces
from roadstead.drivers.host.nfs import probe as nfs_probe
from roadstead.model import gateways as g
from roadstead.model import world as w
from roadstead.model.errors import Transient
from roadstead.model.ids import pseudo_path

Exports: TypeAlias = dict[str, w.Mark] | None
_PATIENCE = 2.0  # seconds for the filer to take a connection
_ESTABLISHED = "01"  # as /proc/net/tcp says it
_ANSWER = 3.0  # seconds for a look-up
REFUSED = "refused"  # the filer answers, but not to the gateway
# That name is not there, or wait: both are the filer's own words.
_ALIVE = frozenset(("NFS4ERR_NOENT", "NFS4ERR_DELAY"))


def look(place: w.Place, stored: StoredExport, pid: int | None) -> tuple[str, str]:
    """(health, detail) of the way from the tenant's side to the filer, by the server `pid`.

    A name that nobody has ever asked for is looked up, for what the server knows it tells without
    the filer. Only a filer that answers us directly proves its proxy dead.
    """
    behind = stored.behind
    if behind is None or not behind.seen_from:
        return g.OK, ""
    if detail := _unreachable(place, behind):
        return g.UNREACHABLE, detail
    fault = _fault(place, stored, pid)
    if fault is None:
        return g.OK, ""
    direct = nfs_probe.attempt(
        behind.address,
        behind.port,
        source=_own(place, behind),
        netns=place.netns,
        path=behind.name,
        timeout=_ANSWER,
    )
    if direct.outcome != "admitted":
        health = REFUSED if direct.outcome == "refused" else g.UNREACHABLE
        return health, f"{behind.address}: {direct.detail}"
    return g.BROKEN, f"its filer session is dead: {fault}"


def exported(control: FilerControl) -> Exports:
    """The filer's exports of ours by share instance; None while it does not tell."""
    try:
        return {mark.id: mark for mark in control.inventory()}
    except Transient:
        return None


def filer_fault(stored: StoredExport, exports: Exports, needed: dict[str, str]) -> str | None:
    """What is wrong with the filer's own rules for the share."""
    if exports is None:
        return None
    found = exports.get(stored.instance_id)
    if found is None:
        return "the filer does not export it"
    if found.broken:
        return f"at the filer: {found.broken}"
    there = cast(dict[str, str], found.facts.get("clients") or {})
    return None if _plain(there) == _plain(needed) else "the filer's rules differ"


def without_own(mark: w.Mark, place: w.Place) -> w.Mark:
    """The mark, with the share's clients only: a gateway looks at its share itself, too."""
    own = set(map(ipaddress.ip_network, place.addresses))
    clients = cast(dict[str, str], mark.facts.get("clients") or {})
    if not mark.broken:
        return mark
    others = {t: level for t, level in clients.items() if ipaddress.ip_network(t) not in own}
    return msgspec.structs.replace(mark, facts=mark.facts | {"clients": others})


def _fault(place: w.Place, stored: StoredExport, pid: int | None) -> str | None:
    """Why the server does not get at the filer."""
    behind = cast(Behind, stored.behind)
    if pid is None:
        return "it does not run"
    if not _connected(pid, behind.port):
        return "its connection has ended"
    tried = _through(place, stored, behind.seen_from[0])
    return None if tried.nfs_status in _ALIVE else tried.detail


def _connected(pid: int, port: int) -> bool:
    """The process' namespace has a connection to the filer as only its server has one."""
    for family in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/{pid}/net/{family}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, remote, state = line.split()[:4]
            ports = [int(end.rpartition(":")[2], 16) for end in (local, remote)]
            if state == _ESTABLISHED and ports[0] < 1024 and ports[1] == port:
                return True
    return False


def _through(place: w.Place, stored: StoredExport, own: str) -> w.Attempt:
    behind = cast(Behind, stored.behind)
    return nfs_probe.attempt(
        own,
        behind.port,
        source=own,
        netns=place.netns,
        path=pseudo_path(stored.instance_id),
        name=f".roadstead-{secrets.token_hex(8)}",
        timeout=_ANSWER,
    )


def _own(place: w.Place, behind: Behind) -> str:
    six = ":" in behind.address
    return next((a for a in place.storage if (":" in a) == six), "")


def _unreachable(place: w.Place, behind: Behind) -> str | None:
    """Why the filer takes no connection."""
    family = socket.AF_INET6 if ":" in behind.address else socket.AF_INET
    try:
        with namespaces.tcp_socket(place.netns, family) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect((behind.address, behind.port))
    except OSError as error:
        return f"{behind.address}: {error}"
    return None


def _plain(clients: dict[str, str]) -> dict[object, str]:
    return {ipaddress.ip_network(target): level for target, level in clients.items()}
