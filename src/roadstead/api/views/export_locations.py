"""Bodies of export locations (wire.md#export-locations)."""

import functools
from typing import Any

from roadstead.api.call import Call
from roadstead.api.views.common import Field, Shape, fields_at, show, when
from roadstead.model.shares import ExportLocation


def _metadata(location: ExportLocation) -> dict[str, str]:
    """Without `preferred`, which has a key of its own."""
    return {k: v for k, v in location.metadata.items() if k != "preferred"}


_FIELDS = (
    Field("id", "id"),
    Field("path", "path"),
    Field("preferred", "preferred", since=14),
    Field("metadata", _metadata, since=87),
    Field("share_instance_id", "instance_id", admin_only=True),
    Field("is_admin_only", "is_admin_only", admin_only=True),
)


@functools.cache
def _at(minor: int, admin: bool) -> Shape:
    return fields_at(_FIELDS, minor, admin=admin)


def summary(call: Call, location: ExportLocation) -> dict[str, Any]:
    """As in a list."""
    return show(_at(call.minor, call.caller.is_admin), location)


def detail(call: Call, location: ExportLocation) -> dict[str, Any]:
    """On its own: with its times."""
    return summary(call, location) | {
        "created_at": when(location.created_at),
        "updated_at": when(location.updated_at),
    }
