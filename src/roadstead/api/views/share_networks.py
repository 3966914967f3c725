"""Bodies of share networks (wire.md#share-networks)."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.views.common import when
from roadstead.api.views.subnets import FLAT, subnet
from roadstead.model.share_networks import ShareNetwork
from roadstead.service.network_checks import Answer
from roadstead.service.network_security import Replacement

# Up to this version a network shows its default subnet's fields as its own.
_LAST_FLAT = 50


def details(call: Call, network: ShareNetwork) -> dict[str, Any]:
    """One network, whole."""
    body: dict[str, Any] = {
        "id": network.id,
        "name": network.name,
        "project_id": network.project_id,
        "created_at": when(network.created_at),
        "updated_at": when(network.updated_at),
        "description": network.description,
    }
    if call.minor <= _LAST_FLAT:
        body |= _flat(call, network)
    else:
        body["share_network_subnets"] = [subnet(call, s) for s in network.subnets]
    if call.since(63):
        body["status"] = network.status
        body["security_service_update_support"] = network.security_service_update_support
    if call.since(70):
        body["network_allocation_update_support"] = network.network_allocation_update_support
    return body


def _flat(call: Call, network: ShareNetwork) -> dict[str, Any]:
    default = network.subnets_of(None)
    shown = subnet(call, default[0]) if default else dict.fromkeys(FLAT)
    keys = [key for key, since in FLAT.items() if call.since(since)]
    body = {key: shown[key] for key in keys}
    if call.minor <= 25:
        body["nova_net_id"] = None
    return body


def summaries(names: list[tuple[str, str | None]]) -> list[dict[str, Any]]:
    """Ids and names."""
    return [{"id": network_id, "name": name} for network_id, name in names]


def check(call: Call, answer: Answer) -> dict[str, Any]:
    """What a check found; hosts are for administrators."""
    body: dict[str, Any] = {"compatible": answer.compatible}
    if call.caller.is_admin:
        body["hosts_check_result"] = answer.hosts
    return body


def security_check(call: Call, wanted: Replacement, answer: Answer) -> dict[str, Any]:
    """The same, with what was asked."""
    asked = {
        "operation": f"{'update' if wanted.current else 'add'}_security_service",
        "current_security_service": wanted.current,
        "new_security_service": wanted.new,
    }
    return {**check(call, answer), "requested_operation": asked}
