"""Bodies of export locations (contract §7)."""

import functools
from operator import attrgetter as attr
from typing import Any

from roadstead.api.call import Call
from roadstead.api.views.common import Field, Getters, fields_at, show, when
from roadstead.model.shares import ExportLocation


def _metadata(location: ExportLocation) -> dict[str, str]:
    """Without `preferred`, which has a key of its own."""
    return {k: v for k, v in location.metadata.items() if k != "preferred"}


_FIELDS = (
    Field("id", attr("id")),
    Field("path", attr("path")),
    Field("preferred", attr("preferred"), since=14),
    Field("metadata", _metadata, since=87),
    Field("share_instance_id", attr("instance_id"), admin_only=True),
    Field("is_admin_only", attr("is_admin_only"), admin_only=True),
)


@functools.cache
def _at(minor: int, admin: bool) -> Getters:
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
