"""Security services: rules of create, list, show, update, delete (wire.md#security-services).

Passwords are sealed before they come near the database (X-7); who may see one, `password_of` says.
"""

from collections.abc import Mapping
from typing import Any

import structlog

from roadstead.model.errors import BadRequest, ConfigError, Conflict, Forbidden, NotFound
from roadstead.model.ids import new_id
from roadstead.model.queries import Page, SecurityServiceFilter
from roadstead.model.share_networks import SecurityService
from roadstead.service.context import Caller, Service
from roadstead.service.share_networks import reach as reach_network
from roadstead.store import security_services as store
from roadstead.store import share_servers
from roadstead.store.db import Tx, lock_share_network, utcnow
from roadstead.store.scope import everyone

log = structlog.get_logger()
# What may be changed while share servers use it.
_HARMLESS = frozenset(("name", "description"))


def _sealed(service: Service, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The columns: as the fields, but the password sealed."""
    columns = dict(fields)
    if "password" in columns:
        password = columns.pop("password")
        columns["sealed_password"] = None if password is None else service.box().seal(password)
    return columns


def password_of(service: Service, caller: Caller, found: SecurityService) -> str | None:
    """The password in clear, for those of its project who may set it; None for everybody else,
    other projects' administrators among them."""
    if found.sealed_password is None or found.project_id != caller.project_id:
        return None
    if not caller.can("security_service:get_password"):
        return None
    try:
        return service.box().unseal(found.sealed_password)
    except ConfigError as error:
        log.error("password cannot be shown", security_service=found.id, error=str(error))
        return None


def _check(found: SecurityService) -> None:
    if found.type == "active_directory" and found.default_ad_site and found.server:
        raise BadRequest("an active_directory has a default_ad_site or a server, not both")


def create(service: Service, caller: Caller, fields: Mapping[str, Any]) -> SecurityService:
    """The security service is there. BadRequest when its parts contradict each other."""
    made = SecurityService(
        id=new_id(),
        project_id=caller.project_id,
        created_at=utcnow(),
        **_sealed(service, fields),
    )
    _check(made)
    with service.db.write() as tx:
        store.insert(tx, made)
    return made


def _reach(tx: Tx, caller: Caller, service_id: str) -> SecurityService:
    found = store.get(tx, caller.scope, service_id)
    if found is None:
        raise NotFound(f"security service {service_id} could not be found")
    return found


def get(service: Service, caller: Caller, service_id: str) -> SecurityService:
    """The security service, if it is the caller's. NotFound otherwise."""
    with service.db.read() as tx:
        return _reach(tx, caller, service_id)


def find_all(
    service: Service,
    caller: Caller,
    wanted: SecurityServiceFilter,
    page: Page,
    *,
    all_projects: bool,
) -> list[SecurityService]:
    """The caller's that match; everybody's for an administrator who asks so. NotFound: a share
    network that is not the caller's."""
    everybody = all_projects and caller.can("security_service:get_all_security_services")
    with service.db.read() as tx:
        if wanted.share_network_id is not None:
            network = reach_network(tx, caller, wanted.share_network_id)
            everybody |= network.project_id != caller.project_id
        return store.find_all(tx, everyone() if everybody else caller.own, wanted, page)


def update(
    service: Service, caller: Caller, service_id: str, fields: Mapping[str, Any]
) -> SecurityService:
    """These fields hold these values. Forbidden while a share server uses it, but for name and
    description; Conflict when a network would have two of one type."""
    columns = _sealed(service, fields)
    with service.db.write() as tx:
        found = _reach(tx, caller, service_id)
        for network_id in store.networks_of(tx, found):
            lock_share_network(tx, network_id)
        if not fields.keys() <= _HARMLESS:
            if share_servers.uses(tx, found):
                raise Forbidden(f"security service {service_id} is used by share servers")
        new_type = fields.get("type", found.type)
        if new_type != found.type and new_type in store.types_beside(tx, found):
            raise Conflict(f"a share network has another {new_type} security service")
        if columns:
            store.update(tx, found, **columns)
        changed = _reach(tx, caller, service_id)
        _check(changed)
    return changed


def delete(service: Service, caller: Caller, service_id: str) -> None:
    """It is gone. Forbidden while a share network has it."""
    with service.db.write() as tx:
        found = _reach(tx, caller, service_id)
        if store.networks_of(tx, found):
            raise Forbidden(f"security service {service_id} is attached to a share network")
        store.delete(tx, found)
