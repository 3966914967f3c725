"""The service's processes on the wire (wire.md#services)."""

from typing import Any

from roadstead.api.views.common import when
from roadstead.model.services import ServiceRecord
from roadstead.model.states import ServiceStatus


def service(record: ServiceRecord, minor: int) -> dict[str, Any]:
    """One process."""
    view: dict[str, Any] = {
        "id": record.id,
        "binary": record.binary,
        "host": record.host,
        "zone": record.availability_zone,
        "status": record.status,
        "state": record.state,
        "updated_at": when(record.heartbeat_at),
    }
    if minor >= 83:
        view["disabled_reason"] = record.disabled_reason
    if minor >= 86:
        view["ensuring"] = record.ensuring
    return view


def switched(
    *, host: str, binary: str, disabled: bool, reason: str | None, minor: int
) -> dict[str, Any]:
    """The answer to enable and disable."""
    view: dict[str, Any] = {
        "host": host,
        "binary": binary,
        "status": ServiceStatus.DISABLED if disabled else ServiceStatus.ENABLED,
    }
    if minor >= 83:
        view["disabled_reason"] = reason
    if minor >= 86:
        view["ensuring"] = None
    return view
