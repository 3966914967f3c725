"""The agent killed, or failing, at every step of a share server: nothing is stuck or left."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from tests.roads.network import (
    CLIENT,
    IMPATIENT,
    NetworkRoad,
    Tenant,
    address_of,
    create,
    level,
    seen,
)
from tests.roads.obstacles import OBSTACLES, failed_at
from tests.waiting import until

if TYPE_CHECKING:
    from tests.lab.hosts import Client

pytestmark = [
    pytest.mark.usefixtures("clean"),
    pytest.mark.crash,
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.xdist_group("net-failures"),
]
ROAD = functools.partial(NetworkRoad, settings=IMPATIENT)

SERVER = "10.0.0.2"
CREATE = ("addresses", "segments", "place", "ports", "export")
DELETE = ("quiet", "export", "ports", "place", "segments")
UPDATE = ("segments", "ports", "exports")
ONE_OF_EACH = {"segment": 1, "port": 1, "place": 1, "server": 1}


def all_gone(road: NetworkRoad) -> None:
    """Neither rows nor anything in the world: N-I6."""
    road.wait_unused()
    assert road.count().total() == 0


# What was done and is not in the journal yet is the hardest; the other phases are tried without
# real parts (tests/unit/ops).
@pytest.mark.parametrize(("made", "removed"), list(zip(CREATE, DELETE, strict=True)))
def test_a_kill_at_any_step_of_making_and_removing(
    road: NetworkRoad, tenant: Tenant, client: Client, made: str, removed: str
) -> None:
    """N-I6, N-S4: the next agent finishes what the killed one began, and nothing is left over."""
    point = f"share_server.create:{made}:effect"
    share_id = road.killed_at(point, lambda: create(tenant))
    tenant.api.wait_share(share_id)
    assert road.count() == ONE_OF_EACH
    share = seen(tenant.api, share_id)
    tenant.api.allow(share_id, CLIENT)
    assert level(client, address_of(tenant.api, share), share) == "rw"
    point = f"share_server.delete:{removed}:effect"
    road.killed_at(point, lambda: tenant.api.delete_share(share_id, wait=False))
    all_gone(road)


@pytest.mark.parametrize("step", UPDATE)
def test_a_kill_at_any_step_of_growing(road: NetworkRoad, tenant: Tenant, step: str) -> None:
    """N-I4, N-S4: the server gets its second port all the same."""
    network = road.network(tenant.api, name=step)
    share = network.share()
    ids = {"neutron_net_id": "tenant/more", "neutron_subnet_id": "10.7.0.0/24"}
    where = f"/share-networks/{network.network}"
    network.api.post(f"{where}/action", {"share_network_subnet_create_check": ids})
    road.killed_at(
        f"share_server.update:{step}:effect",
        lambda: network.api.post(f"{where}/subnets", {"share-network-subnet": ids}),
    )
    until(lambda: network.api.get(where)["share_network"]["status"] == "active", "it is active")
    assert road.count() == {"segment": 2, "port": 2, "place": 1, "server": 1}
    assert len(network.api.paths(share.id)) == 2
    network.api.delete_share(share.id)
    all_gone(road)


@pytest.mark.parametrize("step", OBSTACLES)
def test_a_failure_at_any_step_leaves_nothing(road: NetworkRoad, tenant: Tenant, step: str) -> None:
    """N-I6: share and server are in error, a message says so, and what was made is gone."""
    share_id = failed_at(road, tenant, step)
    messages = tenant.api.get("/messages", resource_id=share_id)["messages"]
    assert [message["message_level"] for message in messages] == ["ERROR"]
    assert road.count().total() == 0
    tenant.api.delete_share(share_id)
    all_gone(road)
