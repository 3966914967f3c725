"""What the sweep found different from the database, and what it did about it."""

import datetime
from typing import Any

from roadstead.model.ids import new_id
from roadstead.store import tables as t
from roadstead.store.db import Tx, utcnow


def insert(
    tx: Tx, *, host: str, kind: str, resource_type: str, resource_id: str, detail: str, action: str,
    repaired: bool,
) -> None:  # fmt: skip
    """One finding is recorded."""
    now = utcnow()
    tx.execute(
        t.drift.insert().values(
            id=new_id(),
            host=host,
            kind=kind,
            resource_type=resource_type,
            resource_id=resource_id,
            detail=detail[:2000],
            action=action[:255],
            found_at=now,
            repaired_at=now if repaired else None,
        )
    )


def find_all(tx: Tx, *, limit: int = 1000) -> list[dict[str, Any]]:
    """The newest findings first."""
    rows = tx.execute(t.drift.select().order_by(t.drift.c.found_at.desc()).limit(limit))
    return [dict(row) for row in rows.mappings()]


def forget(tx: Tx, before: datetime.datetime) -> None:
    """Findings older than `before` are gone."""
    tx.execute(t.drift.delete().where(t.drift.c.found_at < before))
