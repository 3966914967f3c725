"""Locks: what cannot be deleted, or not be seen, for now. They go with their resource."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from roadstead.model.access import AccessRule, ResourceLock
from roadstead.model.shares import Share
from roadstead.store import tables as t
from roadstead.store.db import Tx

_k = t.resource_locks.c


def insert(tx: Tx, locks: Sequence[ResourceLock]) -> None:
    """The locks' rows are there; one statement."""
    tx.execute(t.resource_locks.insert(), [msgspec.structs.asdict(lock) for lock in locks])


def of_rule(tx: Tx, rule: AccessRule, action: str) -> list[ResourceLock]:
    """The rule's locks against one action."""
    rows = tx.execute(
        t.resource_locks.select().where(_k.resource_id == rule.id, _k.resource_action == action)
    )
    return [ResourceLock(**row) for row in rows.mappings()]


def holds_share(tx: Tx, share: Share, action: str) -> bool:
    """True when the share has at least one against that action."""
    query = sa.exists().where(_k.resource_id == share.id, _k.resource_action == action)
    return bool(tx.execute(sa.select(query)).scalar_one())


def delete_of_rule(tx: Tx, rule: AccessRule) -> None:
    """Neither the rule nor, because of it, its share is locked against deletion."""
    tx.execute(
        t.resource_locks.delete().where(
            _k.access_rule_id == rule.id, _k.resource_action == "delete"
        )
    )
