"""What every view needs: fields by microversion, times, links."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

import msgspec

from roadstead.api.call import Call
from roadstead.model.queries import Page


class Fixed(msgspec.Struct, frozen=True):
    """A value that is the same for every object."""

    value: Any


class Field(msgspec.Struct, frozen=True):
    """A key of a body, the versions that have it, and where its value comes from: an attribute's
    name, a function of the object, or a fixed value."""

    key: str
    value: str | Callable[[Any], Any] | Fixed
    since: int = 0
    until: int | None = None
    admin_only: bool = False


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of one version, sorted by how their values are had: a list of a thousand objects
    is made of one call per object and not of one per value."""

    keys: tuple[str, ...]  # of `attributes`, which are read at once
    attributes: Callable[[Any], tuple[Any, ...]]
    computed: tuple[tuple[str, Callable[[Any], Any]], ...]
    fixed: dict[str, Any]


def fields_at(fields: Iterable[Field], minor: int, *, admin: bool = False) -> Shape:
    """The fields of one version, ready to be shown of many objects."""
    live = [
        f
        for f in fields
        if f.since <= minor
        and (f.until is None or minor <= f.until)
        and (admin or not f.admin_only)
    ]
    plain = [(f.key, f.value) for f in live if isinstance(f.value, str)]
    if len(plain) < 2:
        raise ValueError("attrgetter gives a tuple from two attributes on")
    return Shape(
        keys=tuple(key for key, _ in plain),
        attributes=attrgetter(*(name for _, name in plain)),
        computed=tuple((f.key, f.value) for f in live if callable(f.value)),
        fixed={f.key: f.value.value for f in live if isinstance(f.value, Fixed)},
    )


def show(shape: Shape, thing: object) -> dict[str, Any]:
    """The body of one object."""
    body = dict(zip(shape.keys, shape.attributes(thing), strict=True))
    body.update(shape.fixed)
    for key, value in shape.computed:
        body[key] = value(thing)
    return body


def when(moment: datetime | None) -> str | None:
    """UTC, always with microseconds, without zone."""
    return None if moment is None else moment.isoformat(timespec="microseconds")


def linker(call: Call, route: str) -> Callable[[str], list[dict[str, str]]]:
    """Gives the links of a resource by its id, in the style of URL that the client uses."""
    here, bookmark = call.address.url(route), call.address.bookmark(route)

    def links(resource_id: str) -> list[dict[str, str]]:
        return [
            {"rel": "self", "href": f"{here}/{resource_id}"},
            {"rel": "bookmark", "href": f"{bookmark}/{resource_id}"},
        ]

    return links


def with_next(
    call: Call, body: dict[str, Any], page: Page, links_key: str, rows: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The body, with a link to the next section when this one is full. It leads further by
    offset (or by marker, if the client did so), so that whoever follows links comes to an end."""
    if page.limit and len(rows) == page.limit:
        change: dict[str, object] = {"offset": page.offset + len(rows)}
        if page.after is not None:
            change = {"marker": rows[-1]["id"], "offset": 0}
        query = call.address.query_with(limit=page.limit, **change)
        href = f"{call.address.url(call.address.path)}?{query}"
        body[links_key] = [{"rel": "next", "href": href}]
    return body
