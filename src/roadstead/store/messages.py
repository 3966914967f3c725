"""User messages."""

import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from roadstead.model.messages import Message
from roadstead.model.queries import MessageFilter, Page
from roadstead.store import tables as t
from roadstead.store.db import Tx
from roadstead.store.paging import apply_page
from roadstead.store.scope import Scope

_m = t.messages.c

# What the sort keys of `model/queries.py` mean.
SORT_COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    **{
        name: _m[name]
        for name in (
            "id project_id action_id detail_id request_id resource_type resource_id created_at "
            "expires_at"
        ).split()
    },
    "message_level": _m.level,
}


def insert(tx: Tx, message: Message) -> None:
    """The message's row is there."""
    tx.execute(t.messages.insert().values(**msgspec.structs.asdict(message)))


def get(tx: Tx, scope: Scope, message_id: str) -> Message | None:
    """The message when the scope admits its project."""
    query = t.messages.select().where(_m.id == message_id, scope.admits(_m.project_id))
    row = tx.execute(query).mappings().first()
    return None if row is None else Message(**row)


def find_all(tx: Tx, scope: Scope, wanted: MessageFilter, page: Page) -> list[Message]:
    """One statement. BadRequest on an unknown sort key or marker."""
    where = [scope.admits(_m.project_id)]
    for name in ("request_id", "resource_id", "action_id", "detail_id", "level"):
        if (value := getattr(wanted, name)) is not None:
            where.append(_m[name] == value)
    if wanted.resource_types:
        where.append(_m.resource_type.in_(wanted.resource_types))
    if wanted.created_since is not None:
        where.append(_m.created_at >= wanted.created_since)
    if wanted.created_before is not None:
        where.append(_m.created_at <= wanted.created_before)
    query = apply_page(
        tx, t.messages.select().where(*where), page, SORT_COLUMNS, _m.id, visible=where[0]
    )
    return [Message(**row) for row in tx.execute(query).mappings()]


def delete(tx: Tx, scope: Scope, message_id: str) -> bool:
    """True when the scope held the message; it is gone."""
    gone = tx.execute(t.messages.delete().where(_m.id == message_id, scope.admits(_m.project_id)))
    return gone.rowcount == 1


def expire(tx: Tx, now: datetime.datetime) -> int:
    """Messages whose time is over are gone; returns how many."""
    return tx.execute(t.messages.delete().where(_m.expires_at <= now)).rowcount
