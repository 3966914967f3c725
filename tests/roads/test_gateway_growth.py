"""Gateways that get another subnet, of IPv6 too, and many changes at one moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.roads.gateway import FILER6, GatewayRoad
from tests.roads.gateway_census import GatewayCensus
from tests.roads.network import CLIENT, address_of, create, level, seen
from tests.roads.test_network_failures import UPDATE
from tests.waiting import until

if TYPE_CHECKING:
    from tests.roads.direct import Shared
    from tests.roads.network import Tenant

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.xdist_group("gw-growth")]
ROAD = GatewayRoad

STRANGER = "10.0.0.60"
SECOND_CIDR, SECOND_CLIENT = "10.7.0.0/24", "10.7.0.50"
SIX_CIDR, SIX_CLIENT, SIX_STRANGER = "fd07::/64", "fd07::50", "fd07::60"
MANY, RULES = 20, 10


def _ids(cidr: str) -> dict[str, str]:
    return {"neutron_net_id": "tenant/more", "neutron_subnet_id": cidr}


def _grow(road: GatewayRoad, tenant: Tenant, cidr: str, *, killed_at: str = "") -> None:
    """The tenant's network has that subnet, too."""
    where = f"/share-networks/{tenant.network}"
    checked = {"share_network_subnet_create_check": _ids(cidr)}
    assert tenant.api.post(f"{where}/action", checked)["compatible"] is True

    def act() -> None:
        tenant.api.post(f"{where}/subnets", {"share-network-subnet": _ids(cidr)})

    if killed_at:
        road.killed_at(killed_at, act)
    else:
        act()
    until(lambda: tenant.api.get(where)["share_network"]["status"] == "active", "it is active")


def _addresses(tenant: Tenant, share: Shared) -> list[str]:
    paths = sorted(tenant.api.paths(share.id))
    return [path.rpartition(":")[0].strip("[]") for path in paths]


def test_a_network_in_use_gets_another_subnet(road: GatewayRoad, census: GatewayCensus) -> None:
    """N-I4: the share has an address there, too; who is there gets what the rules say."""
    tenant = road.tenant("growing")
    share = tenant.share(CLIENT, SECOND_CLIENT)
    before = road.leased()
    with road.client(tenant, CLIENT) as client:
        first = address_of(tenant.api, share)
        assert level(client, first, share) == "rw"
        _grow(road, tenant, SECOND_CIDR)
        assert road.leased() == before + 1  # over IPv4 the filer sees who it saw before
        addresses = _addresses(tenant, share)
        assert addresses[0] == first
        assert len(addresses) == 2
        assert level(client, first, share) == "rw"
    assert census.differences() == []
    grown = road.second(tenant, SECOND_CIDR)
    with road.client(grown, SECOND_CLIENT) as client, road.client(grown, "10.7.0.60") as stranger:
        assert level(client, addresses[1], share) == "rw"
        with pytest.raises(ConnectionRefusedError):
            level(stranger, addresses[1], share)
        later = tenant.share(SECOND_CLIENT)
        assert level(client, _addresses(tenant, later)[1], later) == "rw"
    assert len(road.servers(tenant.network)) == 1
    assert census.differences() == []


@pytest.mark.crash
@pytest.mark.parametrize("step", UPDATE)
def test_a_kill_at_any_step_of_growing(road: GatewayRoad, census: GatewayCensus, step: str) -> None:
    """N-I4, G-I5: it gets its second subnet all the same, and nothing twice."""
    tenant = road.tenant(f"killed-{step}")
    share = tenant.share(CLIENT, SECOND_CLIENT)
    _grow(road, tenant, SECOND_CIDR, killed_at=f"share_server.update:{step}:effect")
    assert census.differences() == []
    with road.client(road.second(tenant, SECOND_CIDR), SECOND_CLIENT) as client:
        assert level(client, _addresses(tenant, share)[1], share) == "rw"


def test_a_client_with_ipv6_only(road: GatewayRoad, census: GatewayCensus) -> None:
    """G-I1, G-I2: from the guest's IPv6 address to the filer's; and both families side by side."""
    tenant = road.tenant("six")
    share = tenant.share(CLIENT)
    _grow(road, tenant, SIX_CIDR)
    four, six = _addresses(tenant, share)
    assert ":" in six
    grown = road.second(tenant, SIX_CIDR)
    with (
        road.client(tenant, CLIENT) as old,
        road.client(grown, SIX_CLIENT) as client,
        road.client(grown, SIX_STRANGER) as stranger,
    ):
        with pytest.raises(ConnectionRefusedError):
            level(client, six, share)
        rule = tenant.api.allow(share.id, SIX_CLIENT, "ro")
        assert level(client, six, share) == "ro"
        admitted = road.at_filer(share) or {}
        assert sorted(admitted.values()) == ["ro", "rw"]
        assert [a for a, to in admitted.items() if to == "ro" and a.startswith(FILER6[:6])]
        assert census.differences() == []
        with pytest.raises(ConnectionRefusedError):
            level(stranger, six, share)
        assert level(old, four, share) == "rw"
        tenant.api.deny(share.id, rule["id"])
        with pytest.raises(ConnectionRefusedError):
            level(client, six, share)
        assert level(old, four, share) == "rw"
    assert census.differences() == []


def test_many_changes_at_one_moment(road: GatewayRoad, census: GatewayCensus) -> None:
    """N-M4: twenty shares and ten rules come, and ten rules go, at one gateway."""
    tenant = road.tenant("hasty")
    kept = [tenant.share(CLIENT) for _ in range(RULES)]
    denied = [tenant.api.allow(share.id, STRANGER) for share in kept]
    before, exported = road.leased(), len(road.filer.exports())
    with ThreadPoolExecutor(10) as pool:
        making = [pool.submit(create, tenant) for _ in range(MANY)]
        pairs = zip(kept, denied, strict=True)
        going = [pool.submit(tenant.api.deny, share.id, rule["id"]) for share, rule in pairs]
        coming = [pool.submit(tenant.api.allow, s.id, "10.0.0.128/25", "ro") for s in kept]
        made = [job.result() for job in making]
        for job in (*going, *coming):
            job.result()
    for share_id in made:
        tenant.api.wait_share(share_id)
    assert len(road.servers(tenant.network)) == 1
    found = [address_of(tenant.api, share) for share in kept]
    found += [address_of(tenant.api, seen(tenant.api, share_id)) for share_id in made]
    assert len(set(found)) == RULES + MANY
    assert road.leased() - before == MANY * 3
    assert len(road.filer.exports()) - exported == MANY
    limits = tenant.api.get("/limits")["limits"]["absolute"]
    assert limits["totalSharesUsed"] == limits["totalShareGigabytesUsed"] == RULES + MANY
    assert census.differences() == []
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(tenant.api.delete_share, made))
    assert (road.leased(), len(road.filer.exports())) == (before, exported)
    assert census.differences() == []


def test_shares_go_while_their_rules_change(road: GatewayRoad, census: GatewayCensus) -> None:
    """Whatever comes first: the filer exports nothing that is not there any more."""
    tenant = road.tenant("fickle")
    shares = [tenant.share(CLIENT) for _ in range(RULES)]
    before, exported = road.leased(), len(road.filer.exports())

    def change(share: Shared) -> None:
        tenant.api.allow(share.id, STRANGER, "ro", wait=False)
        tenant.api.delete_share(share.id)

    with ThreadPoolExecutor(RULES) as pool:
        list(pool.map(change, shares))
    until(lambda: not road.unfinished(), "all operations have ended")
    assert before - road.leased() == RULES * 3
    assert exported - len(road.filer.exports()) == RULES
    assert census.differences() == []
