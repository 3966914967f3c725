"""The way to a share behind a gateway, as the API tells it (G-M3)."""

import pytest

from roadstead.api.app import make_app
from roadstead.model.share_networks import GatewayReport
from roadstead.store import gateway_reports
from roadstead.store.db import utcnow
from tests.factories import HOST, make_caller
from tests.unit.api.client import Client, HeaderAuth
from tests.unit.ops.network_world import make_network_world


@pytest.fixture
def nw(database_url):
    made = make_network_world(database_url, gateway=True)
    yield made
    made.world.close()


def test_the_extra_hop_and_what_it_carried(nw):
    caller = make_caller()
    share = nw.add_share(caller, nw.add_network(caller))
    (server,) = nw.servers()
    report = GatewayReport(
        share_server_id=server.id, host=HOST, role="active", health="ok", sessions=3,
        bytes_in=1000, bytes_out=2000, reported_at=utcnow(),
    )  # fmt: skip
    with nw.world.db.write() as tx:
        gateway_reports.put(tx, report)
    app = make_app(nw.world.service, auth=HeaderAuth())
    path = f"/shares/{share.id}/explain?client=10.0.0.50"
    told: dict[str, dict[str, str]] = {}
    for roles in ("member,reader", "admin,member,reader"):
        client = Client(app, caller.project_id, roles)
        found = client.call("GET", path, prefix="/roadstead/v1").json["explanation"]
        assert (found["road"], found["isolation"]) == ("gateway", "network")
        told[roles] = {hop["name"]: hop["what"] for hop in found["hops"]}
        assert "3 sessions, 1000 bytes from and 2000 to clients" in told[roles]["gateway"]
    tenants, admins = told.values()
    assert "172.30.0." in admins["storage"]
    assert "172.30.0." not in " ".join(tenants.values())
