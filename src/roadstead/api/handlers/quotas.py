"""Quota sets."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import quotas as schema
from roadstead.api.views import quotas as view
from roadstead.service import quotas


def show(call: Call, project_id: str) -> dict[str, Any]:
    part = schema.part(call.query, call.minor)
    found = quotas.get(call.service, call.caller, project_id, part)
    limits = {name: use.limit for name, use in found.items()}
    return {"quota_set": {"id": project_id, **view.limits(limits, call.minor)}}


def detail(call: Call, project_id: str) -> dict[str, Any]:
    part = schema.part(call.query, call.minor)
    found = quotas.get(call.service, call.caller, project_id, part)
    return {"quota_set": {"id": project_id, **view.detail(found, call.minor)}}


def defaults(call: Call, project_id: str) -> dict[str, Any]:
    found = quotas.defaults(call.service)
    return {"quota_set": {"id": project_id, **view.limits(found, call.minor)}}


def update(call: Call, project_id: str) -> dict[str, Any]:
    part = schema.part(call.query, call.minor)
    new = schema.new(call.body, call.minor)
    project = schema.project(project_id)
    found = quotas.update(call.service, call.caller, project, part, new.limits, force=new.force)
    return {"quota_set": view.limits(found, call.minor)}


def delete(call: Call, project_id: str) -> None:
    part = schema.part(call.query, call.minor)
    quotas.reset(call.service, call.caller, project_id, part)
