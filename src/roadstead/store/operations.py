"""The journal of operations."""

import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from roadstead.model.errors import Conflict
from roadstead.model.operations import LIVE, Operation
from roadstead.store import tables as t
from roadstead.store.db import Tx, utcnow

_o = t.operations.c


def insert(tx: Tx, operation: Operation) -> None:
    """The operation is recorded. Conflict when its resource already has a live one."""
    row = msgspec.structs.asdict(operation)
    try:
        tx.execute(t.operations.insert().values(**row, steps_done=[]))
    except IntegrityError as error:
        raise Conflict(
            f"another operation on {operation.resource_type} {operation.resource_id} is under way"
        ) from error


def _operation(row: Any) -> Operation:
    values = dict(row)
    values.pop("steps_done")
    return Operation(**values)


def find(tx: Tx, operation_id: str) -> tuple[Operation, list[str]] | None:
    """The operation and the names of its journalled steps."""
    row = tx.execute(t.operations.select().where(_o.id == operation_id)).mappings().first()
    return None if row is None else (_operation(row), list(row["steps_done"]))


def update(tx: Tx, operation_id: str, **values: Any) -> None:
    """These columns of the operation hold these values; updated_at is now."""
    tx.execute(
        t.operations.update().where(_o.id == operation_id).values(**values, updated_at=utcnow())
    )


def live_on(tx: Tx, host: str) -> list[Operation]:
    """Unfinished operations of one agent, oldest first."""
    query = t.operations.select().where(_o.host == host, _o.state.in_(LIVE))
    return [_operation(row) for row in tx.execute(query.order_by(_o.created_at)).mappings()]


def live_resources(tx: Tx, host: str) -> set[str]:
    """Ids of the resources that an unfinished operation of this agent is working on."""
    return set(
        tx.execute(sa.select(_o.resource_id).where(_o.host == host, _o.state.in_(LIVE))).scalars()
    )


def forget_finished(tx: Tx, before: datetime.datetime) -> int:
    """Finished operations older than `before` are gone; returns how many."""
    gone = tx.execute(t.operations.delete().where(_o.state.not_in(LIVE), _o.updated_at < before))
    return gone.rowcount


def known_resources(tx: Tx, ids: set[str]) -> set[str]:
    """Which of these ids any operation, finished or not, ever worked on."""
    if not ids:
        return set()
    return set(
        tx.execute(sa.select(_o.resource_id).distinct().where(_o.resource_id.in_(ids))).scalars()
    )
