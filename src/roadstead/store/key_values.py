"""Key-value tables that belong to an owner row: metadata and extra specs."""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from roadstead.model.errors import Conflict
from roadstead.store.db import Tx


def _owner(table: sa.Table) -> sa.Column[str]:
    return next(c for c in table.primary_key.columns if c.name != "key")


def read(tx: Tx, table: sa.Table, owner_id: str) -> dict[str, str]:
    """All pairs of one owner."""
    rows = tx.execute(sa.select(table.c.key, table.c.value).where(_owner(table) == owner_id))
    return {row.key: row.value for row in rows}


def read_many(tx: Tx, table: sa.Table, owner_ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """Pairs by owner, in one statement; owners without pairs are missing from the result."""
    ids = list(owner_ids)
    found: dict[str, dict[str, str]] = {}
    if not ids:
        return found
    owner = _owner(table)
    for chunk in (ids[i : i + 5000] for i in range(0, len(ids), 5000)):
        rows = tx.execute(sa.select(owner, table.c.key, table.c.value).where(owner.in_(chunk)))
        for owner_id, key, value in rows.all():
            found.setdefault(owner_id, {})[key] = value
    return found


def merge(tx: Tx, table: sa.Table, owner_id: str, pairs: Mapping[str, str]) -> None:
    """These pairs hold; others stay. Two statements."""
    if pairs:
        remove(tx, table, owner_id, pairs)
        insert(tx, table, owner_id, pairs)


def change(
    tx: Tx, table: sa.Table, owner_id: str, old: Mapping[str, str], new: Mapping[str, str]
) -> None:
    """Exactly the new pairs hold, where the old ones did; only the difference is written."""
    gone = [key for key, value in old.items() if new.get(key) != value]
    if gone:
        remove(tx, table, owner_id, gone)
    insert(tx, table, owner_id, {k: v for k, v in new.items() if old.get(k) != v})


def insert(tx: Tx, table: sa.Table, owner_id: str, pairs: Mapping[str, str]) -> None:
    """Adds pairs that are known not to be there."""
    if pairs:
        owner = _owner(table).name
        rows = [{owner: owner_id, "key": k, "value": v} for k, v in pairs.items()]
        try:
            tx.execute(table.insert(), rows)
        except IntegrityError as error:  # the agent removed the owner at this moment
            raise Conflict(f"{owner_id} was changed at the same time; try again") from error


def remove(tx: Tx, table: sa.Table, owner_id: str, keys: Iterable[str]) -> int:
    """The number of pairs that were there and are gone now."""
    owner = _owner(table)
    done = tx.execute(table.delete().where(owner == owner_id, table.c.key.in_(list(keys))))
    return done.rowcount


def matching(
    table: sa.Table, owner_id: sa.ColumnElement[str], pairs: Mapping[str, str]
) -> list[sa.ColumnElement[bool]]:
    """WHERE clauses: the owner has every one of these pairs."""
    owner = _owner(table)
    return [
        sa.exists().where(owner == owner_id, table.c.key == key, table.c.value == value)
        for key, value in pairs.items()
    ]
