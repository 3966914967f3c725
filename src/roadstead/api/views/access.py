"""Bodies of access rules (wire.md#a-rule)."""

import functools
from typing import Any

from roadstead.api.call import Call
from roadstead.api.views.common import Field, Shape, fields_at, show, when
from roadstead.model.access import AccessRule
from roadstead.model.states import RulesStatus

# Up to this version a rule shows the state of all the share's rules together.
LAST_WITH_SHARED_STATE = 27

_FIELDS = (
    Field("id", "id"),
    Field("access_type", "access_type"),
    Field("access_to", "access_to"),
    Field("access_level", "access_level"),
    Field("state", "state", since=28),
    Field("access_key", "access_key", since=21),
    Field("created_at", lambda r: when(r.created_at), since=33),
    Field("updated_at", lambda r: when(r.updated_at), since=33),
    Field("metadata", "metadata", since=45),
)
# What else it may be was "new" then.
_SHARED_STATES = (RulesStatus.ACTIVE, RulesStatus.ERROR)


@functools.cache
def _at(minor: int) -> Shape:
    return fields_at(_FIELDS, minor)


def listed(call: Call, rule: AccessRule, rules_status: str = RulesStatus.SYNCING) -> dict[str, Any]:
    """As in a list: without the share. `rules_status` is the share's, for old versions."""
    body = show(_at(call.minor), rule)
    if call.minor <= LAST_WITH_SHARED_STATE:
        body["state"] = rules_status if rules_status in _SHARED_STATES else "new"
    return body


def detail(call: Call, rule: AccessRule) -> dict[str, Any]:
    """On its own."""
    return listed(call, rule) | {"share_id": rule.share_id}
