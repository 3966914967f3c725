"""Shares, joined with the instance that represents them."""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from roadstead.model.queries import Page, ShareFilter
from roadstead.model.shares import Share, ShareInstance
from roadstead.model.states import ACCESS_PENDING, AccessState, RulesStatus
from roadstead.store import key_values
from roadstead.store import tables as t
from roadstead.store.db import Tx, lock_export_ids, utcnow
from roadstead.store.paging import Query, apply_page, contains
from roadstead.store.scope import Scope

_s, _i, _t = t.shares.c, t.share_instances.c, t.share_types.c

_a = t.access_rules.c
_rule_of_share = sa.exists().where(_a.share_id == _s.id).correlate(t.shares)
# Seen from the rules themselves, never stored: it cannot drift from them.
_rules_status = sa.case(
    (_rule_of_share.where(_a.state == AccessState.ERROR), RulesStatus.ERROR.value),
    (_rule_of_share.where(_a.state.in_(ACCESS_PENDING)), RulesStatus.SYNCING.value),
    else_=RulesStatus.ACTIVE.value,
).label("access_rules_status")

_COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    **{
        name: _s[name]
        for name in (
            "id project_id user_id name description size_gib proto is_public share_type_id "
            "snapshot_id snapshot_support create_share_from_snapshot_support "
            "revert_to_snapshot_support mount_snapshot_support replication_type task_state "
            "mount_point_name instance_id created_at updated_at"
        ).split()
    },
    **{
        name: _i[name]
        for name in (
            "status host availability_zone progress share_network_id share_server_id"
        ).split()
    },
    "access_rules_status": _rules_status,
}
_NAMES = (*_COLUMNS, "share_type_name")
_FROM = t.shares.join(t.share_instances, _i.id == _s.instance_id).outerjoin(
    t.share_types, _t.id == _s.share_type_id
)
_SELECT = sa.select(*_COLUMNS.values(), _t.name.label("share_type_name")).select_from(_FROM)

# What the sort keys of `model/queries.py` mean.
SORT_COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    **{k: _s[k] for k in "id created_at updated_at project_id user_id name".split()},
    **{k: _s[k] for k in "is_public snapshot_id task_state replication_type".split()},
    "size": _s.size_gib,
    "share_proto": _s.proto,
    "display_name": _s.name,
    "display_description": _s.description,
    "mount_point_name": _s.mount_point_name,
    "share_type_id": _s.share_type_id,
    **{k: _i[k] for k in "status host share_network_id share_server_id progress".split()},
    "availability_zone_id": _i.availability_zone,
}


def _share(row: Any, metadata: dict[str, str]) -> Share:
    return Share(**dict(zip(_NAMES, row, strict=True)), metadata=metadata)


def get(
    tx: Tx, scope: Scope, share_id: str, *, public: bool = False, metadata: bool = True
) -> Share | None:
    """The share, or None; with `public`, also somebody else's public one. Two statements; one,
    and `metadata` empty, for a caller that does not need it."""
    visible = scope.admits(_s.project_id)
    if public:
        visible = sa.or_(visible, _s.is_public)
    row = tx.execute(_SELECT.where(_s.id == share_id, visible)).first()
    if row is None:
        return None
    return _share(row, key_values.read(tx, t.share_metadata, share_id) if metadata else {})


def _visible(scope: Scope, f: ShareFilter) -> sa.ColumnElement[bool]:
    mine = scope.admits(_s.project_id)
    return sa.or_(mine, _s.is_public) if f.with_public else mine


def _where(scope: Scope, f: ShareFilter) -> list[sa.ColumnElement[bool]]:
    where = [_visible(scope, f)]
    equal: list[tuple[sa.ColumnElement[Any], object]] = [
        (_s.name, f.name),
        (_s.description, f.description),
        (_i.status, f.status),
        (_s.share_type_id, f.share_type_id),
        (_s.snapshot_id, f.snapshot_id),
        (_i.share_network_id, f.share_network_id),
        (_i.share_server_id, f.share_server_id),
        (_s.project_id, f.project_id),
        (_i.availability_zone, f.availability_zone),
        (_s.mount_point_name, f.mount_point_name),
        (_s.is_public, f.is_public),
    ]
    where += [column == value for column, value in equal if value is not None]
    if f.name_like is not None:
        where.append(contains(_s.name, f.name_like))
    if f.description_like is not None:
        where.append(contains(_s.description, f.description_like))
    if f.host is not None:
        where.append(
            sa.or_(
                _i.host == f.host,
                _i.host.startswith(f"{f.host}#", autoescape=True),
                _i.host.startswith(f"{f.host}@", autoescape=True),
            )
        )
    locations = t.export_locations.c
    here = sa.exists().where(locations.instance_id == _i.id)
    if f.export_location_id is not None:
        where.append(here.where(locations.id == f.export_location_id))
    if f.export_location_path is not None:
        where.append(here.where(locations.path == f.export_location_path))
    where += key_values.matching(t.share_metadata, _s.id, f.metadata)
    where += key_values.matching(t.share_type_specs, _s.share_type_id, f.extra_specs)
    return where


def find_all(tx: Tx, scope: Scope, wanted: ShareFilter, page: Page) -> list[Share]:
    """Two statements, however many shares. BadRequest on an unknown sort key or marker."""
    rows = tx.execute(_paged(tx, _SELECT, scope, wanted, page)).all()
    metadata = key_values.read_many(tx, t.share_metadata, (row.id for row in rows))
    return [_share(row, metadata.get(row.id, {})) for row in rows]


def find_names(
    tx: Tx, scope: Scope, wanted: ShareFilter, page: Page
) -> list[tuple[str, str | None]]:
    """(id, name) of the shares: the summary list. One statement."""
    query = sa.select(_s.id, _s.name).select_from(_FROM)
    return [(row.id, row.name) for row in tx.execute(_paged(tx, query, scope, wanted, page))]


def _paged(tx: Tx, query: Query, scope: Scope, wanted: ShareFilter, page: Page) -> Query:
    query = query.where(*_where(scope, wanted))
    return apply_page(tx, query, page, SORT_COLUMNS, _s.id, visible=_visible(scope, wanted))


def count(tx: Tx, scope: Scope, wanted: ShareFilter) -> int:
    """How many shares match, before any limit."""
    query = sa.select(sa.func.count()).select_from(_FROM).where(*_where(scope, wanted))
    return int(tx.execute(query).scalar_one())


def insert(tx: Tx, share: Share, *, agent_host: str, takes_export_id: bool) -> None:
    """Share, instance and metadata rows are there. The export id is the next free one of the
    agent; it is part of every NFS handle, so it stays with the instance for life."""
    row = {
        name: getattr(share, name)
        for name in t.shares.c.keys()  # noqa: SIM118 - a ColumnCollection, not a dict
        if name != "reserved_gib"
    }
    tx.execute(t.shares.insert().values(**row, reserved_gib=share.size_gib))
    if takes_export_id:
        lock_export_ids(tx, agent_host)
    made = tx.execute(
        t.share_instances.insert()
        .values(
            id=share.instance_id,
            share_id=share.id,
            host=share.host,
            agent_host=agent_host,
            export_id=_above_highest(agent_host) if takes_export_id else None,
            availability_zone=share.availability_zone,
            status=share.status,
            progress=share.progress,
            share_network_id=share.share_network_id,
            share_server_id=share.share_server_id,
            created_at=share.created_at,
        )
        .returning(_i.export_id)
    ).scalar()
    if made is not None and made > _MAX_EXPORT_ID:
        set_instance_by_id(tx, share.instance_id, export_id=_lowest_gap(_used(tx, agent_host)))
    key_values.insert(tx, t.share_metadata, share.id, share.metadata)


_MAX_EXPORT_ID = 65535


def _above_highest(agent_host: str) -> sa.ScalarSelect[Any]:
    """The export id above those in use."""
    taken = t.share_instances.alias()
    highest = sa.func.coalesce(sa.func.max(taken.c.export_id), 0)
    return sa.select(highest + 1).where(taken.c.agent_host == agent_host).scalar_subquery()


def _used(tx: Tx, agent_host: str) -> set[int | None]:
    return set(tx.execute(sa.select(_i.export_id).where(_i.agent_host == agent_host)).scalars())


def _lowest_gap(used: Collection[int | None]) -> int:
    """The lowest export id that is free: for when the numbers are used up."""
    return next(n for n in range(1, _MAX_EXPORT_ID + 1) if n not in used)


def renumber(tx: Tx, instance: ShareInstance, agent_host: str, taken: Collection[int]) -> None:
    """The instance has an export id that neither another of its agent has nor is `taken`. For one
    that was never served: the id is part of every NFS handle."""
    lock_export_ids(tx, agent_host)
    used = {*_used(tx, agent_host), *taken}
    above = max(number for number in used if number is not None) + 1
    new = above if above <= _MAX_EXPORT_ID else _lowest_gap(used)
    set_instance_by_id(tx, instance.id, export_id=new)


def _share_id(of: Share | ShareInstance) -> str:
    return of.id if isinstance(of, Share) else of.share_id


def update(tx: Tx, share: Share | ShareInstance, **values: Any) -> None:
    """These columns of the share hold these values; updated_at is now."""
    mine = _s.id == _share_id(share)
    tx.execute(t.shares.update().where(mine).values(**values, updated_at=utcnow()))


def delete(tx: Tx, share: Share | ShareInstance) -> None:
    """The share's row is gone, and with it instances, rules, locations and metadata."""
    tx.execute(t.shares.delete().where(_s.id == _share_id(share)))


def get_metadata(tx: Tx, share: Share) -> dict[str, str]:
    """All its pairs as they are now."""
    return key_values.read(tx, t.share_metadata, share.id)


def change_metadata(tx: Tx, share: Share, old: Mapping[str, str], new: Mapping[str, str]) -> None:
    """The share has exactly the new pairs; it had the old ones."""
    key_values.change(tx, t.share_metadata, share.id, old, new)


# --- instances -----------------------------------------------------------------------------

_INSTANCE = sa.select(
    *(
        _i[name]
        for name in (
            "id share_id host availability_zone status progress "
            "share_network_id share_server_id export_id created_at updated_at"
        ).split()
    ),
    _rules_status,
    _s.share_type_id,
    _s.size_gib,
    _s.project_id,
    _s.proto,
).join_from(t.share_instances, t.shares, _s.id == _i.share_id)


def _instance(row: Any) -> ShareInstance:
    return ShareInstance(**row)


def find_instance(tx: Tx, scope: Scope, instance_id: str) -> ShareInstance | None:
    """The instance when the scope admits its share."""
    query = _INSTANCE.where(_i.id == instance_id, scope.admits(_s.project_id))
    row = tx.execute(query).mappings().first()
    return None if row is None else _instance(row)


def instances_of(tx: Tx, scope: Scope, share_id: str) -> list[ShareInstance]:
    """The instances of a share."""
    rows = tx.execute(_INSTANCE.where(_i.share_id == share_id, scope.admits(_s.project_id)))
    return [_instance(row) for row in rows.mappings()]


def instances_on(tx: Tx, agent_host: str) -> list[ShareInstance]:
    """Every instance whose bytes this agent looks after."""
    return [
        _instance(row)
        for row in tx.execute(_INSTANCE.where(_i.agent_host == agent_host)).mappings()
    ]


def instances_of_server(tx: Tx, share_server_id: str) -> list[ShareInstance]:
    """Every instance that a share server exports."""
    query = _INSTANCE.where(_i.share_server_id == share_server_id)
    return [_instance(row) for row in tx.execute(query).mappings()]


def instances_of_shares(tx: Tx, scope: Scope, share_ids: Collection[str]) -> list[ShareInstance]:
    """The instance that represents each of these shares, as far as the scope admits them."""
    mine = (_i.id == _s.instance_id, _s.id.in_(share_ids), scope.admits(_s.project_id))
    return [_instance(row) for row in tx.execute(_INSTANCE.where(*mine)).mappings()]


def instances_by_share(tx: Tx, share_ids: set[str]) -> dict[str, str]:
    """The instance that represents each of these shares."""
    query = sa.select(_s.id, _s.instance_id).where(_s.id.in_(share_ids))
    return {row.id: row.instance_id for row in tx.execute(query)}


def find_instances(tx: Tx, scope: Scope) -> list[ShareInstance]:
    """All instances the scope admits, newest first."""
    query = _INSTANCE.where(scope.admits(_s.project_id))
    return [
        _instance(row) for row in tx.execute(query.order_by(_i.created_at.desc(), _i.id)).mappings()
    ]


def set_instance(tx: Tx, of: Share | ShareInstance, **values: Any) -> None:
    """These columns of the instance, or of the one that represents the share, hold these values;
    updated_at is now."""
    set_instance_by_id(tx, of.instance_id if isinstance(of, Share) else of.id, **values)


def set_instance_by_id(tx: Tx, instance_id: str, **values: Any) -> None:
    """As `set_instance`."""
    tx.execute(
        t.share_instances.update().where(_i.id == instance_id).values(**values, updated_at=utcnow())
    )
