"""/share-networks/{id}/subnets."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import subnets as schema
from roadstead.api.views import subnets as view
from roadstead.service import share_networks, subnets


def index(call: Call, network_id: str) -> dict[str, Any]:
    network = share_networks.get(call.service, call.caller, network_id)
    return {"share_network_subnets": [view.alone(call, network, s) for s in network.subnets]}


def create(call: Call, network_id: str) -> dict[str, Any]:
    one_per_zone = not call.since(subnets.LAST_WITH_ONE_PER_ZONE + 1)
    made = subnets.create(
        call.service, call.caller, network_id, schema.new(call), one_per_zone=one_per_zone
    )
    return {"share_network_subnet": view.alone(call, *made)}


def show(call: Call, network_id: str, subnet_id: str) -> dict[str, Any]:
    found = subnets.get(call.service, call.caller, network_id, subnet_id)
    return {"share_network_subnet": view.alone(call, *found)}


def delete(call: Call, network_id: str, subnet_id: str) -> None:
    subnets.delete(call.service, call.caller, network_id, subnet_id)
