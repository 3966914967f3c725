"""Query parameters that every list has (contract §4)."""

import ast
import json
from collections.abc import Mapping
from typing import Any, cast

from roadstead.api.schemas import fields
from roadstead.model.errors import BadRequest
from roadstead.store.paging import Page


def _number(query: Mapping[str, str], key: str) -> int | None:
    value = query.get(key)
    if value is None:
        return None
    number = fields.integer(value, key)
    if number < 0:
        raise BadRequest(f"{key} must not be negative")
    return number


def page(
    query: Mapping[str, str],
    *,
    cap: int | None = None,
    offset_alone: bool = True,
    lenient_direction: bool = False,
) -> Page:
    """Order and section of a list. `cap` bounds the limit; without `offset_alone` an offset needs
    a limit to count; `lenient_direction` takes an unknown sort_dir for the default."""
    limit, offset = _number(query, "limit"), _number(query, "offset") or 0
    if limit is None and not offset_alone:
        offset = 0
    if cap is not None and limit is not None:
        limit = min(limit, cap)
    direction = query.get("sort_dir", "desc").lower()
    if direction not in ("asc", "desc"):
        if not lenient_direction:
            raise BadRequest("sort_dir must be asc or desc")
        direction = "desc"
    return Page(
        limit=limit,
        offset=offset,
        sort_key=query.get("sort_key", "created_at"),
        descending=direction == "desc",
        after=query.get("marker") or None,
    )


def flag(query: Mapping[str, str], key: str, default: bool = False) -> bool:
    """A boolean parameter."""
    return fields.boolean(query[key], key) if key in query else default


def all_projects(query: Mapping[str, str], *names: str) -> bool:
    """`all_tenants`, which alone or without value means yes."""
    for name in names or ("all_tenants",):
        if name in query:
            return query[name] == "" or fields.boolean(query[name], name)
    return False


def pairs(query: Mapping[str, str], key: str) -> dict[str, str]:
    """A map, written as JSON or as a Python literal such as `{'k':'v'}`."""
    text = query.get(key)
    if not text:
        return {}
    if len(text) > 20_000:
        raise BadRequest(f"{key} is too long")
    value: Any = None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
            raise BadRequest(f"{key} must be a map like {{'key':'value'}}") from error
    if not isinstance(value, dict):
        raise BadRequest(f"{key} must be a map like {{'key':'value'}}")
    items = cast("dict[object, object]", value).items()
    # A NUL could have come as an escape within the literal.
    found = {str(k): str(v) for k, v in items}
    if any("\0" in k or "\0" in v for k, v in found.items()):
        raise BadRequest(f"{key} holds a NUL character")
    return found
