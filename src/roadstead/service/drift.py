"""Drift: where the world differed from the database, and what the sweep did about it."""

from typing import Any

from roadstead.service.context import Service
from roadstead.store import drift as store


def find_all(service: Service, *, limit: int) -> list[dict[str, Any]]:
    """The newest findings first. For administrators: the policy has admitted the caller."""
    with service.db.read() as tx:
        return store.find_all(tx, limit=limit)
