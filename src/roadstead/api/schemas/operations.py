"""Which operations, and how many of a list, are wanted."""

import msgspec

from roadstead.api.call import Call
from roadstead.api.schemas import paging, values
from roadstead.model.queries import OperationFilter

_USUAL, _MOST = 100, 1000
_FILTERS = ("share_id", "resource_id", "state", "verb")


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    wanted: OperationFilter
    limit: int
    all_projects: bool


def limit(query: dict[str, str]) -> int:
    """At most 1000; 100 unless told."""
    if "limit" not in query:
        return _USUAL
    return min(values.integer(query["limit"], "limit"), _MOST)


def listing(call: Call) -> Listing:
    """`all_projects` counts only for those whom the policy lets see them; other keys are
    ignored."""
    query = call.query
    asked = paging.all_projects(query, "all_projects", "all_tenants")
    return Listing(
        wanted=OperationFilter(**{name: query.get(name) for name in _FILTERS}),
        limit=limit(query),
        all_projects=asked and call.caller.can("roadstead:operation:list_all_projects"),
    )
