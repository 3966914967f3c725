"""Bodies of shares (contract §6.3)."""

import functools
from operator import attrgetter as attr
from typing import Any

from roadstead.api.call import Call
from roadstead.api.views.common import Field, Getters, fields_at, links, show, when
from roadstead.model.shares import Share

_ROUTE = "shares"


def _none(_share: Share) -> None:
    """For what no share of ours has."""


def _no(_share: Share) -> bool:
    return False


def _old_status(share: Share) -> str:
    return "creating" if share.status == "creating_from_snapshot" else share.status


def _old_rules_status(share: Share) -> str:
    known = share.access_rules_status
    return "out_of_sync" if known == "syncing" else known


_FIELDS = (
    Field("id", attr("id")),
    Field("size", attr("size_gib")),
    Field("status", _old_status, until=53),
    Field("status", attr("status"), since=54),
    Field("name", attr("name")),
    Field("description", attr("description")),
    Field("project_id", attr("project_id")),
    Field("share_proto", attr("proto")),
    Field("created_at", lambda s: when(s.created_at)),
    Field("is_public", attr("is_public")),
    Field("metadata", attr("metadata")),
    Field("availability_zone", attr("availability_zone")),
    Field("snapshot_id", attr("snapshot_id")),
    Field("share_network_id", attr("share_network_id")),
    Field("share_type", attr("share_type_name"), until=5),
    Field("share_type", attr("share_type_id"), since=6),
    Field("volume_type", attr("share_type_name")),
    Field("share_type_name", attr("share_type_name"), since=6),
    Field("snapshot_support", attr("snapshot_support"), since=2),
    Field("task_state", attr("task_state"), since=5),
    Field("access_rules_status", _old_rules_status, since=10, until=27),
    Field("access_rules_status", attr("access_rules_status"), since=28),
    Field("replication_type", attr("replication_type"), since=11),
    Field("has_replicas", _no, since=11),
    Field("user_id", attr("user_id"), since=16),
    Field(
        "create_share_from_snapshot_support", attr("create_share_from_snapshot_support"), since=24
    ),
    Field("revert_to_snapshot_support", attr("revert_to_snapshot_support"), since=27),
    Field("share_group_id", _none, since=31),
    Field("source_share_group_snapshot_member_id", _none, since=31),
    Field("mount_snapshot_support", attr("mount_snapshot_support"), since=32),
    Field("progress", attr("progress"), since=54),
    Field("is_soft_deleted", _no, since=69),
    Field("scheduled_to_be_deleted_at", _none, since=69),
    Field("source_backup_id", _none, since=80),
    Field("encryption_key_ref", _none, since=90),
    Field("snapshot_inherit_share_access_support", _no, since=99),
    Field("share_server_id", attr("share_server_id"), admin_only=True),
    Field("host", attr("host"), admin_only=True),
)
# Up to this version a share's body carries its paths.
LAST_WITH_PATHS = 8


@functools.cache
def _at(minor: int, admin: bool) -> Getters:
    return fields_at(_FIELDS, minor, admin=admin)


def details(
    call: Call, shares: list[Share], paths: dict[str, list[str]] | None = None
) -> list[dict[str, Any]]:
    """Full bodies; `paths` by share id, for versions that show them here."""
    getters = _at(call.minor, call.caller.is_admin)
    bodies: list[dict[str, Any]] = []
    for share in shares:
        body = show(getters, share)
        body["links"] = links(call, _ROUTE, share.id)
        if call.minor <= LAST_WITH_PATHS:
            mine = (paths or {}).get(share.id, [])
            body["export_location"] = mine[0] if mine else None
            body["export_locations"] = mine
        bodies.append(body)
    return bodies


def summaries(call: Call, names: list[tuple[str, str | None]]) -> list[dict[str, Any]]:
    """Ids, names and links."""
    return [{"id": i, "name": name, "links": links(call, _ROUTE, i)} for i, name in names]
