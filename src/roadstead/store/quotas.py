"""Quota: limits are rows, use is counted from the resources themselves.

Nothing is reserved and given back, so no crash can leave a reservation behind: a share counts
from the commit that made its row until the commit that removes it. Writers of one project are
serialised by `db.lock_project`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from roadstead.model.quotas import DEFAULT_LIMITS, Usage
from roadstead.model.states import ShareStatus
from roadstead.store import tables as t
from roadstead.store import tables_networks
from roadstead.store.db import Tx

_q, _c, _s = t.quotas.c, t.quota_classes.c, t.shares.c
_i = t.share_instances.c
_project = sa.bindparam("project", type_=sa.String)

# The rows of the default class, then those of the project, which count more.
_limit_rows = sa.union_all(
    sa.select(sa.literal(0).label("rank"), _c.resource, _c.hard_limit).where(
        _c.class_name == "default"
    ),
    sa.select(sa.literal(1), _q.resource, _q.hard_limit).where(
        _q.project_id == _project, _q.user_id == "", _q.share_type_id == ""
    ),
).subquery()
_w = tables_networks.share_networks.c
_networks = sa.select(sa.func.count()).where(_w.project_id == _project).scalar_subquery()
# One row: what the project's shares take, and what part of it is being made or extended.
_making = _i.status == ShareStatus.CREATING
_growing = sa.case((_making, _s.reserved_gib), else_=_s.reserved_gib - _s.size_gib)
_counts = (
    sa.select(
        sa.func.count().label("shares"),
        sa.func.count().filter(_making).label("shares_making"),
        sa.func.coalesce(sa.func.sum(_s.reserved_gib), 0).label("gib"),
        sa.func.coalesce(sa.func.sum(_growing), 0).label("gib_making"),
        _networks.label("networks"),
    )
    .join_from(t.shares, t.share_instances, _i.id == _s.instance_id)
    .where(_s.project_id == _project)
    .subquery()
)
# Built once: they are the largest statements of a create.
_LIMITS = sa.select(_limit_rows).order_by(_limit_rows.c.rank)
_USAGE = (
    sa.select(_counts, _limit_rows)
    .outerjoin_from(_counts, _limit_rows, sa.true())
    .order_by(_limit_rows.c.rank)
)


def limits(tx: Tx, project_id: str, defaults: Mapping[str, int] = DEFAULT_LIMITS) -> dict[str, int]:
    """Every resource's limit for the project: its own, else the default class's, else that of
    `defaults`, which has them all."""
    return _merged(defaults, tx.execute(_LIMITS, {"project": project_id}))


def _merged(defaults: Mapping[str, int], rows: Iterable[Any]) -> dict[str, int]:
    return {**defaults, **{row.resource: row.hard_limit for row in rows}}


def usage(
    tx: Tx, project_id: str, defaults: Mapping[str, int] = DEFAULT_LIMITS
) -> dict[str, Usage]:
    """Limit (as `limits` finds it) and use of every resource; one statement."""
    rows = tx.execute(_USAGE, {"project": project_id}).all()
    limits = _merged(defaults, (row for row in rows if row.resource is not None))
    found = {name: Usage(limit=limit) for name, limit in limits.items()}
    use = rows[0]
    for name, total, reserved in (
        ("shares", use.shares, use.shares_making),
        ("gigabytes", use.gib, use.gib_making),
        ("share_networks", use.networks, 0),
    ):
        found[name] = Usage(
            limit=limits[name], in_use=int(total) - int(reserved), reserved=int(reserved)
        )
    return found


def set_limits(tx: Tx, project_id: str, limits: Mapping[str, int]) -> None:
    """The project has these limits of its own; its other ones stay."""
    if limits:
        tx.execute(t.quotas.delete().where(*_own(project_id), _q.resource.in_(list(limits))))
        rows = [
            {"project_id": project_id, "user_id": "", "share_type_id": "", **_row(name, limit)}
            for name, limit in limits.items()
        ]
        tx.execute(t.quotas.insert(), rows)


def delete_limits(tx: Tx, project_id: str) -> None:
    """The project has no limits of its own; the default class's hold again."""
    tx.execute(t.quotas.delete().where(*_own(project_id)))


def _own(project_id: str) -> list[sa.ColumnElement[bool]]:
    return [_q.project_id == project_id, _q.user_id == "", _q.share_type_id == ""]


def _row(name: str, limit: int) -> dict[str, str | int]:
    return {"resource": name, "hard_limit": limit}


def class_limits(
    tx: Tx, class_name: str, defaults: Mapping[str, int] = DEFAULT_LIMITS
) -> dict[str, int]:
    """Every resource's limit in a quota class: its own, else that of `defaults`. An unknown class
    has those; `default` is what projects without limits of their own get."""
    query = sa.select(_c.resource, _c.hard_limit).where(_c.class_name == class_name)
    found = {row.resource: row.hard_limit for row in tx.execute(query)}
    return {**defaults, **found}


def set_class_limits(tx: Tx, class_name: str, limits: Mapping[str, int]) -> None:
    """The class has these limits; its other ones stay."""
    if limits:
        old = t.quota_classes.delete()
        tx.execute(old.where(_c.class_name == class_name, _c.resource.in_(list(limits))))
        rows = [{"class_name": class_name, **_row(name, n)} for name, n in limits.items()]
        tx.execute(t.quota_classes.insert(), rows)
