"""Quota sets as clients send them."""

from typing import Any

import msgspec

from roadstead.api.schemas.values import boolean, integer, string, wrapped
from roadstead.api.views.quotas import SINCE
from roadstead.model.errors import BadRequest
from roadstead.service.quotas import Part

_UNLIMITED = -1


class NewLimits(msgspec.Struct, frozen=True):
    limits: dict[str, int]
    force: bool = False


def project(project_id: str) -> str:
    """A project's id as any identity service may write it."""
    return string(project_id, "project_id", most=64)


def part(query: dict[str, str], minor: int) -> Part:
    """Whose part of the project's quota is meant."""
    if "share_type" in query and minor < 39:
        raise BadRequest("share_type needs microversion 2.39")
    return Part(user_id=query.get("user_id"), share_type=query.get("share_type"))


def new(body: dict[str, Any], minor: int) -> NewLimits:
    """The limits to set, at least one. From 2.39 on, only those that the version shows."""
    fields = dict(wrapped(body, "quota_set"))
    force = boolean(fields.pop("force", False), "force")
    fields.pop("tenant_id", None)
    allowed = {name for name, since in SINCE.items() if minor < 39 or minor >= since}
    if unknown := sorted(fields.keys() - allowed):
        raise BadRequest(f"no such quota: {', '.join(unknown)[:200]}")
    if not fields:
        raise BadRequest("the quota_set names no quota")
    return NewLimits({k: integer(v, k, least=_UNLIMITED) for k, v in fields.items()}, force)
