"""What the agent tells about its gateways: health, sessions, traffic."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import structlog

from roadstead.drivers.base.export import Gateway
from roadstead.model.errors import RoadsteadError
from roadstead.model.gateways import BROKEN, GatewayState
from roadstead.model.share_networks import GatewayReport
from roadstead.model.states import GatewayRole
from roadstead.model.world import Place
from roadstead.ops.sweeps.findings import guarded
from roadstead.roads.backend import Backend
from roadstead.store import gateway_reports
from roadstead.store.db import Database, utcnow

log = structlog.get_logger()


def report_gateways(
    db: Database,
    host: str,
    backends: Iterable[Backend],
    places: Callable[[Backend], Mapping[str, Place]],
    *,
    role: Callable[[Backend, Place], str] = lambda _backend, _place: GatewayRole.ACTIVE,
) -> None:
    """Every gateway's row says how it is now, but for those that cannot be looked at."""
    for backend in backends:
        if not backend.servers.passes_on:
            continue
        for server_id, place in places(backend).items():
            put_report(db, host, server_id, partial(role, backend, place), backend.export, place)


def put_report(
    db: Database,
    host: str,
    server_id: str,
    role: Callable[[], str],
    export: object,
    place: Place,
) -> None:
    """The row of that server's gateway on this host says how it is now; what cannot be found out
    is logged, and the row stays as it was."""
    with guarded("gateway not reported", gateway=server_id):
        _put_report(db, host, server_id, role(), export, place)


def _put_report(
    db: Database, host: str, server_id: str, role: str, export: object, place: Place
) -> None:
    seen = _state(export, place)
    report = GatewayReport(
        share_server_id=server_id,
        host=host,
        role=role,
        health=seen.health,
        detail=seen.detail[:1000],
        sessions=seen.sessions,
        bytes_in=seen.bytes_in,
        bytes_out=seen.bytes_out,
        started_at=seen.started_at,
        reported_at=utcnow(),
    )
    with db.write() as tx:
        gateway_reports.put(tx, report)


def _state(export: object, place: Place) -> GatewayState:
    if not isinstance(export, Gateway):
        return GatewayState(health=BROKEN, detail="its driver tells nothing")
    try:
        return export.report(place)
    except RoadsteadError as error:
        log.warning("gateway not seen", gateway=place.id, error=str(error))
        return GatewayState(health=BROKEN, detail=str(error))
