"""The agent killed at every step of what a gateway does: nothing is stuck or left, in the gateway's
namespace, in the kernel's tables, in the database, or on the filer."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from tests.roads.gateway import GatewayRoad
from tests.roads.gateway_census import GatewayCensus
from tests.roads.network import CLIENT, IMPATIENT, address_of, create, level, seen
from tests.roads.test_network_failures import CREATE, DELETE

if TYPE_CHECKING:
    from tests.lab.hosts import Client
    from tests.roads.direct import Shared
    from tests.roads.network import Tenant

pytestmark = [
    pytest.mark.usefixtures("clean"),
    pytest.mark.crash,
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.xdist_group("gw-failures"),
]
ROAD = functools.partial(GatewayRoad, settings=IMPATIENT)

OTHER = "10.0.0.60"
# The tenant's segment and the storage network; a port on each, on the latter one a family.
ONE_OF_EACH = {"segment": 2, "port": 3, "place": 1, "server": 0}
PHASES = ("before", "effect", "journal")


# What was done and is not in the journal yet is the hardest; the other phases are tried without
# real parts (tests/unit/ops).
@pytest.mark.parametrize(("made", "removed"), list(zip(CREATE, DELETE, strict=True)))
def test_a_kill_at_any_step_of_making_and_removing_a_gateway(
    road: GatewayRoad,
    tenant: Tenant,
    client: Client,
    census: GatewayCensus,
    empty: set[str],
    made: str,
    removed: str,
) -> None:
    """G-I5: the next agent finishes what the killed one began, and nothing is left over."""
    point = f"share_server.create:{made}:effect"
    share_id = road.killed_at(point, lambda: create(tenant))
    tenant.api.wait_share(share_id)
    assert road.count() == ONE_OF_EACH
    share = seen(tenant.api, share_id)
    tenant.api.allow(share_id, CLIENT)
    assert level(client, address_of(tenant.api, share), share) == "rw"
    assert census.differences() == []
    point = f"share_server.delete:{removed}:effect"
    road.killed_at(point, lambda: tenant.api.delete_share(share_id, wait=False))
    road.wait_unused()
    assert census.everything() == empty


@pytest.mark.parametrize("phase", PHASES)
def test_a_kill_at_any_step_of_making_and_removing_a_share(
    road: GatewayRoad,
    tenant: Tenant,
    client: Client,
    census: GatewayCensus,
    kept: Shared,
    phase: str,
) -> None:
    """G-I5: it is there once, works, and goes with its addresses, its rules and its directory."""
    before = census.everything()
    for making, removing in (("pool", "export"), ("export", "pool")):
        point = f"share.create:{making}:{phase}"
        share_id = road.killed_at(point, lambda: create(tenant))
        tenant.api.wait_share(share_id)
        share = seen(tenant.api, share_id)
        tenant.api.allow(share_id, CLIENT)
        assert level(client, address_of(tenant.api, share), share) == "rw"
        assert census.differences() == []
        point = f"share.delete:{removing}:{phase}"
        road.killed_at(point, lambda i=share_id: tenant.api.delete_share(i, wait=False))
        tenant.api.wait_gone(f"/shares/{share_id}")
        assert census.everything() == before
    assert level(client, address_of(tenant.api, kept), kept) == "rw"


@pytest.mark.parametrize("phase", PHASES)
def test_a_kill_at_any_step_of_a_rule(
    road: GatewayRoad, tenant: Tenant, census: GatewayCensus, kept: Shared, phase: str
) -> None:
    """G-I2, G-I5: in force on both sides, or on neither."""
    server = address_of(tenant.api, kept)
    before = census.everything()
    with road.client(tenant, OTHER) as other:
        rule = road.killed_at(
            f"access.apply:access:{phase}",
            lambda: tenant.api.allow(kept.id, OTHER, "ro", wait=False),
        )
        tenant.api.wait_rule(rule["id"])
        assert census.differences() == []
        assert level(other, server, kept) == "ro"
        road.killed_at(
            f"access.deny:access:{phase}",
            lambda: tenant.api.deny(kept.id, rule["id"], wait=False),
        )
        tenant.api.wait_gone(f"/share-access-rules/{rule['id']}")
        assert census.differences() == []
        with pytest.raises(ConnectionRefusedError):
            level(other, server, kept)
    assert census.everything() == before
