"""Subnets: several, several in one zone, in use, and whose they are."""

import pytest

from tests.factories import World
from tests.unit.api import networking as n
from tests.unit.api.client import Client, key_of

KEYS = set(
    "id availability_zone share_network_id share_network_name created_at updated_at "
    "segmentation_id neutron_subnet_id neutron_net_id ip_version cidr network_type mtu "
    "gateway".split()
)
SECOND = {"neutron_net_id": "tenants", "neutron_subnet_id": "10.0.1.0/24"}


def test_create_list_show_delete(member: Client) -> None:
    network = n.add_network(member)
    path = f"/share-networks/{network['id']}/subnets"
    made = n.add_subnet(member, network["id"], **SECOND, availability_zone="nova", metadata={
        "k": "v"})  # fmt: skip
    assert set(made) == KEYS | {"metadata"}
    assert (made["availability_zone"], made["cidr"], made["share_network_name"]) == (
        "nova", "10.0.1.0/24", "n")  # fmt: skip
    assert made["metadata"] == {"k": "v"}
    listed = member.get(path).json["share_network_subnets"]
    assert [s["availability_zone"] for s in listed] == [None, "nova"]
    shown = member.at(77).get(f"{path}/{made['id']}").json["share_network_subnet"]
    assert set(shown) == KEYS
    assert member.at(50).get(path).status_code == 404
    answer = member.delete(f"{path}/{made['id']}")
    assert (answer.status_code, answer.content) == (202, b"")
    assert member.delete(f"{path}/{made['id']}").status_code == 404


def test_refusals(member: Client) -> None:
    network = n.add_network(member)
    path = f"/share-networks/{network['id']}/subnets"
    for body in (
        {"share_network_subnet": {}},
        {"share-network-subnet": {"neutron_net_id": "tenants"}},
        {"share-network-subnet": {"availability_zone": "nowhere"}},
        {"share-network-subnet": {"metadata": {"": "x"}}},
        {"share-network-subnet": {"neutron_net_id": "x", "neutron_subnet_id": "y"}},
    ):
        assert key_of(member.post(path, body)) == "badRequest", body


def test_several_in_one_zone(member: Client) -> None:
    """N-I4: one per zone up to 2.69."""
    network = n.add_network(member)
    path, body = f"/share-networks/{network['id']}/subnets", {"share-network-subnet": SECOND}
    assert key_of(member.at(69).post(path, body)) == "conflictingRequest"
    assert member.at(70).post(path, body).status_code == 200
    assert member.at(69).post(path, {"share-network-subnet": {"availability_zone": "nova"}}
                              ).status_code == 200  # fmt: skip


def test_a_subnet_is_reached_through_its_own_network_only(
    member: Client, foreigner: Client
) -> None:
    """Tenancy: neither another project's, nor another network's of the same project."""
    theirs, mine = n.add_network(foreigner, None), n.add_network(member)
    for owner, other in ((theirs, mine), (n.add_network(member, None), mine)):
        (subnet,) = owner["share_network_subnets"]
        path = f"/share-networks/{other['id']}/subnets/{subnet['id']}"
        for answer in (
            member.get(path),
            member.delete(path),
            member.get(f"{path}/metadata"),
            member.post(f"{path}/metadata", {"metadata": {"stolen": "v"}}),
            member.put(f"{path}/metadata", {"metadata": {"stolen": "v"}}),
            member.delete(f"{path}/metadata/k"),
        ):
            assert (answer.status_code, key_of(answer)) == (404, "itemNotFound")


def test_metadata(member: Client) -> None:
    network = n.add_network(member)
    (subnet,) = network["share_network_subnets"]
    path = f"/share-networks/{network['id']}/subnets/{subnet['id']}/metadata"
    assert member.post(path, {"metadata": {"a": "1"}}).json == {"metadata": {"a": "1"}}
    assert member.post(path, {"metadata": {"b": "2"}}).json == {"metadata": {"b": "2"}}
    assert member.get(path).json == {"metadata": {"a": "1", "b": "2"}}
    assert member.put(path, {"metadata": {"c": "3"}}).json == {"metadata": {"c": "3"}}
    assert member.post(f"{path}/d", {"metadata": {"d": "4"}}).json == {"metadata": {"d": "4"}}
    assert member.get(f"{path}/d").json == {"meta": {"d": "4"}}
    assert member.delete(f"{path}/d").status_code == 200
    assert member.get(f"{path}/d").status_code == 404
    assert member.at(77).get(path).status_code == 404


@pytest.fixture
def used(member: Client, admin: Client, world: World) -> str:
    """The id of a network with a share on a server."""
    n.handle_servers(world, segment_kinds=["vxlan", "vlan"])
    n.add_type(admin)
    network = n.add_network(member)
    assert n.add_share(member, network["id"]).status_code == 200
    n.settle(world)
    return network["id"]


def test_a_subnet_in_use(member: Client, used: str, world: World) -> None:
    path = f"/share-networks/{used}"
    assert key_of(member.delete(path)) == "conflictingRequest"
    (subnet,) = member.get(path).json["share_network"]["share_network_subnets"]
    assert key_of(member.delete(f"{path}/subnets/{subnet['id']}")) == "conflictingRequest"
    moved = {"neutron_net_id": "tenants", "neutron_subnet_id": "10.0.9.0/24"}
    assert key_of(member.put(path, {"share_network": moved})) == "forbidden"


def test_growth_is_checked_first(member: Client, admin: Client, used: str, world: World) -> None:
    """N-I4: a second subnet in the zone of a server goes to that server, after a check."""
    path, body = f"/share-networks/{used}/subnets", {"share-network-subnet": SECOND}
    assert "check" in member.post(path, body).text
    asked = n.act(member, used, "share_network_subnet_create_check", **SECOND)
    assert (asked.status_code, asked.json) == (202, {"compatible": True})
    seen = n.act(admin, used, "share_network_subnet_create_check", **SECOND)
    assert seen.json == {"compatible": True, "hosts_check_result": {"node1@local": True}}
    other = {**SECOND, "neutron_subnet_id": "10.0.2.0/24"}
    assert member.post(path, {"share-network-subnet": other}).status_code == 400  # not asked about
    made = member.post(path, body)
    assert made.status_code == 200
    shown = member.get(f"/share-networks/{used}").json["share_network"]
    assert (shown["status"], len(shown["share_network_subnets"])) == ("network_change", 2)
    (server,) = n.servers(world)
    assert server.status == "network_change"
    # Until that is over nothing else happens on the network.
    assert key_of(n.add_share(member, used)) == "badRequest"
    n.act(member, used, "share_network_subnet_create_check", **other)
    assert member.post(path, {"share-network-subnet": other}).status_code == 400
    n.settle(world)
    assert n.add_share(member, used).status_code == 200


def test_growth_where_a_host_cannot(member: Client, used: str, world: World) -> None:
    flat = {"neutron_net_id": "lan", "neutron_subnet_id": "10.0.1.0/24"}
    asked = n.act(member, used, "share_network_subnet_create_check", **flat)
    assert asked.json == {"compatible": False}
    n.handle_servers(world, segment_kinds=["flat"])
    again = n.act(member, used, "share_network_subnet_create_check", **flat)
    assert again.json == {"compatible": False}
    path, body = f"/share-networks/{used}/subnets", {"share-network-subnet": flat}
    assert member.post(path, body).status_code == 400
    reset = n.act(member, used, "share_network_subnet_create_check", **flat, reset_operation=True)
    assert reset.json == {"compatible": True}
    assert member.post(path, body).status_code == 200


def test_another_zone_needs_no_check(member: Client, used: str, world: World) -> None:
    n.add_subnet(member, used, **SECOND, availability_zone="nova")
    shown = member.get(f"/share-networks/{used}").json["share_network"]
    assert shown["status"] == "active"
    # From now on the zone has a subnet of its own, and a server of its own on it.
    assert n.add_share(member, used).status_code == 200
    one, two = n.servers(world)
    assert set(one.subnet_ids).isdisjoint(two.subnet_ids)


def test_servers_that_cannot_grow(member: Client, admin: Client, world: World) -> None:
    n.handle_servers(world, network_allocation_update_support=False)
    n.add_type(admin)
    network = n.add_network(member)
    assert n.add_share(member, network["id"]).status_code == 200
    shown = member.get(f"/share-networks/{network['id']}").json["share_network"]
    assert shown["network_allocation_update_support"] is False
    asked = n.act(member, network["id"], "share_network_subnet_create_check", **SECOND)
    assert key_of(asked) == "badRequest"
