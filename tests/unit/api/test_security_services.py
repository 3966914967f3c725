"""Security services: bodies, secrets, and how share networks get and lose them."""

import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest

from roadstead.store import tables_networks as tables
from roadstead.store.secrets import SecretBox, add_key, ensure_key_file, forget_old_keys
from roadstead.store.security_services import reseal_all
from tests.factories import World
from tests.unit.api import networking as n
from tests.unit.api.client import Client, key_of

BASE = set(
    "id name type status created_at updated_at description dns_ip server domain user password "
    "project_id".split()
)
SECRET = "Tr0ub4dor&3"


@pytest.mark.parametrize(
    ("minor", "more"), [(0, set()), (43, set()), (44, {"ou"}), (99, {"ou", "default_ad_site"})]
)
def test_keys_by_version(member: Client, minor: int, more: set[str]) -> None:
    made = n.add_security_service(member, name="s")
    path = f"/security-services/{made['id']}"
    shown = member.at(minor).get(path).json["security_service"]
    assert set(shown) == BASE | more
    assert shown["status"] == "new"
    (listed,) = member.at(minor).get("/security-services/detail").json["security_services"]
    assert listed == {**shown, "share_networks": []}
    (summary,) = member.get("/security-services").json["security_services"]
    assert summary == {"id": made["id"], "name": "s", "type": "ldap", "status": "new"}


@pytest.mark.parametrize(
    ("body", "minor", "status"),
    [
        ({}, 99, 422),
        ({"security_service": {}}, 99, 400),
        ({"security_service": {"type": "x"}}, 99, 400),
        ({"security_service": {"type": "kerberos", "sid": "legacy"}}, 0, 200),
        ({"security_service": {"type": "active_directory", "default_ad_site": "x"}}, 75, 400),
        ({"security_service": {"type": "active_directory", "default_ad_site": "x",
                               "server": "s"}}, 99, 400),
        ({"security_service": {"type": "active_directory", "default_ad_site": "x"}}, 99, 200),
        ({"security_service": {"type": "ldap", "user": 5}}, 99, 400),
    ],
)  # fmt: skip
def test_create(member: Client, body: Any, minor: int, status: int) -> None:
    assert member.at(minor).post("/security-services", body).status_code == status


def test_passwords(
    member: Client, reader: Client, admin: Client, owner_admin: Client, world: World
) -> None:
    """X-7: for those of the project who may set it, for nobody else."""
    made = n.add_security_service(member, password=SECRET)
    assert made["password"] == SECRET
    path = f"/security-services/{made['id']}"
    for client, seen in ((member, SECRET), (owner_admin, SECRET), (reader, None), (admin, None)):
        assert client.get(path).json["security_service"]["password"] == seen
        for listed in client.get("/security-services/detail?all_tenants=1").json.values():
            assert [s["password"] for s in listed] == [seen]
    member.put(path, {"security_service": {"password": None}})
    assert member.get(path).json["security_service"]["password"] is None


def test_passwords_at_rest(
    member: Client, world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """X-7: sealed in the database, absent from logs and errors, and keys can be changed."""
    caplog.set_level(logging.DEBUG)
    keys = tmp_path / "secrets.keys"
    ensure_key_file(keys)
    box = SecretBox(keys)
    msgspec.structs.force_setattr(world.service, "secrets", box)
    made = n.add_security_service(member, password=SECRET)
    path = f"/security-services/{made['id']}"

    def stored() -> str:
        with world.db.read() as tx:
            (row,) = tx.execute(tables.security_services.select()).mappings()
        assert SECRET not in repr(dict(row))
        return row["sealed_password"]

    first = stored()
    refused = member.put(path, {"security_service": {"password": SECRET, "type": "x"}})
    assert refused.status_code == 400
    assert SECRET not in refused.text
    add_key(keys)
    assert member.get(path).json["security_service"]["password"] == SECRET
    with world.db.write() as tx:
        assert reseal_all(tx, box.reseal) == 1
    assert stored() != first
    forget_old_keys(keys)
    assert member.get(path).json["security_service"]["password"] == SECRET
    # The key is lost: everything else still works.
    add_key(keys)
    forget_old_keys(keys)
    assert member.get(path).json["security_service"]["password"] is None
    assert SECRET not in caplog.text


def test_foreign_ones_do_not_exist(member: Client, foreigner: Client) -> None:
    """Tenancy: by id, and in every body that names one (N-I10)."""
    theirs = n.add_security_service(foreigner, password=SECRET)["id"]
    mine = n.add_security_service(member)["id"]
    network = n.add_network(member, None)["id"]
    n.act(member, network, "add_security_service", security_service_id=mine)
    for ident in (theirs, "zz"):
        path = f"/security-services/{ident}"
        assert key_of(member.get(path)) == "itemNotFound"
        assert key_of(member.put(path, {"security_service": {"name": "x"}})) == "itemNotFound"
        assert key_of(member.delete(path)) == "itemNotFound"
        for action in ("add_security_service", "add_security_service_check",
                       "remove_security_service"):  # fmt: skip
            answer = n.act(member, network, action, security_service_id=ident)
            assert key_of(answer) == "itemNotFound", action
        for action in ("update_security_service", "update_security_service_check"):
            for current, new in ((mine, ident), (ident, mine)):
                answer = n.act(
                    member, network, action, current_service_id=current, new_service_id=new
                )
                assert key_of(answer) == "badRequest", action
    listed = member.get("/security-services").json["security_services"]
    assert [s["id"] for s in listed] == [mine]
    foreign_network = n.add_network(foreigner, None)["id"]
    for ident in (foreign_network, "zz"):
        answer = member.get(f"/security-services/detail?share_network_id={ident}")
        assert key_of(answer) == "itemNotFound"


def test_not_even_an_administrator_mixes_projects(
    member: Client, foreigner: Client, admin: Client
) -> None:
    theirs, network = n.add_security_service(foreigner), n.add_network(member, None)
    answer = n.act(admin, network["id"], "add_security_service", security_service_id=theirs["id"])
    assert key_of(answer) == "itemNotFound"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("name=a", 1), ("type=ldap", 1), ("user=u", 1), ("server=s", 1), ("dns_ip=1.1.1.1", 1),
        ("domain=d", 1), ("domain=x", 0), ("status=zz", 2), ("foo=bar", 2), ("limit=1", 1),
        ("limit=0", 2), ("limit=1&offset=2", 0), ("name=a&type=kerberos", 0), ("all_tenants=1", 2),
    ],
)  # fmt: skip
def test_filters(member: Client, foreigner: Client, query: str, count: int) -> None:
    n.add_security_service(member, name="a", user="u", server="s", dns_ip="1.1.1.1", domain="d")
    n.add_security_service(member, "kerberos")
    n.add_security_service(foreigner, name="a")
    for path in ("/security-services", "/security-services/detail"):
        assert len(member.get(f"{path}?{query}").json["security_services"]) == count


def test_attach_and_detach(member: Client) -> None:
    """N-I10."""
    network = n.add_network(member, None)["id"]
    one, two = (n.add_security_service(member)["id"] for _ in range(2))
    kerberos = n.add_security_service(member, "kerberos")["id"]
    added = n.act(member, network, "add_security_service", security_service_id=one)
    assert (added.status_code, added.json["share_network"]["id"]) == (200, network)
    for ident in (one, two):
        again = n.act(member, network, "add_security_service", security_service_id=ident)
        assert key_of(again) == "conflictingRequest"
    assert n.act(member, network, "add_security_service").status_code == 400
    (listed,) = member.get(f"/security-services/detail?share_network_id={network}").json[
        "security_services"
    ]
    assert (listed["id"], listed["share_networks"]) == (one, [network])
    assert len(member.get(f"/share-networks?security_service_id={one}").json["share_networks"]) == 1
    assert key_of(member.delete(f"/security-services/{one}")) == "forbidden"

    def swap(current: str, new: str) -> Any:
        ids = {"current_service_id": current, "new_service_id": new}
        return n.act(member, network, "update_security_service", **ids)

    assert key_of(swap(one, kerberos)) == "conflictingRequest"
    assert swap(one, two).status_code == 202
    assert key_of(swap(one, two)) == "conflictingRequest"
    n.act(member, network, "add_security_service", security_service_id=kerberos)
    changed = member.put(f"/security-services/{kerberos}", {"security_service": {"type": "ldap"}})
    assert key_of(changed) == "conflictingRequest"
    removed = n.act(member, network, "remove_security_service", security_service_id=two)
    assert removed.status_code == 200
    again = n.act(member, network, "remove_security_service", security_service_id=two)
    assert key_of(again) == "badRequest"
    assert member.delete(f"/security-services/{two}").status_code == 202
    assert n.act(member.at(62), network, "update_security_service").status_code == 404


@pytest.fixture
def used(member: Client, admin: Client, world: World) -> str:
    """The id of a network with a share on a server."""
    n.handle_servers(world)
    n.add_type(admin)
    network = n.add_network(member)["id"]
    assert n.add_share(member, network).status_code == 200
    n.settle(world)
    return network


def test_changes_in_use(member: Client, admin: Client, used: str, world: World) -> None:
    """N-I4: possible since 2.63, after a check."""
    one, two = (n.add_security_service(member)["id"] for _ in range(2))
    add = {"security_service_id": one}
    assert key_of(n.act(member.at(62), used, "add_security_service", **add)) == "forbidden"
    assert key_of(n.act(member, used, "add_security_service", **add)) == "badRequest"
    asked = n.act(admin, used, "add_security_service_check", **add)
    assert (asked.status_code, asked.json) == (202, {
        "compatible": True,
        "requested_operation": {"operation": "add_security_service",
                                "current_security_service": None,
                                "new_security_service": one},
        "hosts_check_result": {"node1@local": True},
    })  # fmt: skip
    added = n.act(member, used, "add_security_service", **add)
    assert added.json["share_network"]["status"] == "network_change"
    assert [s.status for s in n.servers(world)] == ["network_change"]
    n.settle(world)
    swap = {"current_service_id": one, "new_service_id": two}
    assert key_of(n.act(member, used, "update_security_service", **swap)) == "badRequest"
    asked = n.act(member, used, "update_security_service_check", **swap)
    assert set(asked.json) == {"compatible", "requested_operation"}
    assert asked.json["requested_operation"]["current_security_service"] == one
    assert n.act(member, used, "update_security_service", **swap).status_code == 202
    n.settle(world)
    remove = n.act(member, used, "remove_security_service", security_service_id=two)
    assert key_of(remove) == "forbidden"
    path = f"/security-services/{two}"
    assert key_of(member.put(path, {"security_service": {"user": "x"}})) == "forbidden"
    assert member.put(path, {"security_service": {"name": "x"}}).status_code == 200


def test_a_swap_needs_available_shares(member: Client, used: str, world: World) -> None:
    one, two = (n.add_security_service(member)["id"] for _ in range(2))
    n.act(member, used, "add_security_service_check", security_service_id=one)
    n.act(member, used, "add_security_service", security_service_id=one)
    n.settle(world)
    assert n.add_share(member, used).status_code == 200
    swap = {"current_service_id": one, "new_service_id": two}
    asked = n.act(member, used, "update_security_service_check", **swap)
    assert key_of(asked) == "badRequest"


def test_backends_that_cannot(member: Client, admin: Client, world: World) -> None:
    n.handle_servers(world, security_service_update_support=False)
    n.add_type(admin)
    network = n.add_network(member)["id"]
    assert n.add_share(member, network).status_code == 200
    shown = member.get(f"/share-networks/{network}").json["share_network"]
    assert shown["security_service_update_support"] is False
    one = n.add_security_service(member)["id"]
    for action in ("add_security_service_check", "add_security_service"):
        assert key_of(n.act(member, network, action, security_service_id=one)) == "badRequest"
