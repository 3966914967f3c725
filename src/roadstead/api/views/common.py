"""What every view needs: fields by microversion, times, links."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec

from roadstead.api.call import Call
from roadstead.store.paging import Page


class Field(msgspec.Struct, frozen=True):
    """A key of a body, the versions that have it, and where its value comes from."""

    key: str
    value: Callable[[Any], Any]
    since: int = 0
    until: int | None = None
    admin_only: bool = False


Getters = tuple[tuple[str, Callable[[Any], Any]], ...]


def fields_at(fields: Iterable[Field], minor: int, *, admin: bool = False) -> Getters:
    """The fields of one version, ready to be called for many objects."""
    return tuple(
        (f.key, f.value)
        for f in fields
        if f.since <= minor
        and (f.until is None or minor <= f.until)
        and (admin or not f.admin_only)
    )


def show(getters: Getters, thing: object) -> dict[str, Any]:
    """The body of one object."""
    return {key: value(thing) for key, value in getters}


def when(moment: datetime | None) -> str | None:
    """UTC, always with microseconds, without zone."""
    return None if moment is None else moment.isoformat(timespec="microseconds")


def links(call: Call, route: str, resource_id: str) -> list[dict[str, str]]:
    """Where the resource is, in the style of URL that the client uses."""
    place = call.place
    return [
        {"rel": "self", "href": place.url(route, resource_id)},
        {"rel": "bookmark", "href": place.bookmark(route, resource_id)},
    ]


def with_next(
    call: Call, body: dict[str, Any], page: Page, links_key: str, returned: int
) -> dict[str, Any]:
    """The body, with a link to the next section when this one is full. It leads further by
    offset, so that a client which follows links comes to an end."""
    if page.limit and returned == page.limit:
        query = call.place.query_with(limit=page.limit, offset=page.offset + returned)
        href = f"{call.place.url(call.place.path)}?{query}"
        body[links_key] = [{"rel": "next", "href": href}]
    return body
