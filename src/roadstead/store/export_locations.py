"""Export locations of share instances."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from roadstead.model.ids import new_id
from roadstead.model.shares import ExportLocation, Share, ShareInstance
from roadstead.model.world import ExportPath
from roadstead.store import key_values
from roadstead.store import tables as t
from roadstead.store.db import Tx, utcnow

_l, _i = t.export_locations.c, t.share_instances.c
_SELECT = sa.select(
    _l.id, _l.instance_id, _i.share_id, _l.path, _l.preferred, _l.is_admin_only,
    _l.created_at, _l.updated_at,
).join_from(t.export_locations, t.share_instances, _i.id == _l.instance_id)  # fmt: skip


def _locations(tx: Tx, rows: Sequence[Any], *, metadata: bool = True) -> list[ExportLocation]:
    ids = (row["id"] for row in rows) if metadata else ()
    found = key_values.read_many(tx, t.export_location_metadata, ids)
    return [ExportLocation(**row, metadata=found.get(row["id"], {})) for row in rows]


def of_share(tx: Tx, share: Share, *, admin: bool, metadata: bool = True) -> list[ExportLocation]:
    """A share's locations, preferred ones first; admin-only ones only for administrators. Two
    statements; one, and `metadata` empty, for a caller that does not need it."""
    where = [_i.share_id == share.id]
    if not admin:
        where.append(sa.not_(_l.is_admin_only))
    query = _SELECT.where(*where).order_by(_l.preferred.desc(), _l.path)
    return _locations(tx, tx.execute(query).mappings().all(), metadata=metadata)


def of_shares(tx: Tx, of: Sequence[Share | ShareInstance]) -> dict[str, list[str]]:
    """Paths that everybody may see, by share; one statement (bodies up to 2.8 carry them)."""
    found: dict[str, list[str]] = {}
    share_ids = [each.id if isinstance(each, Share) else each.share_id for each in of]
    query = (
        sa.select(_i.share_id, _l.path)
        .join_from(t.export_locations, t.share_instances, _i.id == _l.instance_id)
        .where(_i.share_id.in_(share_ids), sa.not_(_l.is_admin_only))
        .order_by(_l.preferred.desc(), _l.path)
    )
    for share_id, path in tx.execute(query):
        found.setdefault(share_id, []).append(path)
    return found


def find(tx: Tx, share: Share, location_id: str) -> ExportLocation | None:
    """The location of that id, if it is this share's."""
    mine = _SELECT.where(_l.id == location_id, _i.share_id == share.id)
    found = _locations(tx, tx.execute(mine).mappings().all())
    return found[0] if found else None


def set_preferred(tx: Tx, location: ExportLocation, preferred: bool) -> None:
    """The location is one that clients should try first, or is not; updated_at is now."""
    tx.execute(
        t.export_locations.update()
        .where(_l.id == location.id)
        .values(preferred=preferred, updated_at=utcnow())
    )


def change_metadata(tx: Tx, location: ExportLocation, new: Mapping[str, str]) -> None:
    """The location has exactly the new pairs, where it had those with which it was read."""
    key_values.change(tx, t.export_location_metadata, location.id, location.metadata, new)


def replace(tx: Tx, instance_id: str, paths: Sequence[ExportPath]) -> None:
    """The instance has exactly these locations; a path that was there keeps its id."""
    kept = {row.path for row in tx.execute(sa.select(_l.path).where(_l.instance_id == instance_id))}
    wanted = {p.path for p in paths}
    if kept - wanted:
        tx.execute(
            t.export_locations.delete().where(
                _l.instance_id == instance_id, _l.path.in_(kept - wanted)
            )
        )
    fresh = [p for p in paths if p.path not in kept]
    if fresh:
        now = utcnow()
        tx.execute(
            t.export_locations.insert(),
            [
                {
                    "id": new_id(),
                    "instance_id": instance_id,
                    "path": p.path,
                    "preferred": p.preferred,
                    "is_admin_only": p.is_admin_only,
                    "created_at": now,
                }
                for p in fresh
            ],
        )
