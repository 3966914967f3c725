"""The service's processes, as their heartbeats tell."""

import datetime
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from roadstead.model.services import ServiceRecord
from roadstead.store import tables as t
from roadstead.store.db import Tx, utcnow
from roadstead.store.pools import SERVICE_DOWN_AFTER

_v = t.services.c


def heartbeat(tx: Tx, *, binary: str, host: str, zone: str) -> None:
    """The service is there, in that zone, and was alive now. Its `disabled` stays."""
    if not _beat(tx, binary, host, zone):
        now = utcnow()
        try:
            with tx.begin_nested():
                tx.execute(
                    t.services.insert().values(
                        binary=binary,
                        host=host,
                        availability_zone=zone,
                        heartbeat_at=now,
                        created_at=now,
                    )
                )
        except IntegrityError:  # another process of that name began at this moment
            _beat(tx, binary, host, zone)


def _beat(tx: Tx, binary: str, host: str, zone: str) -> bool:
    now = utcnow()
    done = tx.execute(
        t.services.update()
        .where(_v.binary == binary, _v.host == host)
        .values(availability_zone=zone, heartbeat_at=now, updated_at=now)
    )
    return done.rowcount == 1


def _record(row: Any, now: datetime.datetime) -> ServiceRecord:
    beat = row["heartbeat_at"]
    return ServiceRecord(
        id=row["id"],
        binary=row["binary"],
        host=row["host"],
        availability_zone=row["availability_zone"],
        disabled=row["disabled"],
        disabled_reason=row["disabled_reason"],
        heartbeat_at=beat,
        ensuring=row["ensuring"],
        up=beat is not None and now - beat < SERVICE_DOWN_AFTER,
    )


def find_all(tx: Tx) -> list[ServiceRecord]:
    """Every service, by id; one statement."""
    now = utcnow()
    rows = tx.execute(t.services.select().order_by(_v.id)).mappings()
    return [_record(row, now) for row in rows]


def find(tx: Tx, *, binary: str, host: str) -> ServiceRecord | None:
    """The service of that name."""
    query = t.services.select().where(_v.binary == binary, _v.host == host)
    row = tx.execute(query).mappings().first()
    return None if row is None else _record(row, utcnow())


def set_ensuring(tx: Tx, service_ids: Sequence[int], ensuring: bool) -> None:
    """These services are asked to look at all their shares, or have done it."""
    tx.execute(t.services.update().where(_v.id.in_(service_ids)).values(ensuring=ensuring))


def ensuring_on(tx: Tx, agent_host: str) -> list[int]:
    """Ids of the services of one agent that were asked to look at all their shares."""
    mine = _v.host.startswith(f"{agent_host}@", autoescape=True)
    return list(tx.execute(sa.select(_v.id).where(_v.ensuring, mine)).scalars())


def set_disabled(
    tx: Tx, *, binary: str, host: str, disabled: bool, reason: str | None = None
) -> bool:
    """True when there is such a service; it is enabled or disabled as told."""
    done = tx.execute(
        t.services.update()
        .where(_v.binary == binary, _v.host == host)
        .values(disabled=disabled, disabled_reason=reason if disabled else None)
    )
    return done.rowcount == 1
