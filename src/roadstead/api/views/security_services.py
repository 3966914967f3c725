"""Bodies of security services (wire.md#security-services)."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.views.common import when
from roadstead.model.share_networks import SecurityService
from roadstead.service.security_services import password_of

_STATUS = "new"  # the only one there is


def details(call: Call, found: SecurityService) -> dict[str, Any]:
    """One, whole; the password is null for whom it is not."""
    body: dict[str, Any] = {
        **summary(found),
        "created_at": when(found.created_at),
        "updated_at": when(found.updated_at),
        "description": found.description,
        "dns_ip": found.dns_ip,
        "server": found.server,
        "domain": found.domain,
        "user": found.user,
        "password": password_of(call.service, call.caller, found),
        "project_id": found.project_id,
    }
    if call.since(44):
        body["ou"] = found.ou
    if call.since(76):
        body["default_ad_site"] = found.default_ad_site
    return body


def listed(call: Call, found: SecurityService) -> dict[str, Any]:
    """As in a detailed list, which also names the networks."""
    return {**details(call, found), "share_networks": list(found.share_networks)}


def summary(found: SecurityService) -> dict[str, Any]:
    """The few words of a plain list."""
    return {"id": found.id, "name": found.name, "type": found.type, "status": _STATUS}
