"""Pools as their agents report them, and the services behind them."""

import datetime
from typing import Any

import sqlalchemy as sa

from roadstead.model.ids import split_pool_name
from roadstead.model.shares import Pool
from roadstead.store import tables as t
from roadstead.store.db import Tx, utcnow

_p, _v = t.pools.c, t.services.c

# A service whose heartbeat is older is "down"; its pools get no new shares.
SERVICE_DOWN_AFTER = datetime.timedelta(seconds=60)


def _pool(row: Any, now: datetime.datetime) -> Pool:
    host, backend, pool = split_pool_name(row.name)
    return Pool(
        name=row.name,
        host=host,
        backend=backend,
        pool=pool,
        availability_zone=row.availability_zone,
        total_gib=row.total_gib,
        free_gib=row.free_gib,
        allocated_gib=row.allocated_gib,
        provisioned_gib=row.provisioned_gib,
        capabilities=row.capabilities,
        updated_at=row.updated_at,
        enabled=not row.disabled,
        up=row.heartbeat_at is not None and now - row.heartbeat_at < SERVICE_DOWN_AFTER,
    )


def find_all(tx: Tx) -> list[Pool]:
    """Every reported pool with its service's state, by name; one statement."""
    # host@backend#pool: the service's name is the part before '#'
    query = (
        sa.select(t.pools, _v.disabled, _v.heartbeat_at)
        .outerjoin(
            t.services,
            sa.and_(_v.binary == "manila-share", _p.name.startswith(_v.host + "#")),
        )
        .order_by(_p.name)
    )
    now = utcnow()
    return [_pool(row, now) for row in tx.execute(query)]


def capabilities(tx: Tx, name: str) -> dict[str, Any] | None:
    """What its agent reported of the pool; None when there is none of that name."""
    return tx.execute(sa.select(_p.capabilities).where(_p.name == name)).scalar_one_or_none()


def report(tx: Tx, pool: Pool) -> None:
    """The pool's row says what `pool` says."""
    values = {
        "availability_zone": pool.availability_zone,
        "total_gib": pool.total_gib,
        "free_gib": pool.free_gib,
        "allocated_gib": pool.allocated_gib,
        "provisioned_gib": pool.provisioned_gib,
        "capabilities": pool.capabilities,
        "updated_at": pool.updated_at,
    }
    done = tx.execute(t.pools.update().where(_p.name == pool.name).values(**values))
    if not done.rowcount:
        tx.execute(t.pools.insert().values(name=pool.name, **values))


def forget_others(tx: Tx, host: str, names: set[str]) -> None:
    """Pools of this agent that it no longer has are gone."""
    tx.execute(
        t.pools.delete().where(
            _p.name.startswith(f"{host}@", autoescape=True), _p.name.not_in(names)
        )
    )
