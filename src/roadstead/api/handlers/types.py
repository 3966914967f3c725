"""Share types."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import types as schema
from roadstead.api.views import types as view
from roadstead.model.shares import ShareType
from roadstead.service import types


def _view(call: Call, share_type: ShareType) -> dict[str, Any]:
    return view.share_type(
        share_type,
        minor=call.minor,
        admin=call.caller.is_admin,
        default_name=call.service.default_share_type,
    )


def index(call: Call) -> dict[str, Any]:
    wanted = schema.listed(call.query, call.minor, admin=call.caller.is_admin)
    found = types.find_all(call.service, call.caller, **wanted)
    return view.many([_view(call, share_type) for share_type in found])


def default(call: Call) -> dict[str, Any]:
    return view.one(_view(call, types.get_default(call.service, call.caller)))


def show(call: Call, type_id: str) -> dict[str, Any]:
    return view.one(_view(call, types.get(call.service, call.caller, type_id)))


def create(call: Call) -> dict[str, Any]:
    new = schema.new(call.body, call.minor)
    return view.one(_view(call, types.create(call.service, call.caller, new)))


def update(call: Call, type_id: str) -> dict[str, Any]:
    changes = schema.changes(call.body)
    return view.one(_view(call, types.update(call.service, call.caller, type_id, **changes)))


def delete(call: Call, type_id: str) -> None:
    types.delete(call.service, call.caller, type_id)
