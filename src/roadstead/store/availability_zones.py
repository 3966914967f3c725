"""Availability zones: rows made by the services that live in them."""

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from roadstead.model.ids import new_id
from roadstead.model.services import Zone
from roadstead.store import tables as t
from roadstead.store.db import Tx, utcnow

_z = t.availability_zones.c


def ensure(tx: Tx, name: str) -> None:
    """A zone of that name is there, also when another agent makes it at this moment."""
    if find(tx, name) is None:
        try:
            with tx.begin_nested():
                tx.execute(
                    t.availability_zones.insert().values(
                        id=new_id(), name=name, created_at=utcnow()
                    )
                )
        except IntegrityError:
            return


def find(tx: Tx, name_or_id: str) -> str | None:
    """The zone's name."""
    query = sa.select(_z.name).where(sa.or_(_z.name == name_or_id, _z.id == name_or_id))
    return tx.execute(query.order_by(sa.case((_z.id == name_or_id, 0), else_=1))).scalar()


def find_all(tx: Tx) -> list[Zone]:
    """Every zone, by name."""
    rows = tx.execute(t.availability_zones.select().order_by(_z.name)).mappings()
    return [Zone(**row) for row in rows]
