"""Share servers, for administrators, and what networks' rules ask of them.

The facts: wire.md#share-servers.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from roadstead.model.errors import BadRequest, Conflict, Forbidden, NotFound
from roadstead.model.ids import new_id
from roadstead.model.operations import Operation
from roadstead.model.share_networks import ShareNetwork, ShareServer, Subnet
from roadstead.model.states import SHARE_SERVER_STATUSES, VERBS
from roadstead.service.context import Caller, Service
from roadstead.store import operations, pools, security_services, services, share_networks
from roadstead.store import share_servers as store
from roadstead.store.db import Tx, lock_share_network, utcnow


def submit(
    service: Service, caller: Caller, tx: Tx, verb: str, server: ShareServer, **payload: Any
) -> str:
    """The operation on the server is recorded and enqueued for its agent; returns that agent, to
    wake after the commit. Conflict: the server has a live operation."""
    operation = Operation(
        id=new_id(),
        verb=verb,
        resource_id=server.id,
        project_id=server.project_id,
        user_id=caller.user_id,
        request_id=caller.request_id,
        host=server.agent_host,
        state="todo",
        payload={"share_server_id": server.id, "share_id": "", **payload},
        created_at=utcnow(),
    )
    operations.insert(tx, operation)
    service.engine.submit(tx, operation.id, server.agent_host)
    return server.agent_host


def remove_unused(
    service: Service, caller: Caller, tx: Tx, servers: Iterable[ShareServer]
) -> set[str]:
    """These servers are being removed; returns the agents to wake. Conflict when one has shares,
    is not ours to remove, or is just being made or changed."""
    hosts: set[str] = set()
    for server in servers:
        if not server.is_auto_deletable:
            raise Conflict(f"share server {server.id} is not removed automatically")
        if server.status not in VERBS["share_server.delete"].start:
            raise Conflict(f"share server {server.id} is {server.status}; try again later")
        if not store.begin_delete(tx, server):
            raise Conflict(f"share server {server.id} holds shares")
        hosts.add(submit(service, caller, tx, "share_server.delete", server))
    return hosts


def change_all(
    service: Service,
    caller: Caller,
    tx: Tx,
    network: ShareNetwork,
    servers: Sequence[ShareServer],
    **payload: Any,
) -> set[str]:
    """Network and servers are `network_change`, and the servers' agents are asked to bring them in
    line with what the network is now; returns the agents to wake."""
    if not servers:
        return set()
    share_networks.update(tx, network.id, status="network_change")
    hosts: set[str] = set()
    for server in servers:
        store.update(tx, server.id, status="network_change")
        hosts.add(submit(service, caller, tx, "share_server.update", server, **payload))
    return hosts


def _reach(tx: Tx, caller: Caller, server_id: str) -> ShareServer:
    found = store.find(tx, server_id)
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
    with service.db.write() as tx:
        server = _reach(tx, caller, server_id)
        if server.status not in VERBS["share_server.delete"].start:
            raise Forbidden(f"share server {server_id} is {server.status}")
        if not store.begin_delete(tx, server):
            raise Conflict(f"share server {server_id} holds shares")
        host = submit(service, caller, tx, "share_server.delete", server)
    service.engine.wake(host)


def reset_status(service: Service, caller: Caller, server_id: str, status: str) -> None:
    """The server shows `status`; nothing else happens. Conflict while an operation runs on it."""
    if status not in SHARE_SERVER_STATUSES:
        raise BadRequest(f"{status!r} is no status of a share server")
    with service.db.write() as tx:
        server = _reach(tx, caller, server_id)
        if server_id in operations.live_resources(tx, server.agent_host):
            raise Conflict("an operation on this share server is under way and sets its status")
        store.update(tx, server_id, status=status)


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
    with service.db.write() as tx:
        lock_share_network(tx, wanted.share_network_id)
        _check_host(tx, wanted.host)
        network = share_networks.get(tx, caller.scope, wanted.share_network_id)
        if network is None:
            raise BadRequest(f"share network {wanted.share_network_id} could not be found")
        if network.status != "active":
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
            status="manage_starting",
            is_auto_deletable=False,
            identifier=wanted.identifier,
            subnet_ids=(subnet.id,),
            created_at=now,
            updated_at=now,
        )
        joined = [s.id for s in security_services.of_network(tx, network.id)]
        purpose = store.purpose(server.host, server.subnet_ids, joined)
        store.insert(tx, server, purpose=purpose)
        options = wanted.driver_options
        host = submit(service, caller, tx, "share_server.manage", server, driver_options=options)
    service.engine.wake(host)
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
    with service.db.write() as tx:
        server = _reach(tx, caller, server_id)
        lock_share_network(tx, server.share_network_id)
        if len(server.subnet_ids) > 1:
            raise BadRequest(f"share server {server_id} is on several subnets")
        if server.status not in VERBS["share_server.unmanage"].start:
            raise BadRequest(f"share server {server_id} is {server.status}")
        if store.has_shares(tx, server_id):
            raise BadRequest(f"share server {server_id} holds shares")
        if share_networks.status_of(tx, server.share_network_id) not in (None, "active"):
            raise BadRequest("its share network is not active")
        store.update(tx, server_id, status="unmanage_starting")
        host = submit(service, caller, tx, "share_server.unmanage", server, force=force)
    service.engine.wake(host)
