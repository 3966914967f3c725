"""/security-services."""

from typing import Any

from roadstead.api.call import Call
from roadstead.api.schemas import security_services as schema
from roadstead.api.views import security_services as view
from roadstead.model.share_networks import SecurityService
from roadstead.service import security_services


def _found(call: Call) -> list[SecurityService]:
    wanted, page, everybody = schema.listing(call)
    return security_services.find_all(
        call.service, call.caller, wanted, page, all_projects=everybody
    )


def summary(call: Call) -> dict[str, Any]:
    return {"security_services": [view.summary(found) for found in _found(call)]}


def detail(call: Call) -> dict[str, Any]:
    return {"security_services": [view.listed(call, found) for found in _found(call)]}


def _one(call: Call, found: SecurityService) -> dict[str, Any]:
    return {"security_service": view.details(call, found)}


def create(call: Call) -> dict[str, Any]:
    return _one(call, security_services.create(call.service, call.caller, schema.new(call)))


def show(call: Call, service_id: str) -> dict[str, Any]:
    return _one(call, security_services.get(call.service, call.caller, service_id))


def update(call: Call, service_id: str) -> dict[str, Any]:
    changes = schema.changes(call)
    return _one(call, security_services.update(call.service, call.caller, service_id, changes))


def delete(call: Call, service_id: str) -> None:
    security_services.delete(call.service, call.caller, service_id)
