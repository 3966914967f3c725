"""Locks: what cannot be deleted, or not be seen, for now. They go with their resource."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from roadstead.model.access import ResourceLock
from roadstead.store import tables as t
from roadstead.store.db import Tx

_k = t.resource_locks.c


def insert(tx: Tx, locks: Sequence[ResourceLock]) -> None:
    """The locks' rows are there; one statement."""
    tx.execute(t.resource_locks.insert(), [msgspec.structs.asdict(lock) for lock in locks])


def find(tx: Tx, resource_id: str, action: str) -> list[ResourceLock]:
    """The locks of one resource against one action."""
    rows = tx.execute(
        t.resource_locks.select().where(_k.resource_id == resource_id, _k.resource_action == action)
    )
    return [ResourceLock(**row) for row in rows.mappings()]


def is_held(tx: Tx, resource_id: str, action: str) -> bool:
    """True when there is at least one."""
    query = sa.exists().where(_k.resource_id == resource_id, _k.resource_action == action)
    return bool(tx.execute(sa.select(query)).scalar_one())


def delete_of_rule(tx: Tx, rule_id: str) -> None:
    """Neither the rule nor, because of it, its share is locked against deletion."""
    tx.execute(
        t.resource_locks.delete().where(
            _k.access_rule_id == rule_id, _k.resource_action == "delete"
        )
    )
