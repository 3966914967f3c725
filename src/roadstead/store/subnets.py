"""Subnets of share networks: read with their network, in its scope."""

from collections.abc import Iterable
from typing import Any

import msgspec

from roadstead.model.share_networks import Subnet
from roadstead.store import key_values
from roadstead.store import tables_networks as t
from roadstead.store.db import Tx, utcnow

_b = t.subnets.c


def insert(tx: Tx, subnet: Subnet) -> None:
    """Subnet and metadata rows are there."""
    row = msgspec.structs.asdict(subnet)
    metadata = row.pop("metadata")
    tx.execute(t.subnets.insert().values(**row))
    key_values.insert(tx, t.subnet_metadata, subnet.id, metadata)


def of_networks(tx: Tx, network_ids: Iterable[str]) -> dict[str, list[Subnet]]:
    """Subnets by network, the oldest first. Two statements for up to 1000 networks."""
    found: dict[str, list[Subnet]] = {}
    ids = list(network_ids)
    if not ids:
        return found
    query = t.subnets.select().where(_b.share_network_id.in_(ids))
    rows = tx.execute(query.order_by(_b.created_at, _b.id)).mappings().all()
    metadata = key_values.read_many(tx, t.subnet_metadata, (row["id"] for row in rows))
    for row in rows:
        subnet = Subnet(**row, metadata=metadata.get(row["id"], {}))
        found.setdefault(subnet.share_network_id, []).append(subnet)
    return found


def find(tx: Tx, subnet_id: str) -> Subnet | None:
    """By id alone: for the agent."""
    row = tx.execute(t.subnets.select().where(_b.id == subnet_id)).mappings().first()
    if row is None:
        return None
    return Subnet(**row, metadata=key_values.read(tx, t.subnet_metadata, subnet_id))


def update(tx: Tx, subnet: Subnet, **values: Any) -> None:
    """These columns hold these values; updated_at is now."""
    tx.execute(t.subnets.update().where(_b.id == subnet.id).values(**values, updated_at=utcnow()))


def delete(tx: Tx, subnet: Subnet) -> None:
    """The row is gone, and its metadata with it."""
    tx.execute(t.subnets.delete().where(_b.id == subnet.id))


def change_metadata(tx: Tx, subnet: Subnet, new: dict[str, str]) -> None:
    """The subnet has exactly the new pairs, where it had those with which it was read."""
    key_values.change(tx, t.subnet_metadata, subnet.id, subnet.metadata, new)
