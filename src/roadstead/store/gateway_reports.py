"""How gateways were when their agents looked last."""

from typing import Any

import msgspec
import sqlalchemy as sa

from roadstead.model.share_networks import GatewayReport, GatewayShown, ShareServer
from roadstead.model.states import GatewayRole
from roadstead.store import tables_networks as t
from roadstead.store.db import Tx
from roadstead.store.scope import Scope

_r, _s, _n = t.gateway_reports.c, t.share_servers.c, t.share_networks.c


def put(tx: Tx, report: GatewayReport) -> None:
    """This is the last report of that agent on the gateway, and no other's is active if this one
    is: a host that died cannot say so. One on a gateway that has gone meanwhile is dropped."""
    mine = (_r.share_server_id == report.share_server_id, _r.host == report.host)
    tx.execute(t.gateway_reports.delete().where(*mine))
    there = sa.select(_s.id).where(_s.id == report.share_server_id).with_for_update()
    if tx.execute(there).first() is not None:
        tx.execute(t.gateway_reports.insert().values(**msgspec.structs.asdict(report)))
        if report.role == GatewayRole.ACTIVE:
            others = (_r.share_server_id == report.share_server_id, _r.host != report.host)
            tx.execute(t.gateway_reports.update().where(*others).values(role=GatewayRole.STANDBY))


def forget_others(tx: Tx, share_server_id: str, host: str) -> None:
    """Only this host's agent has a report on the gateway."""
    others = (_r.share_server_id == share_server_id, _r.host != host)
    tx.execute(t.gateway_reports.delete().where(*others))


def find_all(tx: Tx, scope: Scope) -> list[GatewayShown]:
    """Every report on gateways that the scope admits, one statement; the oldest gateway first."""
    query = (
        sa.select(
            t.gateway_reports,
            _s.project_id,
            _s.share_network_id,
            _n.name.label("share_network_name"),
            _s.host.label("backend_host"),
            _s.status,
        )
        .join_from(t.gateway_reports, t.share_servers, _s.id == _r.share_server_id)
        .outerjoin(t.share_networks, _n.id == _s.share_network_id)
        .where(scope.admits(_s.project_id))
        .order_by(_s.created_at, _s.id, _r.role)
    )
    names = GatewayReport.__struct_fields__
    found: list[GatewayShown] = []
    for row in tx.execute(query).mappings():
        values: dict[str, Any] = dict(row)
        report = GatewayReport(**{name: values.pop(name) for name in names})
        found.append(GatewayShown(report=report, **values))
    return found


def of_server(tx: Tx, server: ShareServer) -> list[GatewayReport]:
    """What was seen of it, that of the active gateway first."""
    query = t.gateway_reports.select().where(_r.share_server_id == server.id)
    return [GatewayReport(**row) for row in tx.execute(query.order_by(_r.role)).mappings()]
