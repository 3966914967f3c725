"""Share servers: one per (host, subnets, security services) until it is full."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from roadstead.model.errors import Conflict, NoValidPool
from roadstead.model.ids import new_id
from roadstead.model.share_networks import SecurityService, ShareNetwork, ShareServer, Subnet
from roadstead.model.states import ShareServerStatus
from roadstead.model.verbs import SERVER_USABLE, VERBS
from roadstead.store import key_values, segment_numbers
from roadstead.store import tables as base
from roadstead.store import tables_networks as t
from roadstead.store.db import Tx, lock_named, lock_share_network, utcnow
from roadstead.store.scope import Scope, project

_s, _u, _n = t.share_servers.c, t.share_server_subnets.c, t.share_networks.c
_i, _h = base.share_instances.c, base.shares.c
_COLUMNS = [c for c in _s if c.name not in ("purpose", "ordinal")]
_SELECT = sa.select(*_COLUMNS, _n.name.label("share_network_name")).outerjoin_from(
    t.share_servers, t.share_networks, _n.id == _s.share_network_id
)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend allows; -1 = any number."""

    servers: int = -1
    shares_per_server: int = -1
    gib_per_server: int = -1


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The server that a new share needs."""

    host: str  # host@backend
    subnet_ids: tuple[str, ...]
    security_service_ids: tuple[str, ...] = ()
    size_gib: int = 0
    limits: Limits = Limits()
    security_service_update_support: bool = False
    network_allocation_update_support: bool = False

    @property
    def purpose(self) -> str:
        return purpose(self.host, self.subnet_ids, self.security_service_ids)


def purpose(host: str, subnet_ids: Iterable[str], security_service_ids: Iterable[str]) -> str:
    """The same for servers that can stand in for each other."""
    text = json.dumps([host, sorted(subnet_ids), sorted(security_service_ids)])
    return hashlib.sha256(text.encode()).hexdigest()


def ensure_row(tx: Tx, network: ShareNetwork, wanted: Wanted) -> tuple[ShareServer, bool]:
    """The server for one more share, and whether it was made for it: then it is `creating`, and
    somebody must set it up. However many ask at once, they find the one that the first made.

    NoValidPool (004) when the backend may have no more servers. The caller holds the network's
    lock, or gets it here; it is kept until `tx` ends.
    """
    lock_share_network(tx, network.id)
    for server_id in _with_room(tx, wanted):
        found = find(tx, project(network.project_id), server_id)
        if found is not None:
            return found, False
    _check_room_for_server(tx, wanted)
    now = utcnow()
    server_id = new_id()
    server = ShareServer(
        id=server_id,
        project_id=network.project_id,
        share_network_id=network.id,
        share_network_name=network.name,
        host=wanted.host,
        status=ShareServerStatus.CREATING,
        identifier=server_id,
        security_service_update_support=wanted.security_service_update_support,
        network_allocation_update_support=wanted.network_allocation_update_support,
        subnet_ids=tuple(sorted(wanted.subnet_ids)),
        created_at=now,
        updated_at=now,
    )
    insert(tx, server, purpose=wanted.purpose)
    return server, True


def _with_room(tx: Tx, wanted: Wanted) -> list[str]:
    """Ids of the servers that can take the share, the first made first."""
    query = (
        sa.select(_s.id)
        .outerjoin_from(t.share_servers, base.share_instances, _i.share_server_id == _s.id)
        .outerjoin(base.shares, _h.id == _i.share_id)
        .where(_s.purpose == wanted.purpose, _s.status.in_(SERVER_USABLE))
        .group_by(_s.id, _s.ordinal)
        .order_by(_s.ordinal)
    )
    if wanted.limits.shares_per_server >= 0:
        query = query.having(sa.func.count(_i.id) < wanted.limits.shares_per_server)
    if wanted.limits.gib_per_server >= 0:
        used = sa.func.coalesce(sa.func.sum(_h.reserved_gib), 0)
        query = query.having(used + wanted.size_gib <= wanted.limits.gib_per_server)
    return list(tx.execute(query).scalars())


def _check_room_for_server(tx: Tx, wanted: Wanted) -> None:
    limits = wanted.limits
    if limits.shares_per_server == 0 or 0 <= limits.gib_per_server < wanted.size_gib:
        raise NoValidPool(
            f"{wanted.host}: no share server may hold {wanted.size_gib} GiB", detail_id="004"
        )
    if limits.servers >= 0:
        # Of all networks: this count has a lock of its own.
        lock_named(tx, f"share servers of {wanted.host}")
        query = sa.select(sa.func.count()).where(_s.host == wanted.host)
        if int(tx.execute(query).scalar_one()) >= limits.servers:
            raise NoValidPool(
                f"{wanted.host} has its {limits.servers} share servers already", detail_id="004"
            )


def insert(tx: Tx, server: ShareServer, *, purpose: str) -> None:
    """The server's rows are there. Conflict when another transaction made it at this moment."""
    row = {c.name: getattr(server, c.name) for c in _COLUMNS}
    taken = set(tx.execute(sa.select(_s.ordinal).where(_s.purpose == purpose)).scalars())
    ordinal = next(n for n in range(len(taken) + 1) if n not in taken)
    try:
        tx.execute(t.share_servers.insert().values(**row, purpose=purpose, ordinal=ordinal))
    except IntegrityError as error:
        raise Conflict("a share server was made at the same time; try again") from error
    rows = [{"share_server_id": server.id, "subnet_id": i} for i in server.subnet_ids]
    if rows:
        tx.execute(t.share_server_subnets.insert(), rows)
    key_values.insert(tx, t.share_server_details, server.id, server.details)


def find(tx: Tx, scope: Scope, server_id: str) -> ShareServer | None:
    """The server when the scope admits it."""
    found = _found(tx, _SELECT.where(_s.id == server_id, scope.admits(_s.project_id)))
    return found[0] if found else None


def find_all(tx: Tx, scope: Scope) -> list[ShareServer]:
    """Servers that the scope admits, the newest first; three statements."""
    return _found(tx, _SELECT.where(scope.admits(_s.project_id)))


def _found(tx: Tx, query: sa.Select[*tuple[Any, ...]]) -> list[ShareServer]:
    rows = tx.execute(query.order_by(_s.created_at.desc(), _s.id)).mappings().all()
    ids = [row["id"] for row in rows]
    subnets: dict[str, list[str]] = {}
    for chunk in (ids[i : i + 5000] for i in range(0, len(ids), 5000)):
        ties = t.share_server_subnets.select().where(_u.share_server_id.in_(chunk))
        for tie in tx.execute(ties.order_by(_u.subnet_id)):
            subnets.setdefault(tie.share_server_id, []).append(tie.subnet_id)
    details = key_values.read_many(tx, t.share_server_details, ids)
    return [
        ShareServer(
            **row,
            subnet_ids=tuple(subnets.get(row["id"], ())),
            details=details.get(row["id"], {}),
        )
        for row in rows
    ]


def of_network(tx: Tx, network: ShareNetwork, subnet: Subnet | None = None) -> list[ShareServer]:
    """The network's servers that are not going away; with a subnet, those that are on it."""
    where = [_s.share_network_id == network.id, _s.status != ShareServerStatus.DELETING]
    if subnet is not None:
        on_it = sa.exists().where(_u.share_server_id == _s.id, _u.subnet_id == subnet.id)
        where.append(on_it)
    return _found(tx, _SELECT.where(*where))


def uses(tx: Tx, service: SecurityService) -> bool:
    """True when a network that has it has a server that is not going away."""
    v = t.network_security_services.c
    query = sa.exists().where(
        v.security_service_id == service.id,
        _s.share_network_id == v.share_network_id,
        _s.status != ShareServerStatus.DELETING,
    )
    return bool(tx.execute(sa.select(query)).scalar_one())


def on_host(tx: Tx, agent_host: str) -> list[ShareServer]:
    """Every server that this agent looks after."""
    mine = _s.host.startswith(f"{agent_host}@", autoescape=True)
    return _found(tx, _SELECT.where(mine))


def ids(tx: Tx) -> list[str]:
    """Of every server of every host."""
    return list(tx.execute(sa.select(_s.id)).scalars())


def at(tx: Tx, host: str) -> list[ShareServer]:
    """Every server at this host@backend."""
    return _found(tx, _SELECT.where(_s.host == host))


def unused_on(tx: Tx, agent_host: str) -> list[ShareServer]:
    """Servers of this agent that may go: without a share, and nobody else's to delete. Their
    `updated_at` says since when."""
    mine = _s.host.startswith(f"{agent_host}@", autoescape=True)
    used = sa.exists().where(_i.share_server_id == _s.id)
    idle = (_s.status.in_(VERBS["share_server.delete"].start), _s.is_auto_deletable, sa.not_(used))
    return _found(tx, _SELECT.where(mine, *idle))


def has_shares(tx: Tx, server: ShareServer) -> bool:
    """True when a share is on it, in whatever state."""
    query = sa.exists().where(_i.share_server_id == server.id)
    return bool(tx.execute(sa.select(query)).scalar())


def is_unused(tx: Tx, server: ShareServer) -> bool:
    """True when no share is on it, nor will be before `tx` ends."""
    lock_share_network(tx, server.share_network_id)
    return not has_shares(tx, server)


def update(tx: Tx, server: ShareServer, **values: Any) -> None:
    """These columns hold these values; updated_at is now, from which `unused_on` counts."""
    update_by_id(tx, server.id, **values)


def update_by_id(tx: Tx, server_id: str, **values: Any) -> None:
    """As `update`."""
    tx.execute(
        t.share_servers.update().where(_s.id == server_id).values(**values, updated_at=utcnow())
    )


def set_details(tx: Tx, server_id: str, details: dict[str, str]) -> None:
    """Exactly these details hold."""
    old = key_values.read(tx, t.share_server_details, server_id)
    key_values.change(tx, t.share_server_details, server_id, old, details)


def set_purpose(
    tx: Tx, server: ShareServer, subnet_ids: Iterable[str], security_service_ids: Iterable[str]
) -> None:
    """The server is on these subnets and has these security services: shares that need them find
    it. The caller holds the network's lock."""
    wanted, had = set(subnet_ids), set(server.subnet_ids)
    new = purpose(server.host, wanted, security_service_ids)
    taken = sa.select(_s.ordinal).where(_s.purpose == new, _s.id != server.id)
    used = set(tx.execute(taken).scalars())
    ordinal = next(n for n in range(len(used) + 1) if n not in used)
    update(tx, server, purpose=new, ordinal=ordinal)
    mine = _u.share_server_id == server.id
    tx.execute(t.share_server_subnets.delete().where(mine, _u.subnet_id.in_(had - wanted)))
    rows = [{"share_server_id": server.id, "subnet_id": i} for i in sorted(wanted - had)]
    if rows:
        tx.execute(t.share_server_subnets.insert(), rows)


def delete(tx: Tx, server: ShareServer) -> None:
    """Nothing of it is left in the database: its addresses are free, and the number of its segment
    when nobody else needs it. To be called when nothing of it is left in the world."""
    tx.execute(t.share_servers.delete().where(_s.id == server.id))
    segment_numbers.release_unused(tx, server.project_id)
