"""Filters of share instances (wire.md#share-instances)."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import paging
from roadstead.model.queries import ShareFilter


def listing(call: Call) -> ShareFilter | None:
    """What the instances' shares must be like; None when nothing can match."""
    query = call.query
    if call.since(69) and paging.flag(query, "is_soft_deleted"):
        return None  # nothing is in a recycle bin yet
    if call.since(90) and query.get("encryption_key_ref"):
        return None
    later = ("export_location_id", "export_location_path")
    keys = ("host", "status", "share_server_id", *(later if call.since(35) else ()))
    chosen: dict[str, Any] = {key: query[key] for key in keys if key in query}
    return ShareFilter(**chosen)
