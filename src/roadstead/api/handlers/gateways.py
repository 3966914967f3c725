"""/roadstead/v1/gateways."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.views.common import when
from roadstead.model.share_networks import GatewayShown
from roadstead.service import gateways


def index(call: Call) -> dict[str, Any]:
    found = gateways.find_all(call.service, call.caller)
    return {"gateways": [_view(one) for one in found]}


def _view(one: GatewayShown) -> dict[str, Any]:
    r = one.report
    uptime = gateways.uptime_seconds(r)
    return {
        "share_server_id": r.share_server_id,
        "share_network_id": one.share_network_id,
        "share_network_name": one.share_network_name,
        "project_id": one.project_id,
        "backend": one.backend_host,
        "status": one.status,
        "host": r.host,
        "role": r.role,
        "health": r.health,
        "detail": r.detail,
        "sessions": r.sessions,
        "bytes_in": r.bytes_in,
        "bytes_out": r.bytes_out,
        "uptime_seconds": None if uptime is None else int(uptime),
        "reported_at": when(r.reported_at),
    }
