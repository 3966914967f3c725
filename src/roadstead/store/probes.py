"""The last probe of each share."""

import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from roadstead.model.probes import Finding, Probe
from roadstead.store import tables as t
from roadstead.store.db import Tx, utcnow
from roadstead.store.scope import Scope

_p, _s = t.probes.c, t.shares.c


def put(
    tx: Tx, *, share_id: str, operation_id: str, started_at: datetime.datetime, finding: Finding
) -> None:
    """This is the share's last probe; the one before is forgotten."""
    tx.execute(t.probes.delete().where(_p.share_id == share_id))
    tx.execute(
        t.probes.insert().values(
            share_id=share_id,
            operation_id=operation_id,
            verdict=finding.verdict,
            finding=msgspec.to_builtins(finding),
            started_at=started_at,
            finished_at=utcnow(),
        )
    )


def find(tx: Tx, scope: Scope, share_id: str) -> Probe | None:
    """The last probe when the scope admits the share; None also when it was never probed."""
    query = (
        sa.select(t.probes)
        .join_from(t.probes, t.shares, _s.id == _p.share_id)
        .where(_p.share_id == share_id, scope.admits(_s.project_id))
    )
    row: Any = tx.execute(query).mappings().first()
    if row is None:
        return None
    return Probe(
        share_id=row["share_id"],
        operation_id=row["operation_id"],
        finding=msgspec.convert(row["finding"], Finding),
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )
