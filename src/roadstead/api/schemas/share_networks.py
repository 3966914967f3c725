"""Bodies and filters of share networks (wire.md#share-networks)."""

import datetime
from collections.abc import Mapping
from typing import Any

import msgspec

from roadstead.api.call import Call
from roadstead.api.schemas import paging, values
from roadstead.model.errors import BadRequest, Unprocessable
from roadstead.model.queries import NetworkFilter, Page, SubnetFilter
from roadstead.model.states import ShareNetworkStatus
from roadstead.service.network_security import Replacement
from roadstead.service.share_networks import NewNetwork

# Lists of this family have at most, and without a limit of their own, so many rows.
MOST = 1000
_IDS = ("neutron_net_id", "neutron_subnet_id")


def neutron_ids(found: Mapping[str, Any]) -> dict[str, str]:
    """Those of the two ids that are given; empty ones are not."""
    ids = {key: values.text(found, key) for key in _IDS}
    return {key: value for key, value in ids.items() if value}


def _wrapper(call: Call) -> dict[str, Any]:
    fields = values.wrapped(call.body, "share_network", fault=Unprocessable)
    if fields.get("nova_net_id") is not None:
        raise BadRequest("nova_net_id is not supported")
    return fields


def new(call: Call) -> NewNetwork:
    """The network to create; the zone counts from 2.51 on."""
    fields = _wrapper(call)
    zone = values.text(fields, "availability_zone") if call.since(51) else None
    return NewNetwork(
        name=values.text(fields, "name"),
        description=values.text(fields, "description"),
        availability_zone=zone or None,
        **neutron_ids(fields),
    )


def changes(call: Call) -> tuple[dict[str, str | None], dict[str, str]]:
    """(name and description, ids of the default subnet) to set."""
    fields = _wrapper(call)
    named = {key: values.text(fields, key) for key in ("name", "description") if key in fields}
    return named, neutron_ids(fields)


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What a list asks for. `nothing`: no network can match."""

    wanted: NetworkFilter = NetworkFilter()
    page: Page = Page()
    all_projects: bool = False
    nothing: bool = False


def page(query: Mapping[str, str]) -> Page:
    """At most 1000 rows, and a limit of 0 is none; always the newest first."""
    plain = {key: query[key] for key in ("limit", "offset", "marker") if key in query}
    found = paging.page(plain, cap=MOST)
    return msgspec.structs.replace(found, limit=found.limit or MOST)


_TEXTS = ("name", "status", "security_service_id")
_SUBNET_TEXTS = ("neutron_net_id", "neutron_subnet_id", "cidr", "gateway")
_LIKE = {"name~": "name_like", "description~": "description_like", "description": "description"}
_KNOWN = frozenset(
    (
        *("limit", "offset", "marker", "all_tenants", "project_id", "network_type"),
        *("segmentation_id", "ip_version", "mtu", "created_since", "created_before"),
        *(*_TEXTS, *_SUBNET_TEXTS, *_LIKE),
    )
)


def listing(call: Call) -> Listing:
    """A key that no filter has lets nothing through."""
    query, admin = call.query, call.caller.is_admin
    if query.keys() - _KNOWN:
        return Listing(nothing=True)
    subnet: dict[str, Any] = {key: query[key] for key in _SUBNET_TEXTS if key in query}
    if "ip_version" in query:
        subnet["ip_version"] = values.integer(query["ip_version"], "ip_version")
    numbers = ("mtu", "segmentation_id") if admin else ("mtu",)
    for key in numbers:
        if key in query:
            number = _number(query[key])
            if number is None:
                return Listing(nothing=True)
            subnet[key] = number
    if admin and "network_type" in query:
        subnet["network_type"] = query["network_type"]
    chosen: dict[str, Any] = {key: query[key] for key in _TEXTS if key in query}
    if call.since(36):
        chosen |= {_LIKE[key]: query[key] for key in _LIKE if key in query}
    if admin and "project_id" in query:
        chosen["project_id"] = query["project_id"]
    since, before = (_day(query, key) for key in ("created_since", "created_before"))
    end = None if before is None else before + datetime.timedelta(hours=23, minutes=59, seconds=59)
    return Listing(
        wanted=NetworkFilter(
            **chosen, created_since=since, created_before=end, subnet=SubnetFilter(**subnet)
        ),
        page=page(query),
        all_projects=paging.all_projects(query),
    )


def _number(text: str) -> int | None:
    """None for what cannot be in the column."""
    try:
        return values.integer(text, "")
    except BadRequest:
        return None


def _day(query: Mapping[str, str], key: str) -> datetime.datetime | None:
    if key not in query:
        return None
    try:
        return datetime.datetime.strptime(query[key], "%Y-%m-%d")
    except ValueError as error:
        raise BadRequest(f"{key} must be a date as in 2026-01-31") from error


def _argument(call: Call) -> dict[str, Any]:
    return values.wrapped(call.body, call.action())


def added(call: Call) -> Replacement:
    """The security service to add, or to ask about."""
    return Replacement(new=values.required_text(_argument(call), "security_service_id"))


def replaced(call: Call) -> Replacement:
    """The security service to replace, and by which."""
    fields = _argument(call)
    return Replacement(
        new=values.required_text(fields, "new_service_id"),
        current=values.required_text(fields, "current_service_id"),
    )


def removed(call: Call) -> str:
    """The id of the security service to remove."""
    return values.required_text(_argument(call), "security_service_id")


def reset(call: Call) -> bool:
    """Shall a check forget what it found before?"""
    return values.flag(_argument(call), "reset_operation")


def status(call: Call) -> str:
    """The status to set."""
    value = values.required_text(_argument(call), "status")
    if value not in frozenset(ShareNetworkStatus):
        raise BadRequest(f"{value!r} is no status that can be set")
    return value
