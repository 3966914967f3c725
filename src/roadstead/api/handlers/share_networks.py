"""/share-networks: create, list, show, update, delete, and their security services."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import share_networks as schema
from roadstead.api.schemas import subnets as subnet_schema
from roadstead.api.views import share_networks as view
from roadstead.model.share_networks import ShareNetwork
from roadstead.service import network_security, share_networks, subnets

# From this version on a network's security services can change while it is in use.
_IN_USE_SINCE = 63


def _one(call: Call, network: ShareNetwork) -> dict[str, Any]:
    return {"share_network": view.details(call, network)}


def create(call: Call) -> dict[str, Any]:
    return _one(call, share_networks.create(call.service, call.caller, schema.new(call)))


def show(call: Call, network_id: str) -> dict[str, Any]:
    return _one(call, share_networks.get(call.service, call.caller, network_id))


def summary(call: Call) -> dict[str, Any]:
    asked = schema.listing(call)
    found: list[tuple[str, str | None]] = []
    if not asked.nothing:
        found = share_networks.find_names(
            call.service, call.caller, asked.wanted, asked.page, all_projects=asked.all_projects
        )
    return {"share_networks": view.summaries(found)}


def detail(call: Call) -> dict[str, Any]:
    asked = schema.listing(call)
    found: list[ShareNetwork] = []
    if not asked.nothing:
        found = share_networks.find_all(
            call.service, call.caller, asked.wanted, asked.page, all_projects=asked.all_projects
        )
    return {"share_networks": [view.details(call, network) for network in found]}


def update(call: Call, network_id: str) -> dict[str, Any]:
    changes, ids = schema.changes(call)
    return _one(call, share_networks.update(call.service, call.caller, network_id, changes, ids))


def delete(call: Call, network_id: str) -> None:
    share_networks.delete(call.service, call.caller, network_id)


def add_security_service(call: Call, network_id: str) -> dict[str, Any]:
    changed = network_security.replace(
        call.service,
        call.caller,
        network_id,
        schema.added(call),
        in_use=call.since(_IN_USE_SINCE),
    )
    return _one(call, changed)


def update_security_service(call: Call, network_id: str) -> dict[str, Any]:
    wanted = schema.replaced(call)
    return _one(call, network_security.replace(call.service, call.caller, network_id, wanted))


def remove_security_service(call: Call, network_id: str) -> dict[str, Any]:
    service_id = schema.removed(call)
    return _one(call, network_security.remove(call.service, call.caller, network_id, service_id))


def check_addition(call: Call, network_id: str) -> dict[str, Any]:
    return _check(call, network_id, schema.added(call))


def check_replacement(call: Call, network_id: str) -> dict[str, Any]:
    return _check(call, network_id, schema.replaced(call))


def _check(call: Call, network_id: str, wanted: network_security.Replacement) -> dict[str, Any]:
    reset = schema.reset(call)
    answer = network_security.ask(call.service, call.caller, network_id, wanted, reset=reset)
    return view.security_check(call, wanted, answer)


def check_subnet(call: Call, network_id: str) -> dict[str, Any]:
    wanted, reset = subnet_schema.asked(call), schema.reset(call)
    answer = subnets.ask_create(call.service, call.caller, network_id, wanted, reset=reset)
    return view.check(call, answer)


def reset_status(call: Call, network_id: str) -> None:
    share_networks.reset_status(call.service, call.caller, network_id, schema.status(call))
