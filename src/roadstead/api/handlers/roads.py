"""/roadstead/v1/shares/{id}/explain and …/probe."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import roads as schema
from roadstead.api.views import roads as view
from roadstead.service import roads


def explain(call: Call, share_id: str) -> dict[str, Any]:
    client, vm = schema.whose(call.query)
    if vm is not None:
        facts, found, gigabytes = roads.explain_vm_share(call.service, call.caller, share_id, vm)
    else:
        facts, found, gigabytes = roads.explain_share(call.service, call.caller, share_id, client)
    return {"explanation": view.explanation(call, facts, found, gigabytes)}


def probe(call: Call, share_id: str) -> dict[str, Any]:
    share, operation_id = roads.start_probe(call.service, call.caller, share_id)
    return {"probe": {"share_id": share.id, "operation_id": operation_id}}


def last_probe(call: Call, share_id: str) -> dict[str, Any]:
    return {"probe": view.probe(roads.last_probe(call.service, call.caller, share_id))}
