"""The journal of operations."""

import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from roadstead.model.errors import Conflict
from roadstead.model.operations import Operation
from roadstead.model.states import OPERATION_LIVE
from roadstead.store import tables as t
from roadstead.store.db import Tx, utcnow
from roadstead.store.scope import Scope

_o = t.operations.c
_LIVE = _o.state.in_(OPERATION_LIVE)


def insert(tx: Tx, operation: Operation) -> None:
    """The operation is recorded. Conflict when its resource already has a live one."""
    row = msgspec.structs.asdict(operation)
    try:
        share_id = str(operation.payload.get("share_id", ""))
        tx.execute(t.operations.insert().values(**row, share_id=share_id, steps_done=[]))
    except IntegrityError as error:
        raise Conflict(
            f"another operation on {operation.resource_type} {operation.resource_id} is under way"
        ) from error


def _operation(row: Any) -> Operation:
    return Operation(**{k: v for k, v in row.items() if k not in ("steps_done", "share_id")})


def find(tx: Tx, operation_id: str) -> tuple[Operation, list[str]] | None:
    """The operation and the names of its journalled steps."""
    row = tx.execute(t.operations.select().where(_o.id == operation_id)).mappings().first()
    return None if row is None else (_operation(row), list(row["steps_done"]))


class OperationFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation must be like to be listed; None = does not matter."""

    share_id: str | None = None
    resource_id: str | None = None
    state: str | None = None
    verb: str | None = None


class Journalled(msgspec.Struct, frozen=True, kw_only=True):
    """An operation and the names of its journalled steps."""

    operation: Operation
    share_id: str
    steps_done: list[str]


def _journalled(row: Any) -> Journalled:
    return Journalled(
        operation=_operation(row), share_id=row["share_id"], steps_done=list(row["steps_done"])
    )


def get(tx: Tx, scope: Scope, operation_id: str) -> Journalled | None:
    """By id when the scope admits it."""
    query = t.operations.select().where(_o.id == operation_id, scope.admits(_o.project_id))
    row = tx.execute(query).mappings().first()
    return None if row is None else _journalled(row)


def find_all(
    tx: Tx, scope: Scope, wanted: OperationFilter, *, limit: int = 1000
) -> list[Journalled]:
    """Those that match, the newest first."""
    pairs = msgspec.structs.asdict(wanted).items()
    where = [_o[name] == value for name, value in pairs if value is not None]
    query = t.operations.select().where(scope.admits(_o.project_id), *where)
    query = query.order_by(_o.created_at.desc(), _o.id.desc()).limit(limit)
    return [_journalled(row) for row in tx.execute(query).mappings()]


def update(tx: Tx, operation_id: str, **values: Any) -> None:
    """These columns of the operation hold these values; updated_at is now."""
    tx.execute(
        t.operations.update().where(_o.id == operation_id).values(**values, updated_at=utcnow())
    )


def live_on(tx: Tx, host: str) -> list[Operation]:
    """Unfinished operations of one agent, oldest first."""
    query = t.operations.select().where(_o.host == host, _LIVE)
    return [_operation(row) for row in tx.execute(query.order_by(_o.created_at)).mappings()]


def count_live(tx: Tx) -> dict[tuple[str, str], int]:
    """How many unfinished operations there are, by verb and state."""
    query = sa.select(_o.verb, _o.state, sa.func.count()).where(_LIVE)
    rows = tx.execute(query.group_by(_o.verb, _o.state))
    return {(row[0], row[1]): row[2] for row in rows}


def live_resources(tx: Tx, host: str) -> set[str]:
    """Ids of the resources that an unfinished operation of this agent is working on."""
    return set(tx.execute(sa.select(_o.resource_id).where(_o.host == host, _LIVE)).scalars())


def touched_shares(tx: Tx, host: str, since: datetime.datetime) -> set[str]:
    """Shares that this agent is working on, or on whose rules, or was at any time since."""
    recent = sa.or_(_LIVE, _o.updated_at >= since)
    return set(tx.execute(sa.select(_o.share_id).where(_o.host == host, recent)).scalars())


def forget_finished(tx: Tx, before: datetime.datetime) -> int:
    """Finished operations older than `before` are gone; returns how many."""
    gone = tx.execute(t.operations.delete().where(sa.not_(_LIVE), _o.updated_at < before))
    return gone.rowcount


def known_resources(tx: Tx, ids: set[str]) -> set[str]:
    """Which of these ids any operation, finished or not, ever worked on."""
    if not ids:
        return set()
    return set(
        tx.execute(sa.select(_o.resource_id).distinct().where(_o.resource_id.in_(ids))).scalars()
    )
