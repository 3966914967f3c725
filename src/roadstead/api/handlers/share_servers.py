"""/share-servers, for administrators."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import share_servers as schema
from roadstead.api.views import share_servers as view
from roadstead.service import share_servers


def index(call: Call) -> dict[str, Any]:
    matches = schema.listing(call)
    found = share_servers.find_all(call.service, call.caller)
    return {"share_servers": [view.summary(call, server) for server in found if matches(server)]}


def show(call: Call, server_id: str) -> dict[str, Any]:
    found = share_servers.get(call.service, call.caller, server_id)
    return {"share_server": view.details(call, found)}


def backend_details(call: Call, server_id: str) -> dict[str, Any]:
    return {"details": share_servers.get(call.service, call.caller, server_id).details}


def delete(call: Call, server_id: str) -> None:
    share_servers.delete(call.service, call.caller, server_id)


def reset_status(call: Call, server_id: str) -> None:
    share_servers.reset_status(call.service, call.caller, server_id, schema.status(call))


def reset_task_state(call: Call, server_id: str) -> None:
    """The stock client sends null with every `share server set`."""
    schema.no_task_state(call)
    share_servers.get(call.service, call.caller, server_id)  # NotFound


def manage(call: Call) -> dict[str, Any]:
    made = share_servers.manage(call.service, call.caller, schema.managed(call))
    return {"share_server": view.details(call, made)}


def unmanage(call: Call, server_id: str) -> None:
    share_servers.unmanage(call.service, call.caller, server_id, force=schema.force(call))
