"""Which projects may use a private share type."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import type_access as schema
from roadstead.api.views import type_access as view
from roadstead.service import types


def index(call: Call, type_id: str) -> dict[str, Any]:
    return view.many(type_id, types.find_projects(call.service, call.caller, type_id))


def add(call: Call, type_id: str) -> None:
    project = schema.project(call.body, "addProjectAccess")
    types.add_project(call.service, call.caller, type_id, project)


def remove(call: Call, type_id: str) -> None:
    project = schema.project(call.body, "removeProjectAccess")
    types.remove_project(call.service, call.caller, type_id, project)
