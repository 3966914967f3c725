"""Share networks: rules of create, list, show, update, delete (wire.md#share-networks)."""

from collections.abc import Mapping

import msgspec

from roadstead.model.errors import BadRequest, Conflict, Forbidden, NotFound, OverQuota
from roadstead.model.ids import new_id
from roadstead.model.queries import NetworkFilter, Page
from roadstead.model.share_networks import ShareNetwork, Subnet
from roadstead.model.shares import Share
from roadstead.model.states import ShareNetworkStatus
from roadstead.service import segments, share_servers
from roadstead.service.context import Caller, Service
from roadstead.store import availability_zones, segment_numbers, subnets
from roadstead.store import share_networks as store
from roadstead.store import share_servers as server_store
from roadstead.store.db import Tx, lock_project, lock_share_network, utcnow
from roadstead.store.quotas import usage
from roadstead.store.scope import Scope, everyone


class NewNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """A share network as asked for, with its first subnet."""

    name: str | None = None
    description: str | None = None
    neutron_net_id: str | None = None
    neutron_subnet_id: str | None = None
    availability_zone: str | None = None  # name or id; None: a default subnet


def reach(tx: Tx, caller: Caller, network_id: str) -> ShareNetwork:
    """The network, if it is the caller's. NotFound otherwise."""
    found = store.get(tx, caller.scope, network_id)
    if found is None:
        raise NotFound(f"share network {network_id} could not be found")
    return found


def reach_locked(tx: Tx, caller: Caller, network_id: str) -> ShareNetwork:
    """The network as it is since nobody else changes what lives on it. NotFound as in `reach`."""
    lock_share_network(tx, network_id)
    return reach(tx, caller, network_id)


def require_active(network: ShareNetwork) -> None:
    """BadRequest while the network is being changed, or after that failed."""
    if network.status != ShareNetworkStatus.ACTIVE:
        raise BadRequest(f"share network {network.id} is {network.status}, not active")


def check_share(tx: Tx, share: Share) -> None:
    """BadRequest while the network of a share is being changed, or after that failed."""
    status = store.status_of(tx, share)
    if status not in (None, ShareNetworkStatus.ACTIVE):
        raise BadRequest(f"share network {share.share_network_id} is {status}, not active")


def zone_name(tx: Tx, name_or_id: str | None) -> str | None:
    """The zone's name; None for none. BadRequest when it is unknown."""
    if name_or_id is None:
        return None
    found = availability_zones.find(tx, name_or_id)
    if found is None:
        raise BadRequest(f"availability zone {name_or_id} could not be found")
    return found


def _check_quota(service: Service, tx: Tx, project_id: str) -> None:
    lock_project(tx, project_id)
    have = usage(tx, project_id, service.default_limits)["share_networks"]
    if 0 <= have.limit < have.in_use + 1:
        raise OverQuota(f"quota exceeded: {have.in_use} of {have.limit} share networks are in use")


def create(service: Service, caller: Caller, new: NewNetwork) -> ShareNetwork:
    """The network is there with one subnet. BadRequest on an unknown zone or unusable ids;
    OverQuota."""
    now = utcnow()
    with service.db.write() as tx:
        zone = zone_name(tx, new.availability_zone)
        _check_quota(service, tx, caller.project_id)
        network_id = new_id()
        columns = segments.resolve(
            service, tx, caller.project_id, new.neutron_net_id, new.neutron_subnet_id
        )
        subnet = Subnet(
            id=new_id(),
            share_network_id=network_id,
            availability_zone=zone,
            created_at=now,
            **columns,
        )
        network = ShareNetwork(
            id=network_id,
            project_id=caller.project_id,
            user_id=caller.user_id,
            name=new.name,
            description=new.description,
            subnets=(subnet,),
            created_at=now,
        )
        store.insert(tx, network)
    return network


def get(service: Service, caller: Caller, network_id: str) -> ShareNetwork:
    """The network, if it is the caller's. NotFound otherwise."""
    with service.db.read() as tx:
        return reach(tx, caller, network_id)


def _list_scope(caller: Caller, wanted: NetworkFilter, all_projects: bool) -> Scope:
    if caller.can("share_network:get_all_share_networks"):
        if all_projects or wanted.project_id is not None:
            return everyone()
    return caller.own


def find_all(
    service: Service, caller: Caller, wanted: NetworkFilter, page: Page, *, all_projects: bool
) -> list[ShareNetwork]:
    """The caller's networks that match; everybody's, or another project's, for an administrator
    who asks so."""
    with service.db.read() as tx:
        return store.find_all(tx, _list_scope(caller, wanted, all_projects), wanted, page)


def find_names(
    service: Service, caller: Caller, wanted: NetworkFilter, page: Page, *, all_projects: bool
) -> list[tuple[str, str | None]]:
    """(id, name) of the same networks."""
    with service.db.read() as tx:
        return store.find_names(tx, _list_scope(caller, wanted, all_projects), wanted, page)


def update(
    service: Service,
    caller: Caller,
    network_id: str,
    changes: Mapping[str, str | None],
    ids: Mapping[str, str],
) -> ShareNetwork:
    """name and description are as in `changes`; `ids` (neutron_net_id, neutron_subnet_id) are
    those of the default subnet. Forbidden while share servers exist; BadRequest without exactly
    one default subnet."""
    with service.db.write() as tx:
        network = reach_locked(tx, caller, network_id)
        if ids:
            _move_default_subnet(service, tx, network, ids)
        if changes or ids:
            store.update(tx, network, **changes)
        return reach(tx, caller, network_id)


def _move_default_subnet(
    service: Service, tx: Tx, network: ShareNetwork, ids: Mapping[str, str]
) -> None:
    if server_store.of_network(tx, network):
        raise Forbidden(f"share network {network.id} has share servers; its ids cannot change")
    default = network.subnets_of(None)
    if len(default) != 1:
        raise BadRequest(f"share network {network.id} has {len(default)} default subnets, not one")
    subnet = default[0]
    columns = segments.resolve(
        service,
        tx,
        network.project_id,
        ids.get("neutron_net_id", subnet.neutron_net_id),
        ids.get("neutron_subnet_id", subnet.neutron_subnet_id),
    )
    subnets.update(tx, subnet, **columns)
    segment_numbers.release_unused(tx, network.project_id)


def delete(service: Service, caller: Caller, network_id: str) -> None:
    """The network is gone, and its unused share servers are being removed. Conflict while a share
    names it, it has several subnets, or a server on it is not ours to remove."""
    with service.acting(caller) as act:
        tx = act.tx
        network = reach_locked(tx, caller, network_id)
        if store.has_shares(tx, network):
            raise Conflict(f"share network {network_id} is used by shares")
        if len(network.subnets) > 1:
            raise Conflict(f"share network {network_id} has several subnets; delete these first")
        servers = server_store.of_network(tx, network)
        share_servers.remove_unused(act, servers)
        store.delete(tx, network)
        segment_numbers.release_unused(tx, network.project_id)


def reset_status(service: Service, caller: Caller, network_id: str, status: str) -> None:
    """The network shows `status`; nothing else happens."""
    if status not in frozenset(ShareNetworkStatus):
        raise BadRequest(f"{status!r} is no status of a share network")
    with service.db.write() as tx:
        store.update(tx, reach(tx, caller, network_id), status=status)
