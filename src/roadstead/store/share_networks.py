"""Share networks, with their subnets and with what their share servers can do."""

from typing import Any

import msgspec
import sqlalchemy as sa

from roadstead.model.queries import NetworkFilter, Page, SubnetFilter
from roadstead.model.share_networks import ShareNetwork, ShareServer
from roadstead.model.shares import Share
from roadstead.model.states import ShareNetworkStatus, ShareServerStatus, ShareStatus, Status
from roadstead.store import subnets
from roadstead.store import tables as base
from roadstead.store import tables_networks as t
from roadstead.store.db import Tx, utcnow
from roadstead.store.paging import Query, apply_page, contains
from roadstead.store.scope import Scope

_n, _b, _s = t.share_networks.c, t.subnets.c, t.share_servers.c
_server = sa.exists().where(_s.share_network_id == _n.id, _s.status != ShareServerStatus.DELETING)
_SELECT = sa.select(
    t.share_networks,
    *(
        sa.not_(_server.where(sa.not_(_s[name])).correlate(t.share_networks)).label(name)
        for name in ("security_service_update_support", "network_allocation_update_support")
    ),
)
SORT_COLUMNS: dict[str, sa.ColumnElement[Any]] = {"created_at": _n.created_at}


def insert(tx: Tx, network: ShareNetwork) -> None:
    """The network's rows are there, its subnets with it."""
    row = {name: getattr(network, name) for name in t.share_networks.c.keys()}  # noqa: SIM118
    tx.execute(t.share_networks.insert().values(**row))
    for subnet in network.subnets:
        subnets.insert(tx, subnet)


def get(tx: Tx, scope: Scope, network_id: str) -> ShareNetwork | None:
    """The network when the scope admits it. Three statements."""
    query = _SELECT.where(_n.id == network_id, scope.admits(_n.project_id))
    row = tx.execute(query).mappings().first()
    return None if row is None else _with_subnets(tx, [row])[0]


def _with_subnets(tx: Tx, rows: list[Any]) -> list[ShareNetwork]:
    found = subnets.of_networks(tx, [row["id"] for row in rows])
    return [ShareNetwork(**row, subnets=tuple(found.get(row["id"], ()))) for row in rows]


def find_all(tx: Tx, scope: Scope, wanted: NetworkFilter, page: Page) -> list[ShareNetwork]:
    """Three statements, however many networks. BadRequest on an unknown marker."""
    query = _paged(tx, _SELECT, scope, wanted, page)
    return _with_subnets(tx, list(tx.execute(query).mappings()))


def find_names(
    tx: Tx, scope: Scope, wanted: NetworkFilter, page: Page
) -> list[tuple[str, str | None]]:
    """(id, name) of the networks. One statement."""
    query = _paged(tx, sa.select(_n.id, _n.name), scope, wanted, page)
    return [(row.id, row.name) for row in tx.execute(query)]


def _paged(tx: Tx, query: Query, scope: Scope, wanted: NetworkFilter, page: Page) -> Query:
    query = query.where(scope.admits(_n.project_id), *_where(wanted))
    return apply_page(tx, query, page, SORT_COLUMNS, _n.id, visible=scope.admits(_n.project_id))


def _where(f: NetworkFilter) -> list[sa.ColumnElement[bool]]:
    equal: list[tuple[sa.ColumnElement[Any], object]] = [
        (_n.name, f.name),
        (_n.description, f.description),
        (_n.status, f.status),
        (_n.project_id, f.project_id),
    ]
    where = [column == value for column, value in equal if value is not None]
    if f.name_like is not None:
        where.append(contains(_n.name, f.name_like))
    if f.description_like is not None:
        where.append(contains(_n.description, f.description_like))
    if f.created_since is not None:
        where.append(_n.created_at >= f.created_since)
    if f.created_before is not None:
        where.append(_n.created_at <= f.created_before)
    if f.security_service_id is not None:
        v = t.network_security_services.c
        has = v.security_service_id == f.security_service_id
        where.append(sa.exists().where(v.share_network_id == _n.id, has))
    if f.subnet != SubnetFilter():
        given = msgspec.structs.asdict(f.subnet).items()
        alike = [_b[key] == value for key, value in given if value is not None]
        where.append(sa.exists().where(_b.share_network_id == _n.id, *alike))
    return where


def update(tx: Tx, network: ShareNetwork, **values: Any) -> None:
    """These columns hold these values; updated_at is now."""
    tx.execute(
        t.share_networks.update().where(_n.id == network.id).values(**values, updated_at=utcnow())
    )


def delete(tx: Tx, network: ShareNetwork) -> None:
    """The network's row is gone, and with it subnets, checks and its ties to security services.
    Its share servers are not."""
    tx.execute(t.share_networks.delete().where(_n.id == network.id))


def has_shares(tx: Tx, network: ShareNetwork) -> bool:
    """True when a share of any state names the network."""
    i = base.share_instances.c
    return bool(tx.execute(sa.select(sa.exists().where(i.share_network_id == network.id))).scalar())


def unavailable_shares(tx: Tx, network: ShareNetwork) -> bool:
    """True when a share on it is in another state than available."""
    i = base.share_instances.c
    query = sa.exists().where(i.share_network_id == network.id, i.status != ShareStatus.AVAILABLE)
    return bool(tx.execute(sa.select(query)).scalar())


def status_of(tx: Tx, on_it: Share | ShareServer) -> str | None:
    """Of the network that a share or a server is on: for who only wants to know whether it may be
    used now. None when it is on none."""
    if on_it.share_network_id is None:
        return None
    return tx.execute(sa.select(_n.status).where(_n.id == on_it.share_network_id)).scalar()


def settle(tx: Tx, network_id: str, server_id: str, server_status: Status) -> None:
    """The network is `active`, or `error` when one of its servers is, as soon as none of them is
    being changed any more. To be called in the commit that ends a change of this server, of which
    it has that status."""
    others = sa.select(_s.status).where(_s.share_network_id == network_id, _s.id != server_id)
    found = {server_status, *tx.execute(others).scalars()}
    if ShareServerStatus.NETWORK_CHANGE in found:
        return
    failed = ShareServerStatus.ERROR in found
    tx.execute(
        t.share_networks.update()
        .where(_n.id == network_id, _n.status == ShareNetworkStatus.NETWORK_CHANGE)
        .values(
            status=ShareNetworkStatus.ERROR if failed else ShareNetworkStatus.ACTIVE,
            updated_at=utcnow(),
        )
    )
