"""Figures for Prometheus, from the database alone: agents put there what they see."""

from collections.abc import Iterable

from prometheus_client.core import CollectorRegistry, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily

from roadstead.model.share_networks import GatewayShown
from roadstead.model.shares import Pool
from roadstead.model.states import GatewayHealth
from roadstead.service.context import Service
from roadstead.service.gateways import uptime_seconds
from roadstead.store import gateway_reports, operations, pools, services
from roadstead.store.db import Tx
from roadstead.store.scope import everyone

CONTENT_TYPE = CONTENT_TYPE_LATEST
_GIB = 1 << 30


def exposition(service: Service) -> bytes:
    """Prometheus' text. Byte counts of a gateway begin anew when it does."""
    with service.db.read() as tx:
        found = [*_gateways(gateway_reports.find_all(tx, everyone())), *_pools(pools.find_all(tx))]
        found += _service(tx)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fixed(found))
    return generate_latest(registry)


class _Fixed:
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _gateways(shown: list[GatewayShown]) -> list[Metric]:
    labels = ["gateway", "share_network", "project", "backend", "host", "role"]
    up = GaugeMetricFamily("roadstead_gateway_up", "1: it passes on to a filer that answers",
                           labels=labels)  # fmt: skip
    sessions = GaugeMetricFamily("roadstead_gateway_sessions", "Connections that pass it",
                                 labels=labels)  # fmt: skip
    uptime = GaugeMetricFamily("roadstead_gateway_uptime_seconds", "Since it was made or remade",
                               labels=labels)  # fmt: skip
    count = CounterMetricFamily("roadstead_gateway_bytes", "Bytes of shares' traffic",
                                labels=[*labels, "direction"])  # fmt: skip
    for one in shown:
        r = one.report
        own = [r.share_server_id, one.share_network_id, one.project_id, one.backend_host, r.host,
               r.role]  # fmt: skip
        up.add_metric(own, float(r.health == GatewayHealth.OK))
        sessions.add_metric(own, r.sessions)
        if (seconds := uptime_seconds(r)) is not None:
            uptime.add_metric(own, seconds)
        count.add_metric([*own, "in"], r.bytes_in)
        count.add_metric([*own, "out"], r.bytes_out)
    return [up, sessions, uptime, count]


def _pools(found: list[Pool]) -> list[Metric]:
    up = GaugeMetricFamily("roadstead_pool_up", "1: its agent reports", labels=["pool"])
    size = GaugeMetricFamily("roadstead_pool_bytes", "Capacity of a pool", labels=["pool", "kind"])
    for pool in found:
        up.add_metric([pool.name], float(pool.up))
        for kind in ("total", "free", "allocated", "provisioned"):
            size.add_metric([pool.name, kind], getattr(pool, f"{kind}_gib") * _GIB)
    return [up, size]


def _service(tx: Tx) -> list[Metric]:
    alive = GaugeMetricFamily("roadstead_service_up", "1: it reports", labels=["binary", "host"])
    for record in services.find_all(tx):
        alive.add_metric([record.binary, record.host], float(record.up))
    live = GaugeMetricFamily("roadstead_operations", "Operations that have not ended",
                             labels=["verb", "state"])  # fmt: skip
    for (verb, state), number in sorted(operations.count_live(tx, everyone()).items()):
        live.add_metric([verb, state], number)
    return [alive, live]
