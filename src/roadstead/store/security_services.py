"""Security services, and which share networks have them."""

from collections.abc import Callable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from roadstead.model.errors import Forbidden
from roadstead.model.queries import Page, SecurityServiceFilter
from roadstead.model.share_networks import SecurityService, ShareNetwork, ShareServer
from roadstead.store import tables_networks as t
from roadstead.store.db import Tx, utcnow
from roadstead.store.paging import Query, apply_page
from roadstead.store.scope import Scope

_v, _a = t.security_services.c, t.network_security_services.c
SORT_COLUMNS: dict[str, sa.ColumnElement[Any]] = {"created_at": _v.created_at}


def insert(tx: Tx, service: SecurityService) -> None:
    row = msgspec.structs.asdict(service)
    del row["share_networks"]
    tx.execute(t.security_services.insert().values(**row))


def get(tx: Tx, scope: Scope, service_id: str) -> SecurityService | None:
    """The security service when the scope admits it; without its networks."""
    query = t.security_services.select().where(_v.id == service_id, scope.admits(_v.project_id))
    row = tx.execute(query).mappings().first()
    return None if row is None else SecurityService(**row)


def find_all(
    tx: Tx, scope: Scope, wanted: SecurityServiceFilter, page: Page
) -> list[SecurityService]:
    """With their networks; two statements. BadRequest on an unknown marker."""
    query = _paged(tx, t.security_services.select(), scope, wanted, page)
    rows = tx.execute(query).mappings().all()
    networks: dict[str, list[str]] = {}
    ids = [row["id"] for row in rows]
    if ids:
        ties = t.network_security_services.select().where(_a.security_service_id.in_(ids))
        for tie in tx.execute(ties.order_by(_a.share_network_id)):
            networks.setdefault(tie.security_service_id, []).append(tie.share_network_id)
    return [
        SecurityService(**row, share_networks=tuple(networks.get(row["id"], ()))) for row in rows
    ]


def _paged(tx: Tx, query: Query, scope: Scope, wanted: SecurityServiceFilter, page: Page) -> Query:
    values = msgspec.structs.asdict(wanted)
    network_id = values.pop("share_network_id")
    where = [_v[key] == value for key, value in values.items() if value is not None]
    if network_id is not None:
        tie = _a.share_network_id == network_id
        where.append(sa.exists().where(_a.security_service_id == _v.id, tie))
    query = query.where(scope.admits(_v.project_id), *where)
    return apply_page(tx, query, page, SORT_COLUMNS, _v.id, visible=scope.admits(_v.project_id))


def of_network(tx: Tx, of: ShareNetwork | ShareServer) -> list[SecurityService]:
    """The security services of the network, or of the one that a server is on; by type."""
    network_id = of.id if isinstance(of, ShareNetwork) else of.share_network_id
    query = sa.select(t.security_services).join(
        t.network_security_services, _a.security_service_id == _v.id
    )
    query = query.where(_a.share_network_id == network_id).order_by(_v.type, _v.id)
    return [SecurityService(**row) for row in tx.execute(query).mappings()]


def networks_of(tx: Tx, service: SecurityService) -> list[str]:
    """Ids of the networks that have it."""
    query = sa.select(_a.share_network_id).where(_a.security_service_id == service.id)
    return list(tx.execute(query.order_by(_a.share_network_id)).scalars())


def update(tx: Tx, service: SecurityService, **values: Any) -> None:
    """These columns hold these values; updated_at is now."""
    changed = {**values, "updated_at": utcnow()}
    tx.execute(t.security_services.update().where(_v.id == service.id).values(changed))


def delete(tx: Tx, service: SecurityService) -> None:
    """It is gone. Forbidden while a network has it."""
    try:
        tx.execute(t.security_services.delete().where(_v.id == service.id))
    except IntegrityError as error:
        raise Forbidden(f"security service {service.id} is attached to a share network") from error


def attach(tx: Tx, network: ShareNetwork, service: SecurityService) -> None:
    """The network has it. The caller holds the network's lock and knows that it had not."""
    row = {"share_network_id": network.id, "security_service_id": service.id}
    tx.execute(t.network_security_services.insert().values(row))


def detach(tx: Tx, network: ShareNetwork, service: SecurityService) -> bool:
    """True when the network had it; it has no longer."""
    tie = (_a.share_network_id == network.id, _a.security_service_id == service.id)
    return tx.execute(t.network_security_services.delete().where(*tie)).rowcount == 1


def types_beside(tx: Tx, service: SecurityService) -> set[str]:
    """Types of the other security services that its networks have."""
    mine = sa.select(_a.share_network_id).where(_a.security_service_id == service.id)
    ties = t.network_security_services.alias()
    query = sa.select(_v.type).join(ties, ties.c.security_service_id == _v.id)
    query = query.where(ties.c.share_network_id.in_(mine), _v.id != service.id)
    return set(tx.execute(query).scalars())


def reseal_all(tx: Tx, reseal: Callable[[str], str]) -> int:
    """Every password is sealed anew by `reseal(sealed)`; returns how many."""
    rows = tx.execute(
        sa.select(_v.id, _v.sealed_password)
        .where(_v.sealed_password.is_not(None))
        .with_for_update()
    ).all()
    for service_id, sealed in rows:
        tx.execute(
            t.security_services.update()
            .where(_v.id == service_id)
            .values(sealed_password=reseal(sealed))
        )
    return len(rows)
