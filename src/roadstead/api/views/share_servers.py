"""Bodies of share servers (wire.md#share-servers)."""

import functools
from typing import Any

from roadstead.api.call import Call
from roadstead.api.views.common import Field, Fixed, Shape, fields_at, show, when
from roadstead.model.share_networks import ShareServer


def _first_subnet(server: ShareServer) -> str | None:
    return server.subnet_ids[0] if server.subnet_ids else None


_FIELDS = (
    Field("id", "id"),
    Field("project_id", "project_id"),
    Field("updated_at", lambda s: when(s.updated_at)),
    Field("status", "status"),
    Field("host", "host"),
    Field("share_network_name", "share_network_name"),
    Field("share_network_id", "share_network_id"),
    Field("is_auto_deletable", "is_auto_deletable", since=49),
    Field("identifier", "identifier", since=49),
    Field("share_network_subnet_id", _first_subnet, since=51, until=69),
    Field("task_state", Fixed(None), since=57),
    Field("source_share_server_id", Fixed(None), since=57),
    Field("security_service_update_support", "security_service_update_support", since=63),
    Field("share_network_subnet_ids", lambda s: list(s.subnet_ids), since=70),
    Field("network_allocation_update_support", "network_allocation_update_support", since=70),
    Field("encryption_key_ref", Fixed(None), since=90),
)


@functools.cache
def _at(minor: int) -> Shape:
    return fields_at(_FIELDS, minor)


def summary(call: Call, server: ShareServer) -> dict[str, Any]:
    """As in a list."""
    return show(_at(call.minor), server)


def details(call: Call, server: ShareServer) -> dict[str, Any]:
    """One, whole."""
    body = summary(call, server)
    body["created_at"] = when(server.created_at)
    body["backend_details"] = server.details
    return body
