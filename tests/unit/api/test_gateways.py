"""Gateways as administrators and Prometheus see them (G-M2)."""

import datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from roadstead.api.app import make_app
from roadstead.drivers.base.export import Gateway
from roadstead.model.errors import DriverError
from roadstead.model.gateways import GatewayState
from roadstead.ops.gateway_report import report_gateways
from roadstead.store.db import utcnow
from tests.factories import HOST, make_caller
from tests.unit.api.client import Client, HeaderAuth
from tests.unit.ops.network_world import make_network_world


def state(_place):
    """For two minutes, it has been there."""
    return GatewayState(
        health="ok",
        sessions=3,
        bytes_in=1000,
        bytes_out=2000,
        started_at=utcnow() - datetime.timedelta(minutes=2),
    )


@pytest.fixture
def nw(database_url, monkeypatch):
    made = make_network_world(database_url, gateway=True)
    # A memory export has no clients to count.
    monkeypatch.setattr(made.world.export, "report", state, raising=False)
    monkeypatch.setattr(made.world.export, "flow_sources", lambda _id: None, raising=False)
    assert isinstance(made.world.export, Gateway)
    yield made
    made.world.close()


@pytest.fixture
def app(nw):
    return make_app(nw.world.service, auth=HeaderAuth())


@pytest.fixture
def admin(app):
    return Client(app, "a" * 32, "admin,member,reader")


def looked(nw):
    report_gateways(nw.world.db, HOST, nw.world.backends.values(), nw.places)


def families(answer):
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def test_a_gateway_is_seen_until_it_is_gone(nw, admin):
    caller = make_caller()
    share = nw.add_share(caller, nw.add_network(caller))
    looked(nw)
    answer = admin.call("GET", "/gateways", prefix="/roadstead/v1")
    (found,) = answer.json["gateways"]
    (server,) = nw.servers()
    assert found["share_server_id"] == server.id
    assert (found["project_id"], found["role"]) == (caller.project_id, "active")
    assert (found["health"], found["sessions"]) == ("ok", 3)
    assert (found["bytes_in"], found["bytes_out"]) == (1000, 2000)
    assert 120 <= found["uptime_seconds"] < 180
    told = families(admin.call("GET", "/metrics", prefix=""))
    (up,) = told["roadstead_gateway_up"].samples
    assert (up.value, up.labels["gateway"], up.labels["role"]) == (1, server.id, "active")
    carried = {s.labels["direction"]: s.value for s in told["roadstead_gateway_bytes"].samples}
    assert carried == {"in": 1000, "out": 2000}
    nw.delete_share(caller, share)
    nw.look(unused=datetime.timedelta(0))
    looked(nw)
    assert admin.call("GET", "/gateways", prefix="/roadstead/v1").json == {"gateways": []}


def test_pools_services_and_operations_are_told(nw, admin):
    told = families(admin.call("GET", "/metrics", prefix=""))
    sizes = {s.labels["kind"]: s.value for s in told["roadstead_pool_bytes"].samples}
    assert sizes["total"] == 10_000 * (1 << 30)
    assert {s.value for s in told["roadstead_service_up"].samples} == {1}
    assert told["roadstead_operations"].samples == []
    nw.world.engine.pending.clear()


@pytest.mark.parametrize(("roles", "status"), [("member,reader", 403), ("", 403)])
def test_metrics_are_for_administrators(app, roles, status):
    client = Client(app, "b" * 32, roles)
    assert client.call("GET", "/metrics", prefix="").status_code == status
    assert client.call("GET", "/gateways", prefix="/roadstead/v1").status_code == status


@pytest.mark.parametrize("error", [DriverError("away"), ValueError("a fault")])
def test_a_gateway_of_which_nobody_can_tell_keeps_no_other_from_being_told(nw, admin, error):
    for caller in (make_caller(), make_caller()):
        nw.add_share(caller, nw.add_network(caller))
    bad, good = nw.servers()

    def role(_backend, place):
        if place.id == bad.id:
            raise error
        return "active"

    report_gateways(nw.world.db, HOST, nw.world.backends.values(), nw.places, role=role)
    told = admin.call("GET", "/gateways", prefix="/roadstead/v1").json["gateways"]
    assert [each["share_server_id"] for each in told] == [good.id]
