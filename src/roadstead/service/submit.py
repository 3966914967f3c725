"""Record an operation and enqueue it, inside the transaction that made it necessary."""

from typing import Any

from roadstead.model.ids import new_id, split_pool_name
from roadstead.model.operations import Operation
from roadstead.model.shares import Share
from roadstead.service.context import Caller, Service
from roadstead.store import operations
from roadstead.store.db import Tx, utcnow


def submit(
    service: Service,
    caller: Caller,
    tx: Tx,
    verb: str,
    share: Share,
    *,
    resource_id: str | None = None,
    operation_id: str | None = None,
    **payload: Any,
) -> str:
    """The operation is recorded and enqueued for the agent that looks after the share; returns
    that agent's host, to wake after the commit. Conflict: the resource has a live operation."""
    host = split_pool_name(share.host)[0]
    operation = Operation(
        id=operation_id or new_id(),
        verb=verb,
        resource_id=resource_id or share.instance_id,
        project_id=share.project_id,
        user_id=caller.user_id,
        request_id=caller.request_id,
        host=host,
        state="todo",
        payload={"instance_id": share.instance_id, "share_id": share.id, **payload},
        created_at=utcnow(),
    )
    operations.insert(tx, operation)
    service.engine.submit(tx, operation.id, host)
    return host
