"""Shares on share networks: what is refused, where they go, and which server they get."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from roadstead.api.app import make_app
from roadstead.model.ids import new_id
from roadstead.ops.report import report
from roadstead.store.db import counting
from tests.factories import World, make_backend, make_world
from tests.unit.api import networking as n
from tests.unit.api.client import OWNER, Client, HeaderAuth, key_of


def test_no_backend_handles_share_servers(member: Client, admin: Client) -> None:
    """N-M1: accepted, in error, and a message says why."""
    n.add_type(admin)
    network = n.add_network(member)
    made = n.add_share(member, network["id"])
    assert made.status_code == 200
    share = made.json["share"]
    assert (share["status"], share["share_network_id"]) == ("error", network["id"])
    (message,) = member.get(f"/messages?resource_id={share['id']}").json["messages"]
    assert message["detail_id"] == "010"
    assert "does not handle share servers" in message["user_message"]
    assert member.delete(f"/shares/{share['id']}").status_code == 202
    assert member.delete(f"/share-networks/{network['id']}").status_code == 202


def test_refusals(member: Client, foreigner: Client, admin: Client, world: World) -> None:
    n.handle_servers(world)
    n.add_type(admin)
    network, theirs = n.add_network(member)["id"], n.add_network(foreigner, None)["id"]
    without = member.post("/shares", {"share": {"share_proto": "NFS", "size": 1,
                                                "share_type": "dhss"}})  # fmt: skip
    assert key_of(without) == "badRequest"
    for ident in (theirs, "zz"):
        assert key_of(n.add_share(member, ident)) == "itemNotFound"
    assert key_of(n.add_share(member, network, share_type="default")) == "badRequest"
    for status in ("error", "network_change"):
        n.act(admin, network, "reset_status", status=status)
        assert key_of(n.add_share(member, network)) == "badRequest"
    assert n.servers(world) == []


def test_zones(member: Client, admin: Client, world: World) -> None:
    """N-M1: the subnet's zone must match."""
    world.engine.stop()
    east = make_backend("east", availability_zone="east")
    east.pool.ensure_pool()
    report(world.db, "node1", [world.backend, east])
    n.handle_servers(world)
    n.add_type(admin)
    network = n.add_network(member, availability_zone="east")["id"]
    assert key_of(n.add_share(member, network, availability_zone="nova")) == "badRequest"
    assert key_of(n.add_share(member, network, availability_zone="nowhere")) == "itemNotFound"
    share = n.add_share(member, network).json["share"]
    assert (share["status"], share["availability_zone"]) == ("creating", "east")
    assert [s.host for s in n.servers(world)] == ["node1@east"]


def test_where_the_segment_cannot_be(member: Client, admin: Client, world: World) -> None:
    """N-I8: the kinds of segments differ; the message names the pool and the reason."""
    n.handle_servers(world, segment_kinds=["vlan"], physical_networks=["phys"])
    n.add_type(admin)
    network = n.add_network(member)["id"]
    share = n.add_share(member, network).json["share"]
    assert share["status"] == "error"
    (message,) = member.get("/messages").json["messages"]
    assert (message["detail_id"], "segment_kinds" in message["user_message"]) == ("004", True)
    bare = n.add_network(member, None)["id"]
    assert n.add_share(member, bare).json["share"]["status"] == "error"
    assert "names no segment" in member.get("/messages").text


def test_one_server_for_one_network(member: Client, admin: Client, world: World) -> None:
    """N-I1: later shares reuse it; other networks get their own, at the same addresses too."""
    n.handle_servers(world)
    n.add_type(admin)
    one, two = n.add_network(member)["id"], n.add_network(member)["id"]
    ids = []
    for network in (one, one, two):
        with counting() as statements:
            ids.append(n.add_share(member, network).json["share"]["id"])
        assert statements[0] <= 25
    found = {
        share["id"]: share["share_server_id"]
        for share in admin.get("/shares/detail?all_tenants=1").json["shares"]
    }
    assert found[ids[0]] == found[ids[1]] != found[ids[2]]
    assert len(n.servers(world)) == 2


def test_limits_of_a_backend(member: Client, admin: Client, world: World) -> None:
    """N-M3: shares per server, size per server, servers per backend."""
    n.handle_servers(
        world, max_shares_per_share_server=2, max_share_server_size=10, max_share_servers=2
    )
    n.add_type(admin)
    network = n.add_network(member)["id"]
    made = [n.add_share(member, network, size=size).json["share"] for size in (1, 8, 5, 5)]
    assert [share["status"] for share in made] == ["creating"] * 4
    seen = admin.get("/shares/detail?all_tenants=1&sort_key=created_at&sort_dir=asc").json["shares"]
    first, second = n.servers(world)
    assert [s["share_server_id"] for s in seen] == [first.id] * 2 + [second.id] * 2
    full = n.add_share(member, network).json["share"]
    assert full["status"] == "error"
    (message,) = member.get(f"/messages?resource_id={full['id']}").json["messages"]
    assert message["detail_id"] == "004"
    assert "2 share servers already" in message["user_message"]


def test_rules_wait_for_the_network(member: Client, admin: Client, world: World) -> None:
    n.handle_servers(world)
    n.add_type(admin)
    network = n.add_network(member)["id"]
    share = n.add_share(member, network).json["share"]["id"]
    n.settle(world)
    n.act(admin, network, "reset_status", status="network_change")
    rule = {"access_type": "ip", "access_to": "10.0.0.9"}
    refused = member.post(f"/shares/{share}/action", {"allow_access": rule})
    assert "network_change" in refused.text
    n.act(admin, network, "reset_status", status="active")
    assert member.post(f"/shares/{share}/action", {"allow_access": rule}).status_code == 200


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.pg)])
def crowd(request: Any, tmp_path: Path) -> Any:
    """A world on each database."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/crowd"
    else:
        url = request.getfixturevalue("postgres").create_database(f"t_{new_id().replace('-', '')}")
    made = make_world(url, networks=n.POOLS)
    yield made
    made.close()


def test_fifty_at_once_make_one_server(crowd: World) -> None:
    """N-M4."""
    app = make_app(crowd.service, auth=HeaderAuth())
    member = Client(app, OWNER, "member,reader")
    n.handle_servers(crowd)
    n.add_type(Client(app, OWNER, "admin"))
    network = n.add_network(member)["id"]
    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(lambda _: n.add_share(member, network), range(50)))
    assert {answer.status_code for answer in made} == {200}
    assert {answer.json["share"]["status"] for answer in made} == {"creating"}
    assert len(n.servers(crowd)) == 1


def test_a_network_is_not_deleted_under_a_new_share(crowd: World) -> None:
    """N-M2: whoever comes first, no share is left on a network that is gone."""
    app = make_app(crowd.service, auth=HeaderAuth())
    member = Client(app, OWNER, "member,reader")
    n.handle_servers(crowd)
    n.add_type(Client(app, OWNER, "admin"))
    networks = [n.add_network(member)["id"] for _ in range(8)]
    with ThreadPoolExecutor(4) as threads:
        for network in networks:
            made = threads.submit(n.add_share, member, network)
            gone = threads.submit(member.delete, f"/share-networks/{network}")
            codes = (made.result().status_code, gone.result().status_code)
            assert codes in ((200, 409), (404, 202))
