"""/roadstead/v1/operations and /roadstead/v1/drift."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import operations as schema
from roadstead.api.views import operations as view
from roadstead.service import drift, operations


def index(call: Call) -> dict[str, Any]:
    asked = schema.listing(call)
    found = operations.find_all(
        call.service,
        call.caller,
        asked.wanted,
        limit=asked.limit,
        all_projects=asked.all_projects,
    )
    return {"operations": [view.operation(call, one) for one in found]}


def show(call: Call, operation_id: str) -> dict[str, Any]:
    found = operations.get(call.service, call.caller, operation_id)
    return {"operation": view.operation(call, found)}


def drift_index(call: Call) -> dict[str, Any]:
    found = drift.find_all(call.service, limit=schema.limit(call.query))
    return {"drift": [view.drift(one) for one in found]}
