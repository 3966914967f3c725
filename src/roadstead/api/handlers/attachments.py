"""/roadstead/v1/attachments, …/vms."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import attachments as schema
from roadstead.api.views import attachments as view
from roadstead.service import attachments, vm_moves


def create(call: Call) -> dict[str, Any]:
    made = attachments.attach(call.service, call.caller, schema.new(call))
    return {"attachment": view.attachment(call, made)}


def index(call: Call) -> dict[str, Any]:
    wanted, everyones = schema.listing(call)
    found = attachments.find_all(call.service, call.caller, wanted, all_projects=everyones)
    return {"attachments": [view.attachment(call, a) for a in found]}


def show(call: Call, attachment_id: str) -> dict[str, Any]:
    found = attachments.get(call.service, call.caller, attachment_id)
    return {"attachment": view.attachment(call, found)}


def delete(call: Call, attachment_id: str) -> dict[str, Any]:
    found = attachments.detach(call.service, call.caller, attachment_id, force=schema.force(call))
    return {"attachment": view.attachment(call, found)}


def vms(call: Call) -> dict[str, Any]:
    found = attachments.find_vms(call.service, call.caller)
    return {"vms": [view.vm(call, one) for one in found]}


def placement(call: Call, vm: str) -> dict[str, Any]:
    found = vm_moves.placement(call.service, call.caller, vm)
    return {"placement": view.placement(found)}


def migrate(call: Call, vm: str) -> dict[str, Any]:
    found = vm_moves.prepare(call.service, call.caller, vm, schema.target(call))
    return {"migration": view.migration(call, found)}


def stay(call: Call, vm: str) -> dict[str, Any]:
    found = vm_moves.cancel(call.service, call.caller, vm)
    return {"migration": view.migration(call, found)}
