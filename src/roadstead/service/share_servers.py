"""Share servers, for administrators, and what networks' rules ask of them.

The facts: wire.md#share-servers.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from roadstead.model.errors import BadRequest, Conflict, NotFound
from roadstead.model.ids import new_id
from roadstead.model.share_networks import ShareNetwork, ShareServer, Subnet
from roadstead.model.states import ShareNetworkStatus, ShareServerStatus
from roadstead.ops.begin import Act, check, fits
from roadstead.ops.subjects import of_server
from roadstead.service.context import Caller, Service
from roadstead.store import operations, pools, security_services, services, share_networks
from roadstead.store import share_servers as store
from roadstead.store.db import Tx, lock_share_network, utcnow


def remove_unused(act: Act, servers: Iterable[ShareServer]) -> None:
    """These servers are being removed. Conflict when one has shares, is not ours to remove, or is
    just being made or changed."""
    for server in servers:
        if not server.is_auto_deletable:
            raise Conflict(f"share server {server.id} is not removed automatically")
        if not fits("share_server.delete", server.status):
            raise Conflict(f"share server {server.id} is {server.status}; try again later")
        _remove(act, server)


def _remove(act: Act, server: ShareServer) -> None:
    """Conflict while shares are on it."""
    if not store.is_unused(act.tx, server):
        raise Conflict(f"share server {server.id} holds shares")
    act.begin("share_server.delete", of_server(server))


def change_all(
    act: Act, network: ShareNetwork, servers: Sequence[ShareServer], **payload: Any
) -> None:
    """Network and servers are `network_change`, and the servers' agents are asked to bring them in
    line with what the network is now. Nothing happens without servers."""
    if servers:
        share_networks.update(act.tx, network, status=ShareNetworkStatus.NETWORK_CHANGE)
    for server in servers:
        act.begin("share_server.update", of_server(server), **payload)


def _reach(tx: Tx, caller: Caller, server_id: str) -> ShareServer:
    found = store.find(tx, caller.scope, server_id)
    if found is None or not caller.is_admin:
        raise NotFound(f"share server {server_id} could not be found")
    return found


def get(service: Service, caller: Caller, server_id: str) -> ShareServer:
    """The server. NotFound otherwise."""
    with service.db.read() as tx:
        return _reach(tx, caller, server_id)


def find_all(service: Service, caller: Caller) -> list[ShareServer]:
    """Every server there is."""
    with service.db.read() as tx:
        return store.find_all(tx, caller.scope)


def delete(service: Service, caller: Caller, server_id: str) -> None:
    """The server is `deleting`. Forbidden in another state than active or error; Conflict while
    shares are on it."""
    with service.acting(caller) as act:
        server = _reach(act.tx, caller, server_id)
        check("share_server.delete", of_server(server))
        _remove(act, server)


def reset_status(service: Service, caller: Caller, server_id: str, status: str) -> None:
    """The server shows `status`; nothing else happens. Conflict while an operation runs on it."""
    if status not in frozenset(ShareServerStatus):
        raise BadRequest(f"{status!r} is no status of a share server")
    with service.db.write() as tx:
        server = _reach(tx, caller, server_id)
        if operations.is_busy(tx, server):
            raise Conflict("an operation on this share server is under way and sets its status")
        store.update(tx, server, status=status)


class Managed(msgspec.Struct, frozen=True, kw_only=True):
    """A share server that exists already and shall be ours."""

    host: str
    share_network_id: str
    identifier: str
    share_network_subnet_id: str | None = None
    driver_options: dict[str, str] = {}


def manage(service: Service, caller: Caller, wanted: Managed) -> ShareServer:
    """The server has a row and is `manage_starting`. BadRequest when anything is not as it must
    be."""
    with service.acting(caller) as act:
        tx = act.tx
        lock_share_network(tx, wanted.share_network_id)
        _check_host(tx, wanted.host)
        network = share_networks.get(tx, caller.scope, wanted.share_network_id)
        if network is None:
            raise BadRequest(f"share network {wanted.share_network_id} could not be found")
        if network.status != ShareNetworkStatus.ACTIVE:
            raise BadRequest(f"share network {network.id} is {network.status}, not active")
        subnet = _managed_subnet(network, wanted.share_network_subnet_id)
        if any(s.identifier == wanted.identifier for s in store.find_all(tx, caller.scope)):
            raise BadRequest(f"identifier {wanted.identifier!r} is in use")
        now = utcnow()
        server = ShareServer(
            id=new_id(),
            project_id=network.project_id,
            share_network_id=network.id,
            share_network_name=network.name,
            host=wanted.host,
            status=ShareServerStatus.MANAGE_STARTING,
            is_auto_deletable=False,
            identifier=wanted.identifier,
            subnet_ids=(subnet.id,),
            created_at=now,
            updated_at=now,
        )
        joined = [s.id for s in security_services.of_network(tx, network)]
        purpose = store.purpose(server.host, server.subnet_ids, joined)
        store.insert(tx, server, purpose=purpose)
        options = wanted.driver_options
        act.begin("share_server.manage", of_server(server), driver_options=options)
    return server


def _check_host(tx: Tx, host: str) -> None:
    if "#" in host:
        raise BadRequest("host must not name a pool")
    if services.find(tx, binary="manila-share", host=host) is None:
        raise BadRequest(f"host {host!r} could not be found")
    mine = [p for p in pools.find_all(tx) if f"{p.host}@{p.backend}" == host]
    if not any(p.capabilities.get("driver_handles_share_servers") for p in mine):
        raise BadRequest(f"host {host!r} does not handle share servers")


def _managed_subnet(network: ShareNetwork, subnet_id: str | None) -> Subnet:
    """The one subnet the server is on."""
    found: tuple[Subnet, ...]
    if subnet_id is None:
        found = network.subnets_of(None)
    else:
        named = [s for s in network.subnets if s.id == subnet_id]
        if not named:
            raise BadRequest(f"subnet {subnet_id} could not be found")
        found = network.subnets_of(named[0].availability_zone)
    if len(found) != 1:
        where = "default" if subnet_id is None else "in that availability zone"
        raise BadRequest(f"share network {network.id} has {len(found)} subnets {where}, not one")
    return found[0]


def unmanage(service: Service, caller: Caller, server_id: str, *, force: bool) -> None:
    """The server is `unmanage_starting`: it will be forgotten, and not be removed. `force` is for
    the agent: it need not find the server. BadRequest in the wrong state, or while it is used."""
    with service.acting(caller) as act:
        tx = act.tx
        server = _reach(tx, caller, server_id)
        lock_share_network(tx, server.share_network_id)
        if len(server.subnet_ids) > 1:
            raise BadRequest(f"share server {server_id} is on several subnets")
        check("share_server.unmanage", of_server(server))
        if store.has_shares(tx, server):
            raise BadRequest(f"share server {server_id} holds shares")
        usable = (None, ShareNetworkStatus.ACTIVE)
        if share_networks.status_of(tx, server) not in usable:
            raise BadRequest("its share network is not active")
        act.begin("share_server.unmanage", of_server(server), force=force)
