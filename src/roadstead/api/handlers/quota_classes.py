"""Quota classes."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import quota_classes as schema
from roadstead.api.views import quotas as view
from roadstead.service import quotas


def show(call: Call, class_name: str) -> dict[str, Any]:
    found = quotas.get_class(call.service, class_name)
    return {"quota_class_set": {"id": class_name, **view.limits(found, call.minor)}}


def update(call: Call, class_name: str) -> dict[str, Any]:
    new = schema.new(call.body)
    found = quotas.update_class(call.service, schema.name(class_name), new)
    return {"quota_class_set": view.limits(found, call.minor)}
