"""Subnets of share networks (wire.md#subnets), and whether one may be added to a network in use."""

from collections.abc import Callable

import msgspec

from roadstead.model.errors import BadRequest, Conflict, NotFound
from roadstead.model.ids import new_id
from roadstead.model.share_networks import ShareNetwork, ShareServer, Subnet
from roadstead.model.states import ShareNetworkStatus
from roadstead.scheduler.filters import segment as segment_refusal
from roadstead.service import network_checks, segments, share_servers
from roadstead.service.context import Caller, Service
from roadstead.service.metadata import Change, Owner
from roadstead.service.network_checks import Answer
from roadstead.service.share_networks import reach, reach_locked, zone_name
from roadstead.store import network_checks as check_store
from roadstead.store import pools, segment_numbers
from roadstead.store import share_servers as server_store
from roadstead.store import subnets as store
from roadstead.store.db import Tx, utcnow

# Up to this minor a network has one subnet per zone.
LAST_WITH_ONE_PER_ZONE = 69


class NewSubnet(msgspec.Struct, frozen=True, kw_only=True):
    """A subnet as asked for."""

    neutron_net_id: str | None = None
    neutron_subnet_id: str | None = None
    availability_zone: str | None = None  # name or id; None: a default subnet
    metadata: dict[str, str] = {}


def _subnet(network: ShareNetwork, subnet_id: str) -> Subnet:
    """The network's own subnet of that id: another network's does not exist here."""
    for subnet in network.subnets:
        if subnet.id == subnet_id:
            return subnet
    raise NotFound(f"subnet {subnet_id} could not be found")


def get(
    service: Service, caller: Caller, network_id: str, subnet_id: str
) -> tuple[ShareNetwork, Subnet]:
    """The subnet and its network, if they are the caller's. NotFound otherwise."""
    with service.db.read() as tx:
        network = reach(tx, caller, network_id)
    return network, _subnet(network, subnet_id)


def _servers_beside(tx: Tx, network: ShareNetwork, zone: str | None) -> list[ShareServer]:
    """The share servers that a new subnet of that zone concerns."""
    beside = {s.id for s in network.subnets_of(zone)}
    return [s for s in server_store.of_network(tx, network) if beside & set(s.subnet_ids)]


def _change(new: NewSubnet, zone: str | None) -> str:
    """What was asked about."""
    return check_store.digest(
        "add_subnet",
        neutron_net_id=new.neutron_net_id,
        neutron_subnet_id=new.neutron_subnet_id,
        availability_zone=zone,
    )


def _require_support(servers: list[ShareServer]) -> None:
    for server in servers:
        if not server.network_allocation_update_support:
            raise BadRequest(f"share server {server.id} cannot get another subnet")


def create(
    service: Service, caller: Caller, network_id: str, new: NewSubnet, *, one_per_zone: bool
) -> tuple[ShareNetwork, Subnet]:
    """The network has the subnet. When its zone has share servers, they are being put on it, and
    the network is `network_change`: that needs the check first (BadRequest without).

    BadRequest: unknown zone, unusable ids. Conflict: the zone has a subnet and `one_per_zone`.
    """
    with service.acting(caller) as act:
        tx = act.tx
        network = reach_locked(tx, caller, network_id)
        zone = zone_name(tx, new.availability_zone)
        if one_per_zone and network.subnets_of(zone):
            raise Conflict(f"share network {network_id} has a subnet in {zone or 'every zone'}")
        servers = _servers_beside(tx, network, zone)
        _require_support(servers)
        network_checks.require(tx, network, _change(new, zone), servers)
        columns = segments.resolve(
            service, tx, network.project_id, new.neutron_net_id, new.neutron_subnet_id
        )
        subnet = Subnet(
            id=new_id(),
            share_network_id=network_id,
            availability_zone=zone,
            metadata=new.metadata,
            created_at=utcnow(),
            **columns,
        )
        store.insert(tx, subnet)
        share_servers.change_all(act, network, servers, subnet_id=subnet.id)
    return network, subnet


def ask_create(
    service: Service, caller: Caller, network_id: str, new: NewSubnet, *, reset: bool
) -> Answer:
    """Whether such a subnet could be added to the network as it is used now."""
    with service.db.write() as tx:
        network = reach_locked(tx, caller, network_id)
        zone = zone_name(tx, new.availability_zone)
        servers = _servers_beside(tx, network, zone)
        _require_support(servers)
        return network_checks.ask(
            tx,
            network,
            _change(new, zone),
            servers,
            _able(service, tx, network, new),
            reset=reset,
        )


def _able(
    service: Service, tx: Tx, network: ShareNetwork, new: NewSubnet
) -> Callable[[ShareServer], bool]:
    """Can this server's host be on the segment that the ids mean? Nothing is taken for it yet."""
    if (new.neutron_net_id is None) != (new.neutron_subnet_id is None):
        raise BadRequest("give both neutron_net_id and neutron_subnet_id, or neither")
    pool = segments.find_pool(service, network.project_id, new.neutron_net_id)
    wanted = Subnet(
        id="to come",
        share_network_id=network.id,
        network_type=pool.kind if pool else None,
        physical_network=pool.physical_network if pool else "",
        cidr=new.neutron_subnet_id,
        created_at=utcnow(),
    )
    reported = pools.find_all(tx)

    def able(server: ShareServer) -> bool:
        mine = [p for p in reported if f"{p.host}@{p.backend}" == server.host]
        return bool(mine) and all(segment_refusal(p, wanted) is None for p in mine)

    return able


def delete(service: Service, caller: Caller, network_id: str, subnet_id: str) -> None:
    """The subnet is gone, and the unused share servers on it are being removed. Conflict while
    shares are on them, one is not ours to remove, or one is just being put on a subnet."""
    with service.acting(caller) as act:
        tx = act.tx
        network = reach_locked(tx, caller, network_id)
        subnet = _subnet(network, subnet_id)
        if network.status == ShareNetworkStatus.NETWORK_CHANGE:
            raise Conflict(f"share network {network_id} is being changed; try again later")
        servers = server_store.of_network(tx, network, subnet)
        share_servers.remove_unused(act, servers)
        store.delete(tx, subnet)
        segment_numbers.release_unused(tx, network.project_id)


def metadata_owner(network_id: str, subnet_id: str) -> Owner:
    """A subnet's metadata; no key of it is the administrators' own."""

    def read(service: Service, caller: Caller) -> dict[str, str]:
        return get(service, caller, network_id, subnet_id)[1].metadata

    def change(service: Service, caller: Caller, how: Change) -> dict[str, str]:
        with service.db.write() as tx:
            subnet = _subnet(reach_locked(tx, caller, network_id), subnet_id)
            new = how(subnet.metadata)
            store.change_metadata(tx, subnet, new)
            return new

    return Owner(id=subnet_id, admin_rule="", admin_keys=(), read=read, change=change)
