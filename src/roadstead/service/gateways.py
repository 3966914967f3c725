"""Gateways as they were seen last."""

from roadstead.model.share_networks import GatewayShown
from roadstead.service.context import Caller, Service
from roadstead.store import gateway_reports


def find_all(service: Service, caller: Caller) -> list[GatewayShown]:
    """What the agents saw of the gateways that the caller may see."""
    with service.db.read() as tx:
        return gateway_reports.find_all(tx, caller.scope)
