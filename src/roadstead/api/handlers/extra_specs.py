"""Extra specs of a share type."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import extra_specs as schema
from roadstead.api.views import extra_specs as view
from roadstead.model.extra_specs import REQUIRED
from roadstead.service import types


def index(call: Call, type_id: str) -> dict[str, Any]:
    return view.many(types.get(call.service, call.caller, type_id).extra_specs)


def show(call: Call, type_id: str, key: str) -> dict[str, Any]:
    return view.one(types.get(call.service, call.caller, type_id), key)


def create(call: Call, type_id: str) -> dict[str, Any]:
    specs = schema.several(call.body)
    types.merge_specs(call.service, call.caller, type_id, specs)
    return view.many(specs)


def update(call: Call, type_id: str, key: str) -> dict[str, Any]:
    spec = schema.single(call.body, key)
    types.merge_specs(call.service, call.caller, type_id, spec)
    return spec


def delete(call: Call, type_id: str, key: str) -> None:
    required = {REQUIRED} if call.since(24) else {REQUIRED, "snapshot_support"}
    types.remove_spec(call.service, call.caller, type_id, key, required=frozenset(required))
