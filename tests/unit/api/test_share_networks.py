"""Share networks: bodies at each version, lists, changes, and the segments they get."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from roadstead.api.app import make_app
from roadstead.store import tables
from tests.factories import World, make_world
from tests.unit.api import networking as n
from tests.unit.api.client import OWNER, Client, HeaderAuth, key_of

BASE = {"id", "name", "project_id", "created_at", "updated_at", "description"}
FLAT = {"neutron_net_id", "neutron_subnet_id", "network_type", "segmentation_id", "cidr",
        "ip_version"}  # fmt: skip
IDS = {"neutron_net_id": "a", "neutron_subnet_id": "b"}


@pytest.mark.parametrize(
    ("minor", "more"),
    [
        (0, FLAT | {"nova_net_id"}),
        (18, FLAT | {"nova_net_id", "gateway"}),
        (25, FLAT | {"nova_net_id", "gateway", "mtu"}),
        (50, FLAT | {"gateway", "mtu"}),
        (51, {"share_network_subnets"}),
        (63, {"share_network_subnets", "status", "security_service_update_support"}),
        (99, {"share_network_subnets", "status", "security_service_update_support",
              "network_allocation_update_support"}),
    ],
)  # fmt: skip
def test_keys_by_version(member: Client, minor: int, more: set[str]) -> None:
    network = n.add_network(member)
    shown = member.at(minor).get(f"/share-networks/{network['id']}").json["share_network"]
    assert set(shown) == BASE | more
    assert shown == member.at(minor).get("/share-networks/detail").json["share_networks"][0]
    (summary,) = member.at(minor).get("/share-networks").json["share_networks"]
    assert summary == {"id": network["id"], "name": "n"}


def test_a_project_gets_a_segment_of_its_own(
    member: Client, foreigner: Client, owner_admin: Client, admin: Client
) -> None:
    """N-I1, N-I8. The segment itself is the operator's business."""
    network = n.add_network(member, "10.0.0.0/24,10.0.0.1")
    (subnet,) = network["share_network_subnets"]
    assert (subnet["cidr"], subnet["gateway"], subnet["ip_version"], subnet["mtu"]) == (
        "10.0.0.0/24", "10.0.0.1", 4, 1450)  # fmt: skip
    assert (subnet["network_type"], subnet["segmentation_id"]) == (None, None)
    again = n.add_network(member, "10.0.1.0/24")
    other = n.add_network(foreigner)
    seen = [
        admin.get(f"/share-networks/{made['id']}").json["share_network"]["share_network_subnets"][0]
        for made in (network, again, other)
    ]
    assert [(s["network_type"], s["segmentation_id"]) for s in seen] == [
        ("vxlan", 1000), ("vxlan", 1000), ("vxlan", 1001)]  # fmt: skip
    flat = owner_admin.at(50).get(f"/share-networks/{network['id']}").json["share_network"]
    assert (flat["segmentation_id"], flat["cidr"]) == (1000, "10.0.0.0/24")
    full = member.post("/share-networks", {"share_network": {
        "neutron_net_id": "tenants/second", "neutron_subnet_id": "10.0.0.0/24"}})  # fmt: skip
    assert key_of(full) == "badRequest"
    assert "no free segment" in full.text
    # With its last network the number is free again.
    assert foreigner.delete(f"/share-networks/{other['id']}").status_code == 202
    n.add_network(member, None, neutron_net_id="tenants/second", neutron_subnet_id="fd00::/64")


def test_another_projects_segments_cannot_be_named(member: Client, foreigner: Client) -> None:
    """X-5: neither by knowing the name, nor can one learn that it exists."""
    wanted = {"neutron_net_id": "theirs", "neutron_subnet_id": "10.0.0.0/24"}
    refused = member.post("/share-networks", {"share_network": wanted})
    unknown = member.post(
        "/share-networks", {"share_network": {**wanted, "neutron_net_id": "nobody"}}
    )
    assert (refused.status_code, unknown.status_code) == (400, 400)
    assert refused.text.replace("theirs", "nobody") == unknown.text
    assert foreigner.post("/share-networks", {"share_network": wanted}).status_code == 200


def test_addresses_of_a_shared_wire_are_not_the_projects_to_choose(
    member: Client, foreigner: Client
) -> None:
    """X-2: nobody's server is put at the address of somebody else's machine."""
    for subnet in ("10.0.1.0/24,10.0.1.7-10.0.1.7", "10.0.2.0/24"):
        wanted = {"neutron_net_id": "lan", "neutron_subnet_id": subnet}
        refused = member.post("/share-networks", {"share_network": wanted})
        assert "it has 10.0.1.0/24" in refused.text
    for client in (member, foreigner):
        made = n.add_network(client, None, neutron_net_id="lan", neutron_subnet_id="10.0.1.0/24")
        assert made["share_network_subnets"][0]["gateway"] == "10.0.1.1"


@pytest.mark.parametrize(
    "cidr", ["0.0.0.0/0", "127.0.0.0/24", "224.0.0.0/24", "169.254.0.0/16", "10.0.0.1/32",
             "10.0.0.1", "fe80::/64", "::/64", "2000::/16", "240.0.0.0/24", "10.0.0.0/24,10.0.0.0",
             "10.0.0.0/24,10.0.0.255", "10.0.0.0/24,a-b", "fd00::%1/64", "x", "10.0.0.0/24,1,2,3"]
)  # fmt: skip
def test_what_is_no_subnet(member: Client, cidr: str) -> None:
    wanted = {"neutron_net_id": "tenants", "neutron_subnet_id": cidr}
    assert key_of(member.post("/share-networks", {"share_network": wanted})) == "badRequest"


def test_the_stock_clients_questions(member: Client, foreigner: Client, reader: Client) -> None:
    """Before it names a network it asks whether there is one: us, without a network service."""
    for path in ("/v2.0/networks/tenants", "/v2.0/networks/tenants/blue"):
        name = path.removeprefix("/v2.0/networks/")
        assert member.at(0).get(path).json == {"network": {"id": name, "name": name}}
    subnet = member.at(0).get("/v2.0/subnets/10.0.0.0/24,10.0.0.1").json["subnet"]
    assert subnet["id"] == "10.0.0.0/24,10.0.0.1"
    assert key_of(member.get("/v2.0/subnets/x")) == "itemNotFound"
    assert key_of(member.get("/v2.0/networks/theirs")) == "itemNotFound"
    assert foreigner.get("/v2.0/networks/theirs").status_code == 200
    assert [x["id"] for x in member.get("/v2.0/networks").json["networks"]] == ["tenants", "lan"]
    assert member.get("/v2.0/networks?name=theirs").json == {"networks": []}
    assert member.get("/v2.0/subnets?name=x").json == {"subnets": []}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"neutron_net_id": "tenants"}, 400),
        ({"neutron_subnet_id": "10.0.0.0/24"}, 400),
        ({"nova_net_id": "x"}, 400),
        ({"availability_zone": "nowhere"}, 400),
        ({"neutron_net_id": "tenants", "neutron_subnet_id": "10.0.0.0/33"}, 400),
        ({"neutron_net_id": "tenants", "neutron_subnet_id": "10.0.0.1/24"}, 400),
        ({"neutron_net_id": "tenants", "neutron_subnet_id": "10.0.0.0/24,10.0.1.1"}, 400),
        ({"neutron_net_id": "tenants", "neutron_subnet_id": "10.0.0.0/24,10.0.0.9-10.0.0.3"}, 400),
        ({"name": "x" * 256}, 400),
        ({"availability_zone": "nova"}, 200),
        ({}, 200),
    ],
)
def test_create(member: Client, fields: dict[str, Any], status: int) -> None:
    assert member.post("/share-networks", {"share_network": fields}).status_code == status


def test_wrapper_and_quota(member: Client, owner_admin: Client) -> None:
    """N-M2."""
    assert member.post("/share-networks", {}).status_code == 422
    owner_admin.put(f"/quota-sets/{OWNER}", {"quota_set": {"share_networks": 2}})
    made = [n.add_network(member, None) for _ in range(2)]
    over = member.post("/share-networks", {"share_network": {}})
    assert (over.status_code, key_of(over)) == (413, "overLimit")
    detail = member.get(f"/quota-sets/{OWNER}/detail").json["quota_set"]["share_networks"]
    assert detail == {"limit": 2, "in_use": 2, "reserved": 0}
    limits = member.get("/limits").json["limits"]["absolute"]
    assert (limits["maxTotalShareNetworks"], limits["totalShareNetworksUsed"]) == (2, 2)
    member.delete(f"/share-networks/{made[0]['id']}")
    n.add_network(member, None)


FILTERS = [
    ("name=blue", 1), ("name=b", 0), ("name~=LU", 1), ("description~=sky", 1),
    ("neutron_net_id=tenants", 1), ("neutron_subnet_id=x", 0), ("cidr=10.0.0.0/24", 1),
    ("ip_version=4", 1), ("ip_version=6", 0), ("gateway=10.0.0.1", 1), ("mtu=1450", 1),
    ("mtu=x", 0), ("status=active", 2), ("status=error", 0), ("created_since=2020-01-01", 2),
    ("created_before=2020-01-01", 0), ("foo=bar", 0), ("sort_key=name", 0), ("limit=1", 1),
    ("limit=0", 2), ("limit=5&offset=1", 1), ("network_type=vlan", 2), ("segmentation_id=1", 2),
    ("project_id=x", 2), ("all_tenants=1", 2), ("security_service_id=x", 0),
]  # fmt: skip


@pytest.mark.parametrize(("query", "count"), FILTERS)
def test_filters(member: Client, foreigner: Client, query: str, count: int) -> None:
    n.add_network(member, "10.0.0.0/24,10.0.0.1", name="blue", description="a sky")
    n.add_network(member, None, name="green")
    n.add_network(foreigner, None, name="blue")
    for path in ("/share-networks", "/share-networks/detail"):
        assert len(member.get(f"{path}?{query}").json["share_networks"]) == count


def test_filters_of_administrators_and_wrong_ones(
    member: Client, foreigner: Client, admin: Client
) -> None:
    n.add_network(member)
    n.add_network(foreigner, None)
    for query, count in (
        ("", 0), ("all_tenants=1", 2), (f"project_id={OWNER}", 1),
        ("all_tenants=1&network_type=vxlan", 1), ("all_tenants=1&segmentation_id=1000", 1),
        ("all_tenants=1&segmentation_id=x", 0),
    ):  # fmt: skip
        assert len(admin.get(f"/share-networks?{query}").json["share_networks"]) == count, query
    for query in ("ip_version=x", "created_since=zz", "limit=-1", "limit=x"):
        assert member.get(f"/share-networks?{query}").status_code == 400, query


def test_update(member: Client, world: World) -> None:
    network = n.add_network(member)
    path = f"/share-networks/{network['id']}"
    changed = member.put(path, {"share_network": {"name": "nn", "description": "dd"}})
    shown = changed.json["share_network"]
    assert (shown["name"], shown["description"]) == ("nn", "dd")
    assert shown["updated_at"] is not None
    moved = member.put(path, {"share_network": {"neutron_subnet_id": "10.9.0.0/24"}})
    (subnet,) = moved.json["share_network"]["share_network_subnets"]
    assert subnet["cidr"] == "10.9.0.0/24"
    assert member.put(path, {}).status_code == 422
    assert member.put(path, {"share_network": {"nova_net_id": "x"}}).status_code == 400
    bare = n.add_network(member, None)
    half = {"share_network": {"neutron_net_id": "tenants"}}
    assert member.put(f"/share-networks/{bare['id']}", half).status_code == 400
    zoned = n.add_network(member, None, availability_zone="nova")
    whole = {"share_network": {"neutron_net_id": "tenants", "neutron_subnet_id": "10.0.0.0/24"}}
    assert member.put(f"/share-networks/{zoned['id']}", whole).status_code == 400


def test_without_configured_networks_ids_are_taken_as_they_are(
    tmp_path: Path, empty_database: Path
) -> None:
    """For another network service, which knows them."""
    shutil.copy(empty_database, tmp_path / "bare")
    bare = make_world(f"sqlite:///{tmp_path}/bare")
    client = Client(make_app(bare.service, auth=HeaderAuth()), OWNER, "member,reader")
    made = client.post("/share-networks", {"share_network": IDS})
    (subnet,) = made.json["share_network"]["share_network_subnets"]
    bare.close()
    assert subnet.items() >= {**IDS, "cidr": None, "network_type": None, "mtu": None}.items()


def test_reset_status(member: Client, admin: Client) -> None:
    network = n.add_network(member)
    assert n.act(member, network["id"], "reset_status", status="error").status_code == 403
    assert n.act(admin, network["id"], "reset_status", status="available").status_code == 400
    answer = n.act(admin, network["id"], "reset_status", status="error")
    assert (answer.status_code, answer.content) == (202, b"")
    assert member.get("/share-networks?status=error").json["share_networks"] != []
    assert n.act(admin.at(62), network["id"], "reset_status", status="error").status_code == 404


def test_delete(member: Client, world: World, admin: Client) -> None:
    """N-M2: a network in use cannot be deleted; unused share servers go with it."""
    n.handle_servers(world)
    n.add_type(admin)
    network = n.add_network(member)
    path = f"/share-networks/{network['id']}"
    share = n.add_share(member, network["id"]).json["share"]
    assert member.delete(path).status_code == 409
    (server,) = n.servers(world)
    n.settle(world)
    with world.db.write() as tx:
        tx.execute(tables.shares.delete().where(tables.shares.c.id == share["id"]))
    zoned = n.add_subnet(member, network["id"], availability_zone="nova")
    assert member.delete(path).status_code == 409
    assert member.delete(f"{path}/subnets/{zoned['id']}").status_code == 202
    assert member.delete(path).status_code == 202
    assert member.get(path).status_code == 404
    (left,) = n.servers(world)
    assert (left.id, left.status, left.share_network_name) == (server.id, "deleting", None)
    operations = admin.call("GET", "/operations?all_tenants=1", prefix="/roadstead/v1")
    assert "share_server.delete" in {o["verb"] for o in operations.json["operations"]}
