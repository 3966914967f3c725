"""Bodies and filters of shares (wire.md#shares)."""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from roadstead.api.call import Call
from roadstead.api.schemas import metadata, paging, values
from roadstead.model.errors import BadRequest, Forbidden, Unprocessable
from roadstead.model.queries import SHARE_SORT_KEYS, Page, ShareFilter
from roadstead.model.states import SHARE_RESETTABLE
from roadstead.service.new_share import NewShare


def create(call: Call) -> NewShare:
    """What POST /shares asks for; keys that its version does not know are dropped."""
    share = values.wrapped(call.body, "share", fault=Unprocessable)
    snapshot_id = values.text(share, "snapshot_id") or None
    return NewShare(
        proto=values.required_text(share, "share_proto").upper(),
        size_gib=_size(share, snapshot_id),
        name=values.text(share, "name", "display_name"),
        description=values.text(share, "description", "display_description"),
        share_type=_share_type(share),
        share_network_id=values.text(share, "share_network_id") or None,
        snapshot_id=snapshot_id,
        availability_zone=values.text(share, "availability_zone") or None,
        metadata=metadata.optional_pairs(share),
        is_public=values.flag(share, "is_public"),
        scheduler_hints=_hints(share) if call.since(65) else None,
        mount_point_name=values.text(share, "mount_point_name") if call.since(84) else None,
    )


def _size(share: Mapping[str, Any], snapshot_id: str | None) -> int:
    if snapshot_id is not None and str(share.get("size")) in ("None", "0"):
        return 0  # the snapshot's size
    return values.size(share, "size")


def _share_type(share: Mapping[str, Any]) -> str | None:
    if share.get("share_type") and share.get("volume_type"):
        raise BadRequest("share_type and volume_type mean the same: give one of them")
    return values.text(share, "share_type", "volume_type") or None


def _hints(share: Mapping[str, Any]) -> dict[str, Any] | None:
    """same_host and different_host as share ids with commas, only_host as text; others go."""
    value = share.get("scheduler_hints")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise BadRequest("scheduler_hints must be an object")
    hints = cast("dict[str, Any]", value)
    found: dict[str, Any] = {}
    for key in ("same_host", "different_host"):
        listed = values.text(hints, key, most=4000)
        if listed:
            found[key] = ",".join(values.uuid(part.strip(), key) for part in listed.split(","))
    if only := values.text(hints, "only_host"):
        found["only_host"] = only
    return found


def update(call: Call) -> dict[str, Any]:
    """Changes that PUT /shares/{id} asks for."""
    share = values.wrapped(call.body, "share", fault=Unprocessable)
    changes: dict[str, Any] = {}
    for key, column in (("display_name", "name"), ("display_description", "description")):
        if key in share:
            changes[column] = values.text(share, key)
    if "is_public" in share:
        changes["is_public"] = values.boolean(share["is_public"], "is_public")
    return changes


def extend(call: Call) -> tuple[int, bool]:
    """(new size in GiB, force)."""
    wanted = values.wrapped(call.body, "extend", "os-extend")
    force = call.since(64) and values.flag(wanted, "force")
    return values.size(wanted, "new_size"), force


def shrink(call: Call) -> int:
    """The new size in GiB."""
    wanted = values.wrapped(call.body, "shrink", "os-shrink")
    return values.size(wanted, "new_size")


def status(call: Call) -> str:
    """The status to set."""
    wanted = values.wrapped(call.body, "reset_status", "os-reset_status")
    value = values.required_text(wanted, "status")
    if value not in SHARE_RESETTABLE:
        raise BadRequest(f"{value!r} is no status that can be set")
    return value


def is_no_task_state(call: Call) -> bool:
    """True for the well-formed wish to have no task state."""
    return call.body.get("reset_task_state") == {"task_state": None}


def no_task_state(call: Call) -> None:
    """BadRequest unless the task state is to be none: that is all a share has here, as none is
    ever migrated."""
    wanted = values.wrapped(call.body, "reset_task_state")
    if "task_state" not in wanted or wanted["task_state"] is not None:
        raise BadRequest("task_state can only be null: this server does not migrate shares")


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What a list asks for. `nothing`: no share can match."""

    wanted: ShareFilter
    page: Page
    all_projects: bool
    with_count: bool
    nothing: bool = False

    @property
    def empty(self) -> bool:
        """True when the section asked for holds no share, whatever there is."""
        return self.nothing or self.page.limit == 0


# Parameter, attribute of ShareFilter, first minor that knows it, rule that admits it. Lower
# versions drop a parameter silently.
_FILTERS: tuple[tuple[str, str, int, str | None], ...] = (
    ("display_name", "name", 0, None),
    ("name", "name", 0, None),
    ("status", "status", 0, None),
    ("share_type_id", "share_type_id", 0, None),
    ("snapshot_id", "snapshot_id", 0, None),
    ("share_network_id", "share_network_id", 0, None),
    ("export_location_id", "export_location_id", 35, None),
    ("export_location_path", "export_location_path", 35, None),
    ("name~", "name_like", 36, None),
    ("description~", "description_like", 36, None),
    ("description", "description", 36, None),
    ("mount_point_name", "mount_point_name", 0, None),
    ("availability_zone", "availability_zone", 97, None),
    ("host", "host", 0, "share:list_by_host"),
    ("share_server_id", "share_server_id", 0, "share:list_by_share_server_id"),
)


def listing(call: Call, *, detail: bool) -> Listing:
    """Filters, order and page of GET /shares. Forbidden: a filter that is not for the caller."""
    query, can = call.query, call.caller.can
    chosen: dict[str, Any] = {}
    for key, attribute, since, rule in _FILTERS:
        if key in query and call.since(since):
            if rule is not None and not can(rule):
                raise Forbidden(f"only administrators may filter by {key}")
            chosen[attribute] = query[key]
    if "extra_specs" in query and not can("share_types_extra_spec:index"):
        raise Forbidden("only administrators may filter by extra_specs")
    deferred = "share:list_shares_in_deferred_deletion_states"
    if "deferred" in query.get("status", "") and not can(deferred):
        raise Forbidden("only administrators may list shares in this status")
    everyone = paging.all_projects(query) and can("share:list_all_projects")
    if everyone and "project_id" in query:
        chosen["project_id"] = query["project_id"]
    page = paging.page(query, keys=SHARE_SORT_KEYS, offset_alone=False)
    counted = paging.flag(query, "with_count") if detail or call.since(42) else False
    # We have no groups, keys or recycle bin yet: nothing is in them.
    absent = call.since(31) and bool(query.get("share_group_id"))
    absent |= call.since(90) and bool(query.get("encryption_key_ref")) and call.caller.is_admin
    absent |= call.since(69) and paging.flag(query, "is_soft_deleted")
    return Listing(
        wanted=ShareFilter(
            **chosen,
            metadata=paging.pairs(query, "metadata"),
            extra_specs=paging.pairs(query, "extra_specs"),
            with_public=paging.flag(query, "is_public"),
        ),
        page=page,
        all_projects=everyone,
        with_count=counted,
        nothing=absent,
    )
