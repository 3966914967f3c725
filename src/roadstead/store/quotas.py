"""Quota: limits are rows, use is counted from the resources themselves.

Nothing is reserved and given back, so no crash can leave a reservation behind: a share counts
from the commit that made its row until the commit that removes it. Writers of one project are
serialised by `db.lock_project`.
"""

from collections.abc import Mapping

import msgspec
import sqlalchemy as sa

from roadstead.model.quotas import DEFAULT_LIMITS
from roadstead.store import tables as t
from roadstead.store.db import Tx

_q, _c, _s = t.quotas.c, t.quota_classes.c, t.shares.c


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """`in_use` counts what is there, `reserved` what is being made or extended."""

    limit: int
    in_use: int = 0
    reserved: int = 0


def limits(tx: Tx, project_id: str) -> dict[str, int]:
    """Every resource's limit for the project: its own, else the default class's, else built in."""
    return {name: use.limit for name, use in _limits(tx, project_id).items()}


def _limits(tx: Tx, project_id: str) -> dict[str, Usage]:
    query = sa.union_all(
        sa.select(sa.literal(0).label("rank"), _c.resource, _c.hard_limit).where(
            _c.class_name == "default"
        ),
        sa.select(sa.literal(1), _q.resource, _q.hard_limit).where(
            _q.project_id == project_id, _q.user_id == "", _q.share_type_id == ""
        ),
    ).order_by("rank")
    found = dict(DEFAULT_LIMITS)
    found.update({row.resource: row.hard_limit for row in tx.execute(query)})
    return {name: Usage(limit=limit) for name, limit in found.items()}


def usage(tx: Tx, project_id: str) -> dict[str, Usage]:
    """Limit and use of every resource; two statements."""
    found = _limits(tx, project_id)
    instance = t.share_instances.c
    making = instance.status == "creating"
    row = tx.execute(
        sa.select(
            sa.func.count().label("shares"),
            sa.func.count().filter(making).label("shares_making"),
            sa.func.coalesce(sa.func.sum(_s.reserved_gib), 0).label("gib"),
            sa.func.coalesce(
                sa.func.sum(
                    sa.case((making, _s.reserved_gib), else_=_s.reserved_gib - _s.size_gib)
                ),
                0,
            ).label("gib_making"),
        )
        .join_from(t.shares, t.share_instances, instance.id == _s.instance_id)
        .where(_s.project_id == project_id)
    ).one()
    for name, total, reserved in (
        ("shares", row.shares, row.shares_making),
        ("gigabytes", row.gib, row.gib_making),
    ):
        found[name] = Usage(
            limit=found[name].limit, in_use=int(total) - int(reserved), reserved=int(reserved)
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


def class_limits(tx: Tx, class_name: str) -> dict[str, int]:
    """Every resource's limit in a quota class: its own, else built in. An unknown class has
    the built-in ones; `default` is what projects without limits of their own get."""
    query = sa.select(_c.resource, _c.hard_limit).where(_c.class_name == class_name)
    found = {row.resource: row.hard_limit for row in tx.execute(query)}
    return {**DEFAULT_LIMITS, **found}


def set_class_limits(tx: Tx, class_name: str, limits: Mapping[str, int]) -> None:
    """The class has these limits; its other ones stay."""
    if limits:
        old = t.quota_classes.delete()
        tx.execute(old.where(_c.class_name == class_name, _c.resource.in_(list(limits))))
        rows = [{"class_name": class_name, **_row(name, n)} for name, n in limits.items()]
        tx.execute(t.quota_classes.insert(), rows)
