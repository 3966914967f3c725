"""Addresses that stand for one share at its gateway: given before it is served there, and taken
back, off the wire first, when nobody can reach it any more (X-4)."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from roadstead.drivers.base.export import Gateway
from roadstead.model.errors import NotFound, Transient
from roadstead.model.networks import PortRef
from roadstead.model.share_networks import Subnet
from roadstead.model.shares import ShareInstance
from roadstead.model.world import Place
from roadstead.ops.server_state import check_ready
from roadstead.roads import network as road
from roadstead.roads import pair
from roadstead.roads.backend import Backend
from roadstead.roads.network import Networked
from roadstead.roads.pair import Side
from roadstead.store import allocations, flows, subnets
from roadstead.store.db import Database, Tx


def ensure_passing(db: Database, backend: Backend, instance: ShareInstance) -> None:
    """The share has its addresses on both sides of its gateway. Awaiting while the gateway is
    being made or changed; DriverError when it could not be."""
    server_id, networked = _gateway(backend, instance)
    with networked.server_lock(server_id):
        sources = _sources(backend, instance.id)
        with db.write() as tx:
            check_ready(tx, server_id)
            tenant = tenant_subnets(tx, server_id)
            flows.ensure(tx, server_id, instance.id, tenant, backend.storage, sources)
        ensure_ports(db, backend, networked, server_id)
    if backend.standby:
        pair.wait_until_elected(networked, side_of(db, backend, server_id))


def ensure_not_passing(db: Database, backend: Backend, instance: ShareInstance) -> None:
    """The share's addresses are on no interface, and free."""
    server_id, networked = _gateway(backend, instance)
    with networked.server_lock(server_id):
        with db.write() as tx:
            flows.retire(tx, instance.id)
        _ensure_left_ports(db, backend, networked, server_id)
        with db.write() as tx:
            flows.release(tx, instance.id)


def ensure_ports(db: Database, backend: Backend, networked: Networked, server_id: str) -> Place:
    """The gateway's ports have the addresses that are in use, and no others; returns where it is.
    The caller holds the server's lock."""
    found = side_of(db, backend, server_id)
    pair.ensure_ports(networked, found)
    return found.place


def _ensure_left_ports(
    db: Database, backend: Backend, networked: Networked, server_id: str
) -> None:
    """So have those that there are: a gateway that could not be made, or that a reboot took, gets
    none for a share that goes."""
    network, found = networked.network, side_of(db, backend, server_id)
    here = [le for le in found.leases if network.port_addresses(PortRef(id=le.id))]
    with suppress(NotFound):  # lost meanwhile
        if found.peers and len(here) < len(found.leases):
            pair.ensure_none(networked, found)
        elif found.peers:
            pair.ensure_ports(networked, found)
        for lease in () if found.peers else here:
            road.ensure_ports(network, found.place, found.legs, [lease], found.passing)


def side_of(db: Database, backend: Backend, server_id: str) -> Side:
    """The gateway as the database has it, and the one that stands by for it, if any."""
    with db.read() as tx:
        leases = allocations.of_server(tx, server_id)
        passing = flows.of_server(tx, server_id)
        tenant = tenant_subnets(tx, server_id)
        peers = flows.standby_of(tx, server_id) if backend.standby else []
    place = road.place_of(server_id, leases, passing)
    legs = [*tenant, *backend.storage]
    return Side(
        place=place, legs=legs, leases=leases, passing=passing, peers=peers, filer=backend.filer
    )


def tenant_subnets(tx: Tx, server_id: str) -> list[Subnet]:
    """Those on which the server has an address, so also one that it is just getting onto."""
    ids = [le.subnet_id for le in allocations.of_server(tx, server_id) if not le.is_storage]
    found = [subnets.find(tx, subnet_id) for subnet_id in ids]
    return [subnet for subnet in found if subnet is not None]


def _gateway(backend: Backend, instance: ShareInstance) -> tuple[str, Networked]:
    if instance.share_server_id is None or backend.networked is None:
        raise Transient(f"backend {backend.name} has no gateways: no network driver is configured")
    return instance.share_server_id, backend.networked


def _sources(backend: Backend, instance_id: str) -> Mapping[str, Sequence[str]] | None:
    export = backend.export
    return export.flow_sources(instance_id) if isinstance(export, Gateway) else None
