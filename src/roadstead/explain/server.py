"""The way of one share through a share server on its tenant's network, or through a gateway.

Pure, like `explain`. Segments and the storage network's addresses are for administrators.
"""

import ipaddress
from collections.abc import Iterable

import msgspec

from roadstead.explain.share import Explanation, Facts, Hop, explain
from roadstead.model.gateways import OK
from roadstead.model.share_networks import GatewayReport, ShareNetwork, ShareServer
from roadstead.model.states import ShareServerStatus
from roadstead.model.world import Flow

_LEVELS = ("rw", "ro")


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to know about the server; `flow` and `report` are of a gateway, and None while
    the share has no way through it, or nobody has looked at it."""

    network: ShareNetwork
    server: ShareServer
    flow: Flow | None = None
    report: GatewayReport | None = None

    @property
    def is_gateway(self) -> bool:
        return self.server.details.get("kind") == "gateway"

    @property
    def speaks_nfs(self) -> bool:
        """The gateway is the filer's client itself; addresses stand for shares only where not."""
        return self.server.details.get("variant") == "proxy"


def explain_server(
    facts: Facts, behind: ServerFacts, client: str | None, *, admin: bool
) -> Explanation:
    """What happens when this client mounts the share. ValueError when it is no address."""
    found = explain(facts, client)
    hops: list[Hop] = []
    for hop in found.hops:
        if hop.name == "network":
            hops.append(_network_hop(facts, behind, found.client, admin=admin))
        elif hop.name == "export" and behind.is_gateway:
            hops.append(msgspec.structs.replace(hop, what=f"on the filer: {hop.what}"))
        else:
            hops.append(hop)
        if hop.name == "rule":
            level = found.rule.access_level if found.rule else None
            hops += _server_hops(behind, found.client, level, admin=admin)
    return msgspec.structs.replace(found, hops=tuple(hops))


def _network_hop(facts: Facts, behind: ServerFacts, client: str | None, *, admin: bool) -> Hop:
    network = behind.network
    subnets = [s for s in network.subnets if s.id in behind.server.subnet_ids and s.cidr]
    told = [f"{s.cidr} ({s.network_type} {s.segmentation_id})" for s in subnets]
    told = told if admin else [str(s.cidr) for s in subnets]
    what = (
        f"share network {network.name or network.id}, {', '.join(told) or 'no subnet'}; "
        f"isolation={facts.isolation}: it is this project's alone"
    )
    if client is None or _is_within(client, (s.cidr for s in subnets)):
        return Hop(name="network", what=what)
    return Hop(name="network", what=f"{what}; {client} is none of its addresses", ok=None)


def _is_within(client: str, cidrs: Iterable[str | None]) -> bool:
    address = ipaddress.ip_address(client)
    return any(address in ipaddress.ip_network(cidr) for cidr in cidrs if cidr)


def _server_hops(
    behind: ServerFacts, client: str | None, level: str | None, *, admin: bool
) -> list[Hop]:
    server = behind.server
    if not behind.is_gateway:
        what = f"share server {server.id}, on this network only; it is {server.status}"
        return [Hop(name="server", what=what, ok=server.status == ShareServerStatus.ACTIVE)]
    return [_gateway_hop(behind, admin=admin), _storage_hop(behind, client, level, admin=admin)]


def _gateway_hop(behind: ServerFacts, *, admin: bool) -> Hop:
    """The hop that the other roads do not have, and what it has carried."""
    flow, report = behind.flow, behind.report
    what = f"one hop more than without: gateway {behind.server.id}"
    if behind.speaks_nfs:
        what = f"{what} answers, and asks the filer"
    elif flow is None:
        return Hop(name="gateway", what="the share has no way through its gateway yet", ok=False)
    else:
        what = f"{what} passes on what comes to {' and '.join(flow.addresses)}, by the rule alone"
    if report is None:
        return Hop(name="gateway", what=f"{what}; nobody has looked at it yet", ok=None)
    health = f"{report.health}: {report.detail}" if admin and report.detail else report.health
    when = report.reported_at.isoformat(timespec="seconds")
    begun = report.started_at or report.reported_at
    carried = (
        f"{report.bytes_in} bytes from and {report.bytes_out} to clients since "
        f"{begun.isoformat(timespec='seconds')} UTC, of all shares behind it"
    )
    what = f"{what}; at {when} UTC: {health}, {report.sessions} sessions, {carried}"
    return Hop(name="gateway", what=what, ok=report.health == OK)


def _storage_hop(behind: ServerFacts, client: str | None, level: str | None, *, admin: bool) -> Hop:
    """As whom the filer sees the client."""
    if behind.speaks_nfs:
        return Hop(name="storage", what="the filer sees this share's gateway, never a client")
    what = "the filer sees an address of the gateway's for this share and level, never a client's"
    sources = behind.flow.sources if behind.flow else {}
    told = [
        f"{address} {one}"
        for one in _LEVELS
        if level in (None, one)
        for address in sources.get(one, ())
        if client is None or (":" in address) == (":" in client)
    ]
    what = f"{what}: {', '.join(told)}" if admin and told else what
    return Hop(name="storage", what=what, ok=bool(sources))
