"""The service's processes as clients name them."""

from typing import Any

import msgspec

from roadstead.api.schemas.values import required_text, string, wrapped
from roadstead.model.errors import BadRequest, NotFound
from roadstead.service.services import ServiceFilter


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    binary: str
    disabled: bool
    reason: str | None = None


def listed(query: dict[str, str], minor: int) -> ServiceFilter:
    """Which processes to list; other keys are ignored."""
    names = "host binary zone state status topic".split()
    ensuring = query.get("ensuring") if minor >= 93 else None
    return ServiceFilter(**{k: query[k] for k in names if k in query}, ensuring=ensuring)


def switch(body: dict[str, Any], verb: str, minor: int) -> Switch:
    """What to enable or disable. NotFound when the URL says something else."""
    if verb not in ("enable", "disable"):
        raise NotFound(f"services cannot {verb}")
    if "disabled_reason" in body and minor < 83:
        raise BadRequest("disabled_reason needs microversion 2.83")
    reason = body.get("disabled_reason")
    if reason is not None:
        reason = string(reason, "disabled_reason", least=1).strip()
    return Switch(
        host=string(body.get("host"), "host", least=1),
        binary=string(body.get("binary"), "binary", least=1),
        disabled=verb == "disable",
        reason=reason if verb == "disable" else None,
    )


def ensured(body: dict[str, Any]) -> str:
    """The host@backend whose shares are to be looked at."""
    return required_text(wrapped(body, "ensure_shares"), "host")
