"""Bodies of shares (wire.md#a-share)."""

import functools
from typing import Any

from roadstead.api.call import Call
from roadstead.api.views.common import Field, Fixed, Shape, fields_at, linker, show, when
from roadstead.model.shares import Share
from roadstead.model.states import RulesStatus, ShareStatus

_ROUTE = "shares"


def _old_status(share: Share) -> str:
    copying = share.status == ShareStatus.CREATING_FROM_SNAPSHOT
    return ShareStatus.CREATING if copying else share.status


def _old_rules_status(share: Share) -> str:
    known = share.access_rules_status
    return "out_of_sync" if known == RulesStatus.SYNCING else known


# What is fixed here is what no share of ours has yet.
_FIELDS = (
    Field("id", "id"),
    Field("size", "size_gib"),
    Field("status", _old_status, until=53),
    Field("status", "status", since=54),
    Field("name", "name"),
    Field("description", "description"),
    Field("project_id", "project_id"),
    Field("share_proto", "proto"),
    Field("created_at", lambda s: when(s.created_at)),
    Field("is_public", "is_public"),
    Field("metadata", "metadata"),
    Field("availability_zone", "availability_zone"),
    Field("snapshot_id", "snapshot_id"),
    Field("share_network_id", "share_network_id"),
    Field("share_type", "share_type_name", until=5),
    Field("share_type", "share_type_id", since=6),
    Field("volume_type", "share_type_name"),
    Field("share_type_name", "share_type_name", since=6),
    Field("snapshot_support", "snapshot_support", since=2),
    Field("task_state", "task_state", since=5),
    Field("access_rules_status", _old_rules_status, since=10, until=27),
    Field("access_rules_status", "access_rules_status", since=28),
    Field("replication_type", "replication_type", since=11),
    Field("has_replicas", Fixed(False), since=11),
    Field("user_id", "user_id", since=16),
    Field("create_share_from_snapshot_support", "create_share_from_snapshot_support", since=24),
    Field("revert_to_snapshot_support", "revert_to_snapshot_support", since=27),
    Field("share_group_id", Fixed(None), since=31),
    Field("source_share_group_snapshot_member_id", Fixed(None), since=31),
    Field("mount_snapshot_support", "mount_snapshot_support", since=32),
    Field("progress", "progress", since=54),
    Field("is_soft_deleted", Fixed(False), since=69),
    Field("scheduled_to_be_deleted_at", Fixed(None), since=69),
    Field("source_backup_id", Fixed(None), since=80),
    Field("encryption_key_ref", Fixed(None), since=90),
    Field("snapshot_inherit_share_access_support", Fixed(False), since=99),
    Field("share_server_id", "share_server_id", admin_only=True),
    Field("host", "host", admin_only=True),
)
# Up to this version a share's body carries its paths.
LAST_WITH_PATHS = 8


@functools.cache
def _at(minor: int, admin: bool) -> Shape:
    return fields_at(_FIELDS, minor, admin=admin)


def details(
    call: Call, shares: list[Share], paths: dict[str, list[str]] | None = None
) -> list[dict[str, Any]]:
    """Full bodies; `paths` by share id, for versions that show them here."""
    shape, links = _at(call.minor, call.caller.is_admin), linker(call, _ROUTE)
    bodies: list[dict[str, Any]] = []
    for share in shares:
        body = show(shape, share)
        body["links"] = links(share.id)
        if call.minor <= LAST_WITH_PATHS:
            mine = (paths or {}).get(share.id, [])
            body["export_location"] = mine[0] if mine else None
            body["export_locations"] = mine
        bodies.append(body)
    return bodies


def summaries(call: Call, names: list[tuple[str, str | None]]) -> list[dict[str, Any]]:
    """Ids, names and links."""
    links = linker(call, _ROUTE)
    return [{"id": i, "name": name, "links": links(i)} for i, name in names]
