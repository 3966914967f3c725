"""Whether what lies in this agent's pools goes by the names that the configuration has."""

from collections.abc import Mapping

import structlog

from roadstead.model.errors import Transient
from roadstead.model.ids import split_pool_name
from roadstead.roads.backend import Backend
from roadstead.store import ownership
from roadstead.store.db import Database

log = structlog.get_logger()


def owner_of_bytes(db: Database, host: str, backends: Mapping[str, Backend]) -> str | None:
    """The host whose shares lie in these pools, when none of them is this one's; None when some
    are, or nobody's. Transient when none was found, but not every pool could be looked at."""
    owners: set[str] = set()
    away: list[str] = []
    for backend in backends.values():
        try:
            ids = {m.id for m in backend.pool.inventory() if m.kind in ("share", "trash")}
        except Exception as error:  # of a driver that has a fault, too
            away.append(f"{backend.name}: {error}")
            continue
        with db.read() as tx:
            rows = ownership.instances(tx, ids)
        owners |= {split_pool_name(pool)[0] for pool in rows.values()}
    if away and not owners:
        raise Transient("; ".join(away))
    return None if host in owners else min(owners, default=None)


def report_unserved(db: Database, host: str, backends: Mapping[str, Backend]) -> None:
    """It was said aloud which pools have shares of this host and no backend."""
    for pool, count in unserved(db, host, backends).items():
        log.error("shares without a backend", pool=pool, shares=count, fix=fix_for(pool))


def unserved(db: Database, host: str, pools: Mapping[str, object]) -> dict[str, int]:
    """How many share instances of this host there are in pools that are none of these, by name."""
    with db.read() as tx:
        found = ownership.pools_of(tx, host)
    return {pool: count for pool, count in sorted(found.items()) if pool not in pools}


def fix_for(pool: str) -> str:
    """What to do about shares in a pool that is not configured."""
    _, backend, kind = split_pool_name(pool)
    return (
        f'put [backends.{backend}] with pool = "{kind}" back; if it was renamed, give it the old '
        "name and its directories. Nothing is removed"
    )
