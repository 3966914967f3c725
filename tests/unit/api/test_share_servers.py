"""Share servers, as administrators see them."""

from typing import Any

import pytest

from roadstead.model.states import ShareServerStatus
from roadstead.store import share_servers, tables
from tests.factories import World
from tests.unit.api import networking as n
from tests.unit.api.client import OWNER, Client, key_of

BASE = {"id", "project_id", "updated_at", "status", "host", "share_network_name",
        "share_network_id"}  # fmt: skip
AT_49 = BASE | {"is_auto_deletable", "identifier"}
AT_57 = AT_49 | {"task_state", "source_share_server_id"}
AT_63 = AT_57 | {"security_service_update_support"}
AT_70 = AT_63 | {"share_network_subnet_ids", "network_allocation_update_support"}


@pytest.fixture
def network(member: Client, admin: Client, world: World) -> dict[str, Any]:
    """A network with a share on a server."""
    n.handle_servers(world)
    n.add_type(admin)
    network = n.add_network(member)
    assert n.add_share(member, network["id"]).status_code == 200
    return network


def _no_shares(world: World) -> None:
    with world.db.write() as tx:
        tx.execute(tables.shares.delete())


@pytest.mark.parametrize(
    ("minor", "keys"),
    [(0, BASE), (49, AT_49), (51, AT_49 | {"share_network_subnet_id"}),
     (57, AT_57 | {"share_network_subnet_id"}), (69, AT_63 | {"share_network_subnet_id"}),
     (70, AT_70), (99, AT_70 | {"encryption_key_ref"})],
)  # fmt: skip
def test_keys_by_version(
    admin: Client, network: dict[str, Any], minor: int, keys: set[str]
) -> None:
    """N-M3: updated_at is set at creation."""
    (listed,) = admin.at(minor).get("/share-servers").json["share_servers"]
    assert set(listed) == keys
    path = f"/share-servers/{listed['id']}"
    shown = admin.at(minor).get(path).json["share_server"]
    assert set(shown) == keys | {"created_at", "backend_details"}
    assert (shown["status"], shown["host"], shown["project_id"]) == (
        "creating", "node1@local", OWNER)  # fmt: skip
    assert shown["share_network_name"] == "n"
    assert shown["updated_at"] == shown["created_at"]
    assert admin.at(minor).get(f"{path}/details").json == {"details": {}}


def test_details(admin: Client, world: World, network: dict[str, Any]) -> None:
    (server,) = n.servers(world)
    with world.db.write() as tx:
        share_servers.set_details(tx, server.id, {"netns": "roadstead-x"})
    path = f"/share-servers/{server.id}"
    assert admin.get(f"{path}/details").json == {"details": {"netns": "roadstead-x"}}
    assert admin.get(path).json["share_server"]["backend_details"] == {"netns": "roadstead-x"}
    for missing in ("/share-servers/zz", "/share-servers/zz/details"):
        assert key_of(admin.get(missing)) == "itemNotFound"


def test_only_for_administrators(member: Client, network: dict[str, Any], world: World) -> None:
    (server,) = n.servers(world)
    path = f"/share-servers/{server.id}"
    for answer in (
        member.get("/share-servers"),
        member.get(path),
        member.delete(path),
        member.post(f"{path}/action", {"reset_status": {"status": "active"}}),
    ):
        assert key_of(answer) == "forbidden"
    # The owner of the share does not learn of the server either.
    assert "share_server_id" not in member.get("/shares/detail").json["shares"][0]


def test_filters(admin: Client, world: World, network: dict[str, Any]) -> None:
    (server,) = n.servers(world)
    (subnet,) = server.subnet_ids
    for query, count in (
        (f"id={server.id}", 1), ("host=node1@local", 1), ("host=x", 0), ("status=creating", 1),
        (f"identifier={server.id}", 1), ("is_auto_deletable=true", 1),
        ("is_auto_deletable=false", 0), ("security_service_update_support=1", 1),
        (f"project_id={OWNER}", 1), ("share_network=n", 1),
        (f"share_network={network['id']}", 1), (f"share_network_id={network['id']}", 1),
        (f"share_network_subnet_id={subnet}", 1), ("share_network_subnet_id=x", 0),
        ("task_state=x", 0), ("source_share_server_id=x", 0), ("limit=5", 0), ("foo=bar", 0),
    ):  # fmt: skip
        found = admin.get(f"/share-servers?{query}").json["share_servers"]
        assert len(found) == count, query
    assert admin.get("/share-servers?is_auto_deletable=x").status_code == 400


def test_shares_by_server(member: Client, admin: Client, world: World, network: Any) -> None:
    (server,) = n.servers(world)
    query = f"/shares/detail?all_tenants=1&share_server_id={server.id}"
    (share,) = admin.get(query).json["shares"]
    assert (share["share_server_id"], share["share_network_id"]) == (server.id, network["id"])
    assert key_of(member.get(f"/shares?share_server_id={server.id}")) == "forbidden"
    (instance,) = admin.get(f"/share_instances?share_server_id={server.id}").json["share_instances"]
    assert instance["share_server_id"] == server.id
    listed = member.get(f"/shares/detail?share_network_id={network['id']}").json["shares"]
    assert [s["id"] for s in listed] == [share["id"]]


def test_delete(admin: Client, world: World, network: dict[str, Any]) -> None:
    (server,) = n.servers(world)
    path = f"/share-servers/{server.id}"
    assert key_of(admin.delete(path)) == "forbidden"  # still creating
    n.settle(world)
    assert key_of(admin.delete(path)) == "conflictingRequest"
    _no_shares(world)
    answer = admin.delete(path)
    assert (answer.status_code, answer.content) == (202, b"")
    assert admin.get(path).json["share_server"]["status"] == "deleting"
    assert key_of(admin.delete(path)) == "forbidden"
    # A server that is going takes no more shares.
    assert key_of(admin.delete("/share-servers/zz")) == "itemNotFound"


def test_a_server_that_goes_takes_no_shares(
    member: Client, admin: Client, world: World, network: dict[str, Any]
) -> None:
    n.settle(world)
    _no_shares(world)
    (old,) = n.servers(world)
    assert admin.delete(f"/share-servers/{old.id}").status_code == 202
    assert n.add_share(member, network["id"]).status_code == 200
    assert {s.status for s in n.servers(world)} == {"deleting", "creating"}


def test_reset_status(admin: Client, world: World, network: dict[str, Any]) -> None:
    (server,) = n.servers(world)
    path = f"/share-servers/{server.id}"
    n.settle(world)
    for status in sorted(ShareServerStatus):
        answer = admin.post(f"{path}/action", {"reset_status": {"status": status}})
        assert answer.status_code == 202
        assert admin.get(path).json["share_server"]["status"] == status
    for argument in ({"status": "available"}, {}, None):
        answer = admin.post(f"{path}/action", {"reset_status": argument})
        assert key_of(answer) == "badRequest"
    old = admin.at(48).post(f"{path}/action", {"reset_status": {"status": "active"}})
    assert key_of(old) == "itemNotFound"


def test_manage_and_unmanage(admin: Client, world: World, network: dict[str, Any]) -> None:
    wanted = {"host": "node1@local", "share_network_id": network["id"], "identifier": "old",
              "driver_options": {"k": "v"}}  # fmt: skip
    answer = admin.post("/share-servers/manage", {"share_server": wanted})
    assert answer.status_code == 202
    server = answer.json["share_server"]
    assert (server["status"], server["is_auto_deletable"], server["identifier"]) == (
        "manage_starting", False, "old")  # fmt: skip
    path = f"/share-servers/{server['id']}"
    action = {"unmanage": None}
    assert key_of(admin.post(f"{path}/action", action)) == "badRequest"
    n.settle(world)
    # It is not ours to remove, so it keeps its network.
    assert key_of(admin.delete(f"/share-networks/{network['id']}")) == "conflictingRequest"
    assert admin.post(f"{path}/action", {"unmanage": {"force": True}}).status_code == 202
    assert admin.get(path).json["share_server"]["status"] == "unmanage_starting"
    used = next(s for s in n.servers(world) if s.is_auto_deletable)
    assert key_of(admin.post(f"/share-servers/{used.id}/action", action)) == "badRequest"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"host": "node1@local#memory"}, 400),
        ({"host": "nowhere@x"}, 400),
        ({"host": None}, 400),
        ({"share_network_id": "zz"}, 400),
        ({"share_network_subnet_id": "zz"}, 400),
        ({"identifier": ""}, 400),
        ({"driver_options": "x"}, 400),
        ({"driver_options": {"a": 1}}, 400),
    ],
)
def test_manage_refusals(
    admin: Client, network: dict[str, Any], changes: dict[str, Any], status: int
) -> None:
    wanted = {"host": "node1@local", "share_network_id": network["id"], "identifier": "old"}
    body = {"share_server": {**wanted, **changes}}
    assert admin.post("/share-servers/manage", body).status_code == status


def test_manage_in_odd_networks(
    member: Client, admin: Client, world: World, network: dict[str, Any]
) -> None:
    wanted = {"host": "node1@local", "share_network_id": network["id"], "identifier": "old"}
    assert admin.post("/share-servers/manage", {}).status_code == 422
    (server,) = n.servers(world)
    taken = {"share_server": {**wanted, "identifier": server.identifier}}
    assert "in use" in admin.post("/share-servers/manage", taken).text
    n.act(admin, network["id"], "reset_status", status="error")
    assert "not active" in admin.post("/share-servers/manage", {"share_server": wanted}).text
    zoned = n.add_network(member, None, availability_zone="nova")
    body = {"share_server": {**wanted, "share_network_id": zoned["id"]}}
    assert "default" in admin.post("/share-servers/manage", body).text
    n.handle_servers(world, driver_handles_share_servers=False)
    n.act(admin, network["id"], "reset_status", status="active")
    answer = admin.post("/share-servers/manage", {"share_server": wanted})
    assert "does not handle share servers" in answer.text
