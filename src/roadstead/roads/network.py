"""Road network: a share server on the tenant's own segment exports the share only there.

A share server is a network namespace with a port on each subnet, and an export server inside. It
has no leg on any other network; its configuration and its message bus are files.
"""

from collections.abc import Mapping, Sequence

from roadstead.config.sections import Config
from roadstead.drivers.base.export import ExportServer
from roadstead.drivers.base.network import Network as NetworkDriver
from roadstead.model.errors import ConfigError
from roadstead.model.networks import NetworkInfo, Port, PortRef, PortSpec, SegmentRef, port_mac
from roadstead.model.share_networks import FlowLease, Lease, Subnet
from roadstead.model.world import Place
from roadstead.roads.addresses import Addresses
from roadstead.roads.base import Servers
from roadstead.roads.direct import Direct
from roadstead.roads.networked import Networked


class NetworkServers:
    """See `roadstead.roads.base.Servers`."""

    paired: bool = False
    passes_on: bool = False

    def legs(self, tenant: Sequence[Subnet]) -> list[Subnet]:
        return list(tenant)

    def details(self, export: ExportServer) -> Mapping[str, str]:
        return {}

    def has_flows(self, export: ExportServer) -> bool:
        return False

    def ensure_ports(self, networked: Networked, addresses: Addresses) -> None:
        a = addresses
        ensure_ports(networked.network, a.place, self.legs(a.tenant), a.leases, a.passing)

    def ensure_ports_again(self, networked: Networked, addresses: Addresses) -> None:
        self.ensure_ports(networked, addresses)

    def are_right(self, networked: Networked, addresses: Addresses) -> bool:
        return True


class Network(Direct):
    """See `roadstead.roads.base.Road`."""

    name = "network"
    isolation = "network"

    @property
    def servers(self) -> Servers | None:
        return NetworkServers()

    @classmethod
    def check(cls, config: Config) -> None:
        """ConfigError when one of its backends has another road, too."""
        for name, section in config.backends.items():
            if cls.name in section.roads and len(section.roads) > 1:
                raise ConfigError(f"backends.{name}.roads: road {cls.name} goes with no other")

    def places(self, own: Place, servers: Mapping[str, Place]) -> dict[str, Place]:
        return dict(servers)

    def capabilities(
        self, network: NetworkInfo | None, limits: Mapping[str, int]
    ) -> dict[str, object]:
        """On which wires this host's share servers can be, what may be changed while they are, and
        how many there may be."""
        return {
            "segment_kinds": list(network.segment_kinds) if network else [],
            "physical_networks": list(network.physical_networks) if network else [],
            "network_allocates": network is not None and network.allocates,
            "network_allocation_update_support": network is not None,
            **limits,
        }


def ensure_segments(network: NetworkDriver, subnets: Sequence[Subnet]) -> None:
    """This host is on the wire of every subnet."""
    for subnet in subnets:
        if subnet.segment is not None:
            network.ensure_segment(subnet.segment)


def ensure_ports(
    network: NetworkDriver,
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


def ensure_quiet(network: NetworkDriver, leases: Sequence[Lease]) -> None:
    """Nobody gets an answer from the server's addresses any more (X-4: before they are freed)."""
    for lease in leases:
        network.ensure_port_down(PortRef(id=lease.id))


def ensure_ports_absent(network: NetworkDriver, leases: Sequence[Lease]) -> None:
    """The server has no port any more."""
    for lease in leases:
        network.ensure_port_absent(PortRef(id=lease.id))


def ensure_segments_absent(network: NetworkDriver, unused: Sequence[str]) -> None:
    """This host is not on these wires."""
    for wire in unused:
        network.ensure_segment_absent(SegmentRef(id=wire))


def ensure_served(export: ExportServer, place: Place) -> None:
    """The place's export server runs and answers."""
    export.ensure_server(place)


def ensure_unserved(export: ExportServer, place: Place) -> None:
    """Neither process nor files of the place's export server are left."""
    export.ensure_server_absent(place)
