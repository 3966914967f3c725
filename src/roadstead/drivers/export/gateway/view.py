"""What a gateway is found to do: looked at, tried, and nothing changed."""

import ipaddress
import socket
import time
from collections.abc import Iterable, Iterator
from typing import cast

import msgspec

from roadstead.drivers.base.filer import FilerControl
from roadstead.drivers.export.gateway import nft
from roadstead.drivers.export.gateway import rules as rules_text
from roadstead.drivers.export.gateway.files import FlowFiles, StoredFlow, name_of
from roadstead.drivers.export.gateway.nft import InForce
from roadstead.drivers.host import conntrack
from roadstead.drivers.host import netns as namespaces
from roadstead.drivers.host.nfs import probe as nfs_probe
from roadstead.model import gateways as g
from roadstead.model import world as w
from roadstead.model.admission import LEVELS, Network, by_specificity, level_for
from roadstead.model.errors import Transient

_PATIENCE = 2.0  # seconds for the filer to take a connection
_LEFT_ALONE = 60.0  # seconds, when it hung
_VERSIONS = (4, 6)


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """A place, and the filer behind it."""

    place: w.Place
    filer: dict[int, str]  # by IP version
    port: int

    def text(self, flows: Iterable[StoredFlow]) -> str:
        """The rules for these flows; Gone without a leg on the storage network."""
        wanted = list(flows)
        sources = [flow.sources for flow in (*wanted, *self.place.flows.values())]
        ours = [*self.place.storage, *(a for s in sources for level in s.values() for a in level)]
        legs = nft.legs(ours)
        return rules_text.text(wanted, filer=self.filer, port=self.port, storage=legs)


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What the filer exports, and what was stored when it was asked."""

    exports: dict[str, w.Mark] | None  # by share instance; None: it did not answer
    flows: dict[int, StoredFlow]

    def fault(self, stored: StoredFlow) -> str | None:
        """What is wrong at the filer with a share that nobody changed since."""
        if self.exports is None or self.flows.get(stored.export_id) != stored:
            return None
        found = self.exports.get(stored.instance_id)
        if found is None:
            return "the filer does not export it"
        if found.broken:
            return f"at the filer: {found.broken}"
        there = cast(dict[str, str], found.facts.get("clients") or {})
        same = _plain(there) == _plain(rules_text.needed(stored))
        return None if same else "the filer's rules differ"


class FilerView:
    """What a filer tells of its exports. One that hung is not asked again for a while, so that
    neither its other gateways nor the agent's other work wait for it."""

    def __init__(self, control: FilerControl) -> None:
        self._control = control
        self._not_before = 0.0

    def served(self, files: FlowFiles) -> Served:
        """The filer was asked, if it answers; that may take its time."""
        flows, began = files.all(), time.monotonic()
        if began < self._not_before:
            return Served(exports=None, flows=flows)
        try:
            exports = {mark.id: mark for mark in self._control.inventory()} if flows else {}
        except Transient:
            exports, now = None, time.monotonic()
            if now - began > _PATIENCE:
                self._not_before = now + _LEFT_ALONE
        return Served(exports=exports, flows=flows)


def marks(gateway: Gateway, files: FlowFiles, filer: Served) -> Iterator[w.Mark]:
    """One for each stored share."""
    problem, in_force = look(gateway, files)
    for stored in files.all().values():
        faults = [problem, filer.fault(stored)]
        if stored.leaving:
            faults = ["its removal is not finished"]
        yield w.Mark(
            kind="export",
            id=stored.instance_id,
            facts={
                "export_id": stored.export_id,
                "path": stored.path,
                "clients": clients_in_force(stored, in_force),
            },
            broken="; ".join(fault for fault in faults if fault) or None,
        )


def state(gateway: Gateway, files: FlowFiles, filer: Served, problem: str | None) -> g.GatewayState:
    """How the gateway is now, with that problem of its rules."""
    try:
        counted, connections = nft.inside(
            gateway.place.netns, lambda: (nft.bytes_passed(), conntrack.connections())
        )
    except nft.Gone as error:
        return g.GatewayState(health=g.BROKEN, detail=str(error))
    health, detail = g.BROKEN, problem or ""
    if problem is None:
        faults = {filer.fault(stored) for stored in files.all().values()} - {None}
        detail = "; ".join(sorted(map(str, faults)))
        health = g.BROKEN if faults else g.OK
        if unreachable := _unreachable(gateway):
            health, detail = g.UNREACHABLE, unreachable
    return g.GatewayState(
        health=health,
        detail=detail,
        sessions=sum(connection.established for connection in connections),
        bytes_in=counted[0],
        bytes_out=counted[1],
        started_at=files.loaded().started_at,
    )


def clients_in_force(stored: StoredFlow, in_force: InForce) -> dict[str, str]:
    """{target: level}: the stored ones where the kernel has what they come to, else what it has."""
    found: dict[str, str] = {}
    same = True
    for version in _VERSIONS:
        for level in LEVELS:
            there = in_force.sets.get(rules_text.set_name(stored.export_id, level, version), [])
            found |= {str(network): level for network in there}
            wanted = rules_text.clients_at(stored, level, version)
            same = same and _collapsed(there) == _collapsed(wanted)
    if same and rules_text.needed(stored).items() <= stored.granted.items():
        return stored.clients
    return {str(n): found[str(n)] for n in by_specificity(map(ipaddress.ip_network, found))}


def attempt(
    gateway: Gateway, ref: w.ExportRef, stored: StoredFlow | None, *, server: str, source: str
) -> w.Attempt:
    """What a client at `source` gets at `server`."""
    made = w.Attempt(server=server, source=source, outcome="error")
    try:
        in_force = nft.inside(gateway.place.netns, nft.in_force)
    except nft.Gone as error:
        return msgspec.structs.replace(made, detail=str(error))
    if not in_force.loaded:
        return msgspec.structs.replace(made, detail="the gateway has no rules")
    version = 6 if ":" in server else 4
    level = _level(ref.export_id, in_force, version, source)
    leads = in_force.doors.get(server) == f"share_{ref.export_id}"
    if not leads or level is None:
        why = "admits it" if leads else "leads from that address to the share"
        detail = f"no rule of the gateway {why}; the filer was not asked"
        return msgspec.structs.replace(made, outcome="refused", detail=detail)
    seen = None if stored is None else rules_text.source_of(stored, level, version)
    if stored is None or seen is None or version not in gateway.filer:
        return msgspec.structs.replace(made, detail="the gateway has no address for that level")
    tried = nfs_probe.attempt(
        gateway.filer[version],
        gateway.port,
        source=seen,
        netns=gateway.place.netns,
        path=name_of(stored),
    )
    how = f"passes as {level}; the filer was asked as {seen}"
    detail = f"{how}: {tried.detail}" if tried.detail else how
    return msgspec.structs.replace(tried, server=server, source=source, detail=detail)


def _level(export_id: int, in_force: InForce, version: int, source: str) -> str | None:
    """The level of the source in the sets that decide."""
    for level in LEVELS:
        networks = in_force.sets.get(rules_text.set_name(export_id, level, version), ())
        if level_for(source, {str(network): level for network in networks}):
            return level
    return None


def look(gateway: Gateway, files: FlowFiles) -> tuple[str | None, InForce]:
    """What is wrong with the rules, and what they are."""

    def inside() -> tuple[str | None, InForce]:
        found = nft.in_force()
        try:
            text = gateway.text(files.all().values())
        except nft.Gone as error:
            return str(error), found
        return nft.problem(files, text), found

    try:
        return nft.inside(gateway.place.netns, inside)
    except nft.Gone as error:
        return str(error), InForce()


def _plain(clients: dict[str, str]) -> dict[Network, str]:
    return {ipaddress.ip_network(target): level for target, level in clients.items()}


def _collapsed(networks: Iterable[Network]) -> list[Network]:
    """In their shortest form; all are of one family, as they are of one set."""
    found = list(networks)
    four = [n for n in found if isinstance(n, ipaddress.IPv4Network)]
    six = [n for n in found if isinstance(n, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)]


def _unreachable(gateway: Gateway) -> str | None:
    """Why the filer takes no connection; None when it does at each of its addresses."""
    for version, address in sorted(gateway.filer.items()):
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        own = next((a for a in gateway.place.storage if (":" in a) == (version == 6)), None)
        try:
            with namespaces.tcp_socket(gateway.place.netns, family) as connection:
                connection.settimeout(_PATIENCE)
                if own is not None:
                    connection.bind((own, 0))
                connection.connect((address, gateway.port))
        except OSError as error:
            return f"{address}: {error}"
    return None
