"""The journal of operations."""

import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from roadstead.model.errors import Conflict
from roadstead.model.operations import Journalled, Operation
from roadstead.model.queries import OperationFilter
from roadstead.model.share_networks import ShareServer
from roadstead.model.shares import Share, ShareInstance
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


def count_live(tx: Tx, scope: Scope) -> dict[tuple[str, str], int]:
    """How many unfinished operations the scope admits, by verb and state."""
    query = sa.select(_o.verb, _o.state, sa.func.count())
    query = query.where(_LIVE, scope.admits(_o.project_id))
    rows = tx.execute(query.group_by(_o.verb, _o.state))
    return {(row[0], row[1]): row[2] for row in rows}


def is_busy(tx: Tx, resource: Share | ShareInstance | ShareServer) -> bool:
    """True while an unfinished operation of its agent is working on it. The journal knows a share
    by its instance."""
    resource_id = resource.instance_id if isinstance(resource, Share) else resource.id
    agent = resource.host.partition("@")[0]
    query = sa.exists().where(_o.resource_id == resource_id, _o.host == agent, _LIVE)
    return bool(tx.execute(sa.select(query)).scalar_one())


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
