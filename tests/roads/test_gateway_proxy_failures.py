"""The agent killed at the steps of what a proxy gateway does: nothing is stuck or left."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from tests.roads.network import CLIENT, UNKEPT, address_of, create, level, seen
from tests.roads.test_gateway_proxy import ProxyRoad
from tests.waiting import until

if TYPE_CHECKING:
    from tests.roads.network import Tenant

pytestmark = [pytest.mark.crash, pytest.mark.real, pytest.mark.slow]
ROAD = functools.partial(ProxyRoad, settings=UNKEPT)

OTHER = "10.0.0.60"
STEPS = [
    ("share_server.create:export:effect", "share_server.delete:export:effect"),
    ("share_server.create:export:before", "share_server.delete:place:before"),
    ("share.create:export:effect", "share.delete:export:effect"),
    ("share.create:pool:effect", "share.delete:export:before"),
]


@pytest.mark.parametrize(("making", "removing"), STEPS)
def test_a_kill_while_a_share_comes_and_goes(
    road: ProxyRoad, tenant: Tenant, making: str, removing: str
) -> None:
    """G-I5, N-I6: it works, and goes with its gateway and what the filer had of it."""
    before = road.filer.exports()
    share_id = road.killed_at(making, lambda: create(tenant))
    tenant.api.wait_share(share_id)
    share = seen(tenant.api, share_id)
    tenant.api.allow(share_id, CLIENT)
    assert road.count()["server"] == 1
    with road.client(tenant, CLIENT) as client:
        assert level(client, address_of(tenant.api, share), share) == "rw"
    road.killed_at(removing, lambda: tenant.api.delete_share(share_id, wait=False))
    road.wait_unused()
    assert road.filer.exports() == before
    # The tests' own host has the tenant's segment, too.
    assert {kind: n for kind, n in road.count().items() if n and kind != "segment"} == {}


@pytest.mark.parametrize("phase", ["before", "effect", "journal"])
def test_a_kill_while_a_rule_changes(road: ProxyRoad, tenant: Tenant, phase: str) -> None:
    """G-I2, G-I5: in force on both sides, or on neither."""
    share = tenant.share(CLIENT, level="ro")
    server, own = address_of(tenant.api, share), road.storage_address(share)
    with road.client(tenant, OTHER) as other:
        rule = road.killed_at(
            f"access.apply:access:{phase}", lambda: tenant.api.allow(share.id, OTHER, wait=False)
        )
        tenant.api.wait_rule(rule["id"])
        assert road.at_filer(share) == {own: "rw"}
        assert level(other, server, share) == "rw"
        road.killed_at(
            f"access.deny:access:{phase}",
            lambda: tenant.api.deny(share.id, rule["id"], wait=False),
        )
        until(lambda: len(tenant.api.rules(share.id)) == 1, "the rule is gone")
        assert road.at_filer(share) == {own: "ro"}
        assert level(other, server, share) == "none"
    tenant.api.delete_share(share.id)
