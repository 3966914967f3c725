"""Share servers as tenants and administrators see them: made once, used, grown, taken away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.lab.links import address_texts, links
from tests.live.api import Refused
from tests.roads.network import (
    CLIENT,
    TYPE,
    UNKEPT,
    NetworkRoad,
    address_of,
    connects,
    level,
    place_netns,
)
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.xdist_group("net-servers")]
ROAD = NetworkRoad

SECOND_CIDR, SECOND_CLIENT = "10.7.0.0/24", "10.7.0.50"
MANY = 50


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkRoad]:
    """Unused share servers are not kept."""
    with NetworkRoad(tmp_path_factory.mktemp("quick"), settings=UNKEPT) as made:
        yield made


def test_one_server_for_all_shares_of_a_network(road: NetworkRoad) -> None:
    """N-I1, N-S1: the second share reuses it; another network gets its own, at the same address."""
    one, other = road.tenant("one"), road.tenant("other")
    shares = [one.share(CLIENT), one.share(CLIENT), other.share(CLIENT)]
    assert len(road.servers(one.network)) == len(road.servers(other.network)) == 1
    assert {address_of(road.admin, share) for share in shares} == {"10.0.0.2"}
    with road.client(one, CLIENT) as client:
        assert [level(client, "10.0.0.2", share) for share in shares] == ["rw", "rw", "none"]
    with road.client(other, CLIENT) as client:
        assert [level(client, "10.0.0.2", share) for share in shares] == ["none", "none", "rw"]


def test_fifty_creates_at_once_make_one_server(road: NetworkRoad) -> None:
    """N-M4."""
    tenant = road.tenant("hasty")
    body = {
        "share_proto": "NFS",
        "size": 1,
        "share_network_id": tenant.network,
        "share_type": TYPE,
    }
    before = road.count()
    with ThreadPoolExecutor(10) as pool:
        made = list(
            pool.map(lambda _: tenant.api.post("/shares", {"share": body})["share"], range(MANY))
        )
    for share in made:
        tenant.api.wait_share(share["id"])
    assert len(road.servers(tenant.network)) == 1
    assert road.count() - before == {"segment": 1, "port": 1, "place": 1, "server": 1}
    assert len({tenant.api.paths(share["id"])[0] for share in made}) == MANY


@pytest.mark.isolation
def test_a_server_has_a_leg_on_its_tenants_network_and_no_other(road: NetworkRoad) -> None:
    """N-S3, N-S2: in its namespace there is nothing but the port and the loopback device."""
    tenant = road.tenant("lonely")
    tenant.share()
    netns = place_netns(road.server(tenant)["id"])
    found = {link["ifname"] for link in links(netns)}
    (port,) = found - {"lo"}
    assert address_texts(netns, port) == {"10.0.0.2/24"}


def test_a_network_in_use_gets_another_subnet(road: NetworkRoad) -> None:
    """N-I4: the check first; then the server has a port there, and its shares are at both."""
    tenant = road.tenant("growing")
    share = tenant.share(CLIENT, SECOND_CLIENT)
    ids = {"neutron_net_id": "tenant/more", "neutron_subnet_id": SECOND_CIDR}
    subnets = f"/share-networks/{tenant.network}/subnets"
    with pytest.raises(Refused, match="check"):
        tenant.api.post(subnets, {"share-network-subnet": ids})
    action = {"share_network_subnet_create_check": ids}
    answer = tenant.api.post(f"/share-networks/{tenant.network}/action", action)
    assert answer["compatible"] is True
    tenant.api.post(subnets, {"share-network-subnet": ids})
    until(lambda: _status(road, tenant.network) == "active", "the network is active again")
    assert len(road.servers(tenant.network)) == 1
    paths = tenant.api.paths(share.id)
    assert sorted(path.partition(":")[0] for path in paths) == ["10.0.0.2", "10.7.0.1"]
    grown = road.second(tenant, SECOND_CIDR)
    for where, client_address, server in (
        (tenant, CLIENT, "10.0.0.2"),
        (grown, SECOND_CLIENT, "10.7.0.1"),
    ):
        with road.client(where, client_address) as client:
            assert level(client, server, share) == "rw"
    # A share made afterwards is on the same server.
    later = tenant.share(SECOND_CLIENT)
    assert len(tenant.api.paths(later.id)) == 2
    assert len(road.servers(tenant.network)) == 1


def _status(road: NetworkRoad, network: str) -> str:
    return road.admin.get(f"/share-networks/{network}")["share_network"]["status"]


def test_what_is_in_use_cannot_be_deleted(road: NetworkRoad) -> None:
    """N-M2: neither the network nor its subnet, nor the server."""
    tenant = road.tenant("keeping")
    share = tenant.share(CLIENT)
    shown = tenant.api.get(f"/share-networks/{tenant.network}")["share_network"]
    subnet = shown["share_network_subnets"][0]["id"]
    server = road.server(tenant)["id"]
    for api, path in (
        (tenant.api, f"/share-networks/{tenant.network}"),
        (tenant.api, f"/share-networks/{tenant.network}/subnets/{subnet}"),
        (road.admin, f"/share-servers/{server}"),
    ):
        with pytest.raises(Refused) as refused:
            api.call("DELETE", path)
        assert refused.value.status == 409
    with road.client(tenant, CLIENT) as client:
        assert level(client, "10.0.0.2", share) == "rw"


def test_there_is_a_limit_to_networks(road: NetworkRoad) -> None:
    """N-M2: the project's quota."""
    tenant = road.tenant("many")
    project = tenant.api.get(f"/share-networks/{tenant.network}")["share_network"]["project_id"]
    road.admin.call("PUT", f"/quota-sets/{project}", {"quota_set": {"share_networks": 1}})
    with pytest.raises(Refused, match="share networks") as refused:
        tenant.api.post("/share-networks", {"share_network": {"name": "one more"}})
    assert refused.value.status == 413


def test_network_and_type_belong_together(road: NetworkRoad) -> None:
    """N-M1."""
    tenant = road.tenant("picky")
    body = {"share_proto": "NFS", "size": 1, "share_type": TYPE}
    with pytest.raises(Refused, match="share_network_id"):
        tenant.api.post("/shares", {"share": body})
    default = {"share_proto": "NFS", "size": 1, "share_network_id": tenant.network}
    with pytest.raises(Refused, match="share_network_id"):
        tenant.api.post("/shares", {"share": default})


def test_an_unused_server_goes_with_everything(quick: NetworkRoad) -> None:
    """N-I5: namespace, port, segment, address and process; then its number is free, too."""
    tenant = quick.tenant("leaving")
    shares = [tenant.share(CLIENT), tenant.share(CLIENT)]
    with quick.client(tenant, CLIENT) as client:
        # The server stays as long as it has one share.
        tenant.api.delete_share(shares[0].id)
        assert level(client, "10.0.0.2", shares[1]) == "rw"
        assert connects(client, "10.0.0.2")
        tenant.api.delete_share(shares[1].id)
        quick.wait_unused()
        assert not connects(client, "10.0.0.2")
    assert quick.count().total() == 0
    assert quick.drift() == []
    tenant.api.call("DELETE", f"/share-networks/{tenant.network}")
    assert quick.tenant("next").wire == tenant.wire


def test_a_server_comes_again_after_it_went(quick: NetworkRoad) -> None:
    """N-I1 after N-I5: the next share gets a new one; a client that remembers the one before (its
    MAC, too) finds it at once."""
    tenant = quick.tenant("again")
    with quick.client(tenant, CLIENT) as client:
        for _ in range(2):
            share = tenant.share(CLIENT)
            assert level(client, address_of(tenant.api, share), share) == "rw"
            tenant.api.delete_share(share.id)
            until(lambda: not quick.servers(tenant.network), "the server has gone")
