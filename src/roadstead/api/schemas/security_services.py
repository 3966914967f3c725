"""Bodies and filters of security services (wire.md#security-services)."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import paging, values
from roadstead.api.schemas.share_networks import page
from roadstead.model.errors import BadRequest, Unprocessable
from roadstead.model.queries import Page, SecurityServiceFilter
from roadstead.model.share_networks import SECURITY_SERVICE_TYPES

_TEXTS = ("name", "description", "dns_ip", "server", "domain", "user", "password", "ou")
_FILTERS = ("id", "name", "type", "user", "server", "dns_ip", "domain", "share_network_id")


def _fields(call: Call) -> dict[str, Any]:
    sent = values.wrapped(call.body, "security_service", fault=Unprocessable)
    found: dict[str, Any] = {key: values.text(sent, key) for key in _TEXTS if key in sent}
    if "default_ad_site" in sent:
        if not call.since(76):
            raise BadRequest("default_ad_site needs microversion 2.76")
        found["default_ad_site"] = values.text(sent, "default_ad_site")
    if sent.get("type") is not None:
        found["type"] = values.string(sent["type"], "type")
        if found["type"] not in SECURITY_SERVICE_TYPES:
            raise BadRequest(f"type must be one of {', '.join(SECURITY_SERVICE_TYPES)}")
    return found


def new(call: Call) -> dict[str, Any]:
    """The fields of the security service to create."""
    found = _fields(call)
    if "type" not in found:
        raise BadRequest("type is required")
    return found


def changes(call: Call) -> dict[str, Any]:
    """The fields to set."""
    return _fields(call)


def listing(call: Call) -> tuple[SecurityServiceFilter, Page, bool]:
    """(filter, page, of all projects); other keys are ignored."""
    query = call.query
    chosen = {key: query[key] for key in _FILTERS if key in query}
    return SecurityServiceFilter(**chosen), page(query), paging.all_projects(query)
