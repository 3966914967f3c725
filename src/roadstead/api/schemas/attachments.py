"""What a client may say of attachments."""

from roadstead.api.call import Call
from roadstead.api.schemas import paging, values
from roadstead.model.errors import BadRequest
from roadstead.model.queries import AttachmentFilter
from roadstead.service.attachments import NewAttachment

_KEYS = frozenset("share_id vm access_level tag driver cache cold".split())


def new(call: Call) -> NewAttachment:
    """The attachment asked for. BadRequest names the key that is wrong."""
    found = values.wrapped(call.body, "attachment")
    unknown = found.keys() - _KEYS
    if unknown:
        raise BadRequest(f"unknown: {', '.join(sorted(unknown))}")
    driver = values.text(found, "driver", most=16)
    return NewAttachment(
        share_id=values.uuid(found.get("share_id"), "share_id"),
        vm=values.required_text(found, "vm"),
        access_level=values.text(found, "access_level", most=2) or "rw",
        tag=values.text(found, "tag", most=36) or None,
        driver=None if driver in (None, "", "auto") else driver,
        cache=values.text(found, "cache", most=16) or "never",
        cold=values.strict_flag(found, "cold"),
    )


def force(call: Call) -> bool:
    """`?force=true` of a detach."""
    return values.flag(call.query, "force")


def target(call: Call) -> str:
    """The host of a migration."""
    found = values.wrapped(call.body, "migration")
    if unknown := found.keys() - {"host"}:
        raise BadRequest(f"unknown: {', '.join(sorted(unknown))}")
    return values.required_text(found, "host")


def listing(call: Call) -> tuple[AttachmentFilter, bool]:
    """What is wanted, and whether of every project."""
    query = call.query
    everyones = paging.all_projects(query, "all_projects", "all_tenants")
    wanted = AttachmentFilter(
        share_id=query.get("share_id"),
        vm=query.get("vm"),
        host=query.get("host"),
        state=query.get("state"),
    )
    return wanted, everyones and call.caller.can("roadstead:attachment:list_all_projects")
