"""Whose something found in the world is: asked by its id alone, whatever host, backend or pool the
row names. What a sweep does not know may still be somebody's.

Only ids that are in question are asked for, some hundreds at a time.
"""

from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa

from roadstead.model.attachments import Attachment
from roadstead.store import operations
from roadstead.store import tables as t
from roadstead.store import tables_attachments as ta
from roadstead.store import tables_networks as tn
from roadstead.store.db import Tx

_CHUNK = 500


def instances(tx: Tx, ids: Collection[str]) -> dict[str, str]:
    """host@backend#pool of each of these share instances that has a row."""
    i = t.share_instances.c
    return dict(_pairs(tx, sa.select(i.id, i.host), i.id, ids))


def servers(tx: Tx, ids: Collection[str]) -> dict[str, str]:
    """host@backend of each of these share servers that has a row."""
    s = tn.share_servers.c
    return dict(_pairs(tx, sa.select(s.id, s.host), s.id, ids))


def leases(tx: Tx, ids: Collection[str]) -> dict[str, str]:
    """host@backend of the share server that has each of these addresses."""
    a, s = tn.address_leases.c, tn.share_servers.c
    query = sa.select(a.id, s.host).join_from(
        tn.address_leases, tn.share_servers, s.id == a.share_server_id
    )
    return dict(_pairs(tx, query, a.id, ids))


def attachments(tx: Tx, ids: Collection[str]) -> dict[str, Attachment]:
    """Those of these attachments that have a row, on whatever host."""
    a = ta.attachments
    found: dict[str, Attachment] = {}
    for chunk in _chunks(ids):
        for row in tx.execute(a.select().where(a.c.id.in_(chunk))).mappings():
            found[row["id"]] = Attachment(**row)
    return found


def journalled(tx: Tx, ids: Collection[str]) -> set[str]:
    """Which of these ids any operation ever worked on, as far back as the journal goes."""
    found: set[str] = set()
    for chunk in _chunks(ids):
        found |= operations.known_resources(tx, set(chunk))
    return found


def pools_of(tx: Tx, agent_host: str) -> dict[str, int]:
    """How many share instances each pool of this agent has, by host@backend#pool."""
    i = t.share_instances.c
    query = sa.select(i.host, sa.func.count()).where(i.agent_host == agent_host)
    return {row[0]: row[1] for row in tx.execute(query.group_by(i.host))}


def _pairs(
    tx: Tx, query: sa.Select[Any, Any], column: sa.ColumnElement[str], ids: Collection[str]
) -> Iterator[tuple[str, str]]:
    for chunk in _chunks(ids):
        for row in tx.execute(query.where(column.in_(chunk))):
            yield row[0], row[1]


def _chunks(ids: Collection[str]) -> Iterator[list[str]]:
    wanted = sorted(ids)
    for at in range(0, len(wanted), _CHUNK):
        yield wanted[at : at + _CHUNK]
