"""Which messages to list, and in what order."""

import datetime
import urllib.parse

from roadstead.api.call import Call
from roadstead.api.schemas import paging
from roadstead.model.errors import BadRequest
from roadstead.model.queries import MESSAGE_SORT_KEYS, MessageFilter, Page

_MOST = 1000


def listed(call: Call) -> MessageFilter:
    """`resource_type` may be given several times; other keys are ignored."""
    query = call.query
    since = until = None
    if call.since(52):
        since, until = (_time(query.get(k), k) for k in ("created_since", "created_before"))
    repeated = urllib.parse.parse_qs(call.address.query)
    return MessageFilter(
        request_id=query.get("request_id"),
        resource_types=repeated.get("resource_type", ()),
        resource_id=query.get("resource_id"),
        action_id=query.get("action_id"),
        detail_id=query.get("detail_id"),
        level=query.get("message_level"),
        created_since=since,
        created_before=until,
    )


def _time(text: str | None, name: str) -> datetime.datetime | None:
    """A date or date-time, in UTC unless it says otherwise."""
    if text is None:
        return None
    try:
        # In a query an unescaped plus means a space.
        at = datetime.datetime.fromisoformat(
            text.strip().replace(" ", "+") if "T" in text else text
        )
        if at.tzinfo is not None:
            at = at.astimezone(datetime.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"{name} must be a date and time as in 2026-01-31T12:00:00") from error
    return at


def page(query: dict[str, str]) -> Page:
    """At most 1000; no limit = all. An odd sort_dir is ignored."""
    return paging.page(query, keys=MESSAGE_SORT_KEYS, cap=_MOST, lenient_direction=True)
