"""Which security services a share network has: add, remove, replace, and the checks before."""

import msgspec

from roadstead.model.errors import BadRequest, Conflict, Forbidden, NotFound
from roadstead.model.share_networks import SecurityService, ShareNetwork, ShareServer
from roadstead.service import network_checks, share_servers
from roadstead.service.context import Caller, Service
from roadstead.service.network_checks import Answer
from roadstead.service.share_networks import reach, reach_locked
from roadstead.store import network_checks as check_store
from roadstead.store import security_services as store
from roadstead.store import share_networks
from roadstead.store import share_servers as server_store
from roadstead.store.db import Tx


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """What a network shall have; `current` None: beside what it has."""

    new: str
    current: str | None = None

    @property
    def change(self) -> str:
        return check_store.digest("security_service", new=self.new, current=self.current)


def _reach_service(tx: Tx, caller: Caller, network: ShareNetwork, ident: str) -> SecurityService:
    """The security service, of the network's own project. NotFound otherwise, for everybody."""
    found = store.get(tx, caller.scope, ident)
    if found is None or found.project_id != network.project_id:
        raise NotFound(f"security service {ident} could not be found")
    return found


def _check(
    tx: Tx, caller: Caller, network: ShareNetwork, wanted: Replacement
) -> tuple[SecurityService, SecurityService | None]:
    """The new one, and the one that it replaces.

    NotFound (BadRequest in a replacement): an unknown one. Conflict: of a type that the network
    has, or what shall be replaced is not there or of another type."""
    try:
        new = _reach_service(tx, caller, network, wanted.new)
        if wanted.current is not None:
            _reach_service(tx, caller, network, wanted.current)
    except NotFound as error:
        if wanted.current is None:
            raise
        raise BadRequest(str(error)) from error
    have = {s.id: s for s in store.of_network(tx, network)}
    old: SecurityService | None = None
    if wanted.current is not None:
        old = have.pop(wanted.current, None)
        if old is None:
            raise Conflict(f"security service {wanted.current} is not attached to the network")
        if old.type != new.type:
            raise Conflict(f"a {old.type} security service cannot be replaced by a {new.type} one")
    if any(s.type == new.type for s in have.values()):
        raise Conflict(f"the network has a {new.type} security service already")
    return new, old


def _check_use(tx: Tx, network: ShareNetwork, servers: list[ShareServer], *, change: bool) -> None:
    """BadRequest when the servers cannot be changed now."""
    for server in servers:
        if not server.security_service_update_support:
            raise BadRequest(f"share server {server.id} cannot change its security services")
    if servers and change and share_networks.unavailable_shares(tx, network):
        raise BadRequest(f"shares on share network {network.id} are not available")


def replace(
    service: Service, caller: Caller, network_id: str, wanted: Replacement, *, in_use: bool = True
) -> ShareNetwork:
    """The network has the new security service, in the place of the current one if one is named.
    When it has share servers they are being changed, and it is `network_change`.

    Forbidden in use unless `in_use`; BadRequest in use without a finished check before.
    """
    with service.acting(caller) as act:
        tx = act.tx
        network = reach_locked(tx, caller, network_id)
        new, old = _check(tx, caller, network, wanted)
        servers = server_store.of_network(tx, network)
        if servers and not in_use:
            raise Forbidden(f"share network {network_id} is in use")
        _check_use(tx, network, servers, change=wanted.current is not None)
        network_checks.require(tx, network, wanted.change, servers)
        if old is not None:
            store.detach(tx, network, old)
        store.attach(tx, network, new)
        share_servers.change_all(
            act,
            network,
            servers,
            security_service_id=wanted.new,
            old_security_service_id=wanted.current,
        )
        share_networks.update(tx, network)
        return reach(tx, caller, network_id)


def ask(
    service: Service, caller: Caller, network_id: str, wanted: Replacement, *, reset: bool
) -> Answer:
    """Whether `replace` could be done as the network is used now."""
    with service.db.write() as tx:
        network = reach_locked(tx, caller, network_id)
        _check(tx, caller, network, wanted)
        servers = server_store.of_network(tx, network)
        _check_use(tx, network, servers, change=wanted.current is not None)
        return network_checks.ask(
            tx,
            network,
            wanted.change,
            servers,
            lambda server: server.security_service_update_support,
            reset=reset,
        )


def remove(service: Service, caller: Caller, network_id: str, service_id: str) -> ShareNetwork:
    """The network does not have it any more. Forbidden in use; BadRequest when it had it not."""
    with service.db.write() as tx:
        network = reach_locked(tx, caller, network_id)
        if server_store.of_network(tx, network):
            raise Forbidden(f"share network {network_id} is in use")
        found = _reach_service(tx, caller, network, service_id)
        if not store.detach(tx, network, found):
            raise BadRequest(f"security service {service_id} is not attached to the network")
        share_networks.update(tx, network)
        return reach(tx, caller, network_id)
