"""Bodies of share instances (wire.md#share-instances)."""

import functools
from typing import Any

from roadstead.api.call import Call
from roadstead.api.views.common import Field, Fixed, Shape, fields_at, show, when
from roadstead.api.views.shares import LAST_WITH_PATHS
from roadstead.model.shares import ShareInstance
from roadstead.model.states import RulesStatus, ShareStatus


def _old_rules_status(instance: ShareInstance) -> str:
    known = instance.access_rules_status
    return "out_of_sync" if known == RulesStatus.SYNCING else known


def _old_status(instance: ShareInstance) -> str:
    copying = instance.status == ShareStatus.CREATING_FROM_SNAPSHOT
    return ShareStatus.CREATING if copying else instance.status


_FIELDS = (
    Field("id", "id"),
    Field("share_id", "share_id"),
    Field("availability_zone", "availability_zone"),
    Field("created_at", lambda i: when(i.created_at)),
    Field("host", "host"),
    Field("status", _old_status, until=53),
    Field("status", "status", since=54),
    Field("share_network_id", "share_network_id"),
    Field("share_server_id", "share_server_id"),
    Field("access_rules_status", _old_rules_status, since=10, until=27),
    Field("access_rules_status", "access_rules_status", since=28),
    Field("replica_state", Fixed(None), since=11),
    Field("share_type_id", "share_type_id", since=22),
    Field("cast_rules_to_readonly", Fixed(False), since=30),
    Field("progress", "progress", since=54),
    Field("updated_at", lambda i: when(i.updated_at), since=71),
)


@functools.cache
def _at(minor: int) -> Shape:
    return fields_at(_FIELDS, minor)


def details(
    call: Call, instances: list[ShareInstance], paths: dict[str, list[str]] | None = None
) -> list[dict[str, Any]]:
    """Full bodies; `paths` by share id, for versions that show them here."""
    bodies: list[dict[str, Any]] = []
    for instance in instances:
        body = show(_at(call.minor), instance)
        if call.minor <= LAST_WITH_PATHS:
            mine = (paths or {}).get(instance.share_id, [])
            body["export_location"] = mine[0] if mine else None
            body["export_locations"] = mine
        bodies.append(body)
    return bodies
