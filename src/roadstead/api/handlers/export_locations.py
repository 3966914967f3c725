"""/shares/{id}/export_locations, and the same below /share_instances."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.views import export_locations as view
from roadstead.model.errors import NotFound
from roadstead.service import shares


def index(call: Call, share_id: str) -> dict[str, Any]:
    found = shares.export_locations(call.service, call.caller, share_id)
    return {"export_locations": [view.summary(call, location) for location in found]}


def show(call: Call, share_id: str, location_id: str) -> dict[str, Any]:
    found = shares.get_export_location(call.service, call.caller, share_id, location_id)
    return {"export_location": view.detail(call, found)}


def of_instance(call: Call, instance_id: str) -> dict[str, Any]:
    instance = shares.get_instance(call.service, call.caller, instance_id)
    found = shares.export_locations(call.service, call.caller, instance.share_id)
    mine = [location for location in found if location.instance_id == instance.id]
    return {"export_locations": [view.summary(call, location) for location in mine]}


def show_of_instance(call: Call, instance_id: str, location_id: str) -> dict[str, Any]:
    share_id = shares.get_instance(call.service, call.caller, instance_id).share_id
    found = shares.get_export_location(call.service, call.caller, share_id, location_id)
    if found.instance_id != instance_id:
        raise NotFound(f"export location {location_id} could not be found")
    return {"export_location": view.detail(call, found)}
