"""Access rules: actions of a share, /share-access-rules, and /roadstead/v1/shares/ID/users."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import access as schema
from roadstead.api.schemas import metadata as metadata_schema
from roadstead.api.schemas import values
from roadstead.api.views import access as view
from roadstead.model.errors import BadRequest, NotFound
from roadstead.model.queries import RuleFilter
from roadstead.model.states import RulesStatus
from roadstead.service import access, shares


def allow(call: Call, share_id: str) -> dict[str, Any]:
    rule = access.allow(call.service, call.caller, share_id, schema.allow(call))
    return {"access": view.detail(call, rule)}


def admit_user(call: Call, share_id: str) -> dict[str, Any]:
    rule = access.allow(call.service, call.caller, share_id, schema.user(call))
    return {"access": view.detail(call, rule)}


def deny(call: Call, share_id: str) -> None:
    wanted = schema.deny(call)
    access.deny(call.service, call.caller, share_id, wanted.access_id, unrestrict=wanted.unrestrict)


def list_of_share(call: Call, share_id: str) -> dict[str, Any]:
    """Up to 2.44, where up to 2.27 all rules show one state."""
    values.no_argument(call.body, call.action())
    together: str = RulesStatus.ACTIVE
    if call.minor <= view.LAST_WITH_SHARED_STATE:
        together = shares.get(call.service, call.caller, share_id).access_rules_status
    found = access.find_all(call.service, call.caller, share_id, RuleFilter())
    return {"access_list": [view.listed(call, rule, together) for rule in found]}


def index(call: Call) -> dict[str, Any]:
    share_id, wanted = schema.listing(call)
    try:
        found = access.find_all(call.service, call.caller, share_id, wanted)
    except NotFound as error:
        raise BadRequest(str(error)) from error
    return {"access_list": [view.listed(call, rule) for rule in found]}


def show(call: Call, rule_id: str) -> dict[str, Any]:
    return {"access": view.detail(call, access.get(call.service, call.caller, rule_id))}


def update(call: Call, rule_id: str) -> dict[str, Any]:
    rule = access.update_level(call.service, call.caller, rule_id, schema.level(call))
    return {"access": view.detail(call, rule)}


def merge_metadata(call: Call, rule_id: str) -> dict[str, Any]:
    new = metadata_schema.pairs(metadata_schema.body(call.body))
    return {"metadata": access.merge_metadata(call.service, call.caller, rule_id, new)}


def delete_metadata(call: Call, rule_id: str, key: str) -> None:
    access.delete_metadata(call.service, call.caller, rule_id, key)
