"""Road network: a share server on the tenant's own segment exports the share only there.

A share server is a network namespace with a port on each subnet, and an export server inside. It
has no leg on any other network; its configuration and its message bus are files.
"""

import threading
from collections.abc import Mapping, Sequence

from roadstead.drivers.base.export import ExportServer
from roadstead.drivers.base.failover import Failover
from roadstead.drivers.base.network import Network
from roadstead.model import ids
from roadstead.model.networks import Port, PortRef, PortSpec, SegmentRef, port_mac
from roadstead.model.share_networks import FlowLease, Lease, ShareServer, Subnet
from roadstead.model.world import Place
from roadstead.roads import gateway
from roadstead.roads.standby import Standby


class Networked:
    """This host's network driver, and the locks of what several operations change together."""

    def __init__(self, network: Network, failover: Failover | None = None) -> None:
        """`failover`: who decides which of two gateways has the shares' addresses."""
        self.network = network
        self.failover = failover
        self.standbys: tuple[Standby, ...] = ()
        # Who needs a wire is read and acted on as one.
        self.wire_lock = threading.Lock()
        self._servers: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    @property
    def standby_for(self) -> tuple[str, ...]:
        """host@backend of those whose gateways this host stands by for."""
        return tuple(standby.active for standby in self.standbys)

    def server_lock(self, server_id: str) -> threading.Lock:
        """Which addresses a server's ports have is read and acted on as one."""
        with self._guard:
            return self._servers.setdefault(server_id, threading.Lock())


def place_of(server_id: str, leases: Sequence[Lease], passing: Sequence[FlowLease] = ()) -> Place:
    """Where the share server's exports are; `passing`: what stands for its shares, at a gateway."""
    return Place(
        id=server_id,
        netns=ids.place_netns(server_id),
        addresses=tuple(lease.address for lease in leases if not lease.is_storage),
        storage=tuple(lease.address for lease in leases if lease.is_storage),
        flows=gateway.flows(passing),
    )


def ensure_segments(network: Network, subnets: Sequence[Subnet]) -> None:
    """This host is on the wire of every subnet."""
    for subnet in subnets:
        if subnet.segment is not None:
            network.ensure_segment(subnet.segment)


def ensure_ports(
    network: Network,
    place: Place,
    subnets: Sequence[Subnet],
    leases: Sequence[Lease],
    passing: Sequence[FlowLease] = (),
    *,
    guests: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Port]:
    """The place is on every one of these subnets, with its addresses there, those that stand for
    its shares, and no others. With `guests`, by lease, somebody else sees to those that stand for
    shares: the ports may have these. The ports by lease."""
    by_id = {subnet.id: subnet for subnet in subnets}
    found: dict[str, Port] = {}
    for lease in leases:
        subnet = by_id.get(lease.subnet_id)
        if subnet is None:
            continue
        standing = [p.interface for p in passing if p.subnet_id == lease.subnet_id]
        found[lease.id] = network.ensure_port(
            PortSpec(
                id=lease.id,
                segment_id=lease.wire,
                place=place,
                addresses=(lease.interface, *(standing if guests is None else ())),
                guests=() if guests is None else tuple(guests.get(lease.id, ())),
                # Whoever comes to have the address later has the MAC, too: neighbours that
                # remember it from the server before find the next one at once.
                mac=port_mac(f"{lease.wire}/{lease.address}"),
                gateway=subnet.gateway,
                mtu=subnet.mtu,
            )
        )
    return found


def ensure_quiet(network: Network, leases: Sequence[Lease]) -> None:
    """Nobody gets an answer from the server's addresses any more (X-4: before they are freed)."""
    for lease in leases:
        network.ensure_port_down(PortRef(id=lease.id))


def ensure_ports_absent(network: Network, leases: Sequence[Lease]) -> None:
    """The server has no port any more."""
    for lease in leases:
        network.ensure_port_absent(PortRef(id=lease.id))


def ensure_segments_absent(network: Network, unused: Sequence[str]) -> None:
    """This host is not on these wires."""
    for wire in unused:
        network.ensure_segment_absent(SegmentRef(id=wire))


def ensure_served(export: ExportServer, place: Place) -> None:
    """The place's export server runs and answers."""
    export.ensure_server(place)


def ensure_unserved(export: ExportServer, place: Place) -> None:
    """Neither process nor files of the place's export server are left."""
    export.ensure_server_absent(place)


def name_of(server: ShareServer) -> str:
    """For people: the host part of an export path is an address, so this is its only name."""
    return f"share server {server.id}"
