"""Gateways as they were seen last."""

from roadstead.model.share_networks import GatewayReport, GatewayShown
from roadstead.service.context import Caller, Service
from roadstead.store import gateway_reports
from roadstead.store.db import utcnow


def find_all(service: Service, caller: Caller) -> list[GatewayShown]:
    """What the agents saw of the gateways that the caller may see."""
    with service.db.read() as tx:
        return gateway_reports.find_all(tx, caller.scope)


def uptime_seconds(report: GatewayReport) -> float | None:
    """Since the gateway was made or remade; None when nobody has seen that."""
    return None if report.started_at is None else (utcnow() - report.started_at).total_seconds()
