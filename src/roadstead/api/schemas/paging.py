"""Query parameters that every list has (wire.md#lists)."""

import ast
import json
from collections.abc import Collection, Mapping
from typing import Any, cast

from roadstead.api.schemas import values
from roadstead.model.errors import BadRequest
from roadstead.model.queries import PLAIN_SORT_KEYS, Page

# Each is a condition of its own in the query.
_MOST_PAIRS = 100


def _number(query: Mapping[str, str], key: str) -> int | None:
    value = query.get(key)
    if value is None:
        return None
    return values.integer(value, key)


def page(
    query: Mapping[str, str],
    *,
    keys: Collection[str] = PLAIN_SORT_KEYS,
    cap: int | None = None,
    offset_alone: bool = True,
    lenient_direction: bool = False,
) -> Page:
    """Order and section of a list, which can be sorted by these `keys`. `cap` bounds the
    limit; without `offset_alone` an offset needs a limit to count; `lenient_direction` takes an
    unknown sort_dir for the default. BadRequest otherwise."""
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
    sort_key = query.get("sort_key", "created_at")
    if sort_key not in keys:
        raise BadRequest(f"cannot sort by {sort_key!r}")
    return Page(
        limit=limit,
        offset=offset,
        sort_key=sort_key,
        descending=direction == "desc",
        after=query.get("marker") or None,
    )


def flag(query: Mapping[str, str], key: str, default: bool = False) -> bool:
    """A boolean parameter."""
    return values.boolean(query[key], key) if key in query else default


def all_projects(query: Mapping[str, str], *names: str) -> bool:
    """`all_tenants`, which alone or without value means yes."""
    for name in names or ("all_tenants",):
        if name in query:
            return query[name] == "" or values.boolean(query[name], name)
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
    items = cast("dict[object, object]", value)
    if len(items) > _MOST_PAIRS:
        raise BadRequest(f"{key} may hold {_MOST_PAIRS} pairs")
    return {_word(k, key): _word(v, key) for k, v in items.items()}


def _word(value: object, key: str) -> str:
    """A key or value of such a map as text."""
    if isinstance(value, (str, bool, float)) or (isinstance(value, int) and abs(value) < 2**63):
        word = str(value)
        # Either could have come as an escape within the literal, and no database holds it.
        if "\0" not in word and not any("\ud800" <= c <= "\udfff" for c in word):
            return word
    raise BadRequest(f"{key}: keys and values must be plain text")
