"""Bodies of share instances (contract §9)."""

import functools
from operator import attrgetter as attr
from typing import Any

from roadstead.api.call import Call
from roadstead.api.views.common import Field, Getters, fields_at, show, when
from roadstead.api.views.shares import LAST_WITH_PATHS
from roadstead.model.shares import ShareInstance


def _old_rules_status(instance: ShareInstance) -> str:
    known = instance.access_rules_status
    return "out_of_sync" if known == "syncing" else known


def _old_status(instance: ShareInstance) -> str:
    return "creating" if instance.status == "creating_from_snapshot" else instance.status


_FIELDS = (
    Field("id", attr("id")),
    Field("share_id", attr("share_id")),
    Field("availability_zone", attr("availability_zone")),
    Field("created_at", lambda i: when(i.created_at)),
    Field("host", attr("host")),
    Field("status", _old_status, until=53),
    Field("status", attr("status"), since=54),
    Field("share_network_id", attr("share_network_id")),
    Field("share_server_id", attr("share_server_id")),
    Field("access_rules_status", _old_rules_status, since=10, until=27),
    Field("access_rules_status", attr("access_rules_status"), since=28),
    Field("replica_state", lambda _i: None, since=11),
    Field("share_type_id", attr("share_type_id"), since=22),
    Field("cast_rules_to_readonly", lambda _i: False, since=30),
    Field("progress", attr("progress"), since=54),
    Field("updated_at", lambda i: when(i.updated_at), since=71),
)


@functools.cache
def _at(minor: int) -> Getters:
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
