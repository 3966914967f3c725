"""Share types, access to them, and extra specs on the wire (wire.md#share-types)."""

from urllib.parse import quote

import pytest

from roadstead.model.ids import new_id
from tests.factories import make_caller, make_share
from tests.unit.api.asking import OURS, THEIRS, Asker


@pytest.fixture
def ask(app) -> Asker:
    return Asker(app)


DHSS = {"driver_handles_share_servers": "False"}


def create(ask, name="t", *, v="2.99", specs=None, **fields):
    body = {"name": name, "extra_specs": {**DHSS, **(specs or {})}, **fields}
    return ask.ok("admin", "POST", "/types", {"share_type": body}, v=v)["share_type"]


def private(ask, name="secret"):
    made = create(ask, name)
    change = {"share_type": {"share_type_access:is_public": False}}
    return ask.ok("admin", "PUT", f"/types/{made['id']}", change)["share_type"]


def names(ask, who, query="", v="2.99"):
    return [x["name"] for x in ask.ok(who, "GET", f"/types{query}", v=v)["share_types"]]


def test_a_type_has_two_names_in_every_answer(ask):
    made = create(ask)
    shown = ask.ok("member", "GET", f"/types/{made['id']}")
    assert shown["volume_type"] == shown["share_type"]
    listed = ask.ok("member", "GET", "/types")
    assert listed["volume_types"] == listed["share_types"]
    other = {"name": "vt", "extra_specs": {"driver_handles_share_servers": False}}
    made = ask.ok("admin", "POST", "/types", {"volume_type": other})["volume_type"]
    assert made["extra_specs"] == DHSS


@pytest.mark.parametrize(
    ("v", "keys"),
    [
        ("2.6", {"os-share-type-access:is_public"}),
        ("2.7", {"share_type_access:is_public"}),
        ("2.40", {"share_type_access:is_public"}),
        ("2.41", {"share_type_access:is_public", "description"}),
        ("2.46", {"share_type_access:is_public", "description", "is_default"}),
    ],
)
def test_keys_by_version(ask, v, keys):
    shown = ask.ok("reader", "GET", "/types/default", v=v)["share_type"]
    assert set(shown) == keys | {"id", "name", "extra_specs", "required_extra_specs"}
    assert shown["required_extra_specs"] == DHSS
    assert shown.get("is_default", True) is True


def test_what_each_role_sees_of_the_specs(ask):
    made = create(ask, specs={"my_own": "x", "snapshot_support": "<is> True"})
    path = f"/types/{made['id']}"
    assert ask.ok("admin", "GET", path)["share_type"]["extra_specs"] == {
        **DHSS,
        "my_own": "x",
        "snapshot_support": "<is> True",
    }
    for v, inferred in (("2.23", ()), ("2.24", ("revert_to_snapshot_support",))):
        seen = ask.ok("member", "GET", path, v=v)["share_type"]["extra_specs"]
        assert "my_own" not in seen
        assert seen["snapshot_support"] == "<is> True"
        assert [seen.get(key) for key in inferred] == [False] * len(inferred)
        assert len(seen) == 2 + (3 if inferred else 0)
    seen = ask.ok("member", "GET", path)["share_type"]["extra_specs"]
    assert seen["snapshot_inherit_share_access_support"] is False


def test_create_is_strict(ask):
    def refuse(status, body, v="2.99", who="admin"):
        ask.refused(status, who, "POST", "/types", body, v=v)

    refuse(400, {})
    refuse(400, {"share_type": []})
    refuse(400, {"share_type": {"name": "x"}})
    refuse(400, {"share_type": {"name": "x", "extra_specs": {}}})
    for specs in (
        {"driver_handles_share_servers": "maybe"},
        {**DHSS, "replication_type": "foo"},
        {**DHSS, "snapshot_support": "foo"},
        {**DHSS, "provisioning:max_share_size": "0"},
        {**DHSS, "provisioning:min_share_size": "-1"},
        {**DHSS, "availability_zones": "a,,b"},
        {**DHSS, "free": 1},
        {**DHSS, "free": ""},
        {**DHSS, "": "x"},
        {**DHSS, "k" * 256: "x"},
    ):
        refuse(400, {"share_type": {"name": "x", "extra_specs": specs}})
    for name in ("", " ", "n" * 256, 7, None):
        refuse(400, {"share_type": {"name": name, "extra_specs": DHSS}})
    good = {"name": "x", "extra_specs": DHSS}
    refuse(400, {"share_type": {**good, "description": "d"}}, v="2.40")
    refuse(400, {"share_type": {**good, "description": "d" * 256}})
    refuse(400, {"share_type": {**good, "share_type_access:is_public": "perhaps"}})
    refuse(409, {"share_type": {**good, "name": "default"}})
    refuse(403, {"share_type": good}, who="member")


def test_create_stores_strings(ask):
    specs = {"provisioning:max_share_size": 5, "availability_zones": "a, b", "flag": True}
    made = create(ask, specs=specs, description="d")
    assert made["extra_specs"]["provisioning:max_share_size"] == "5"
    assert made["extra_specs"]["availability_zones"] == "a,b"
    assert made["extra_specs"]["flag"] == "True"
    assert made["description"] == "d"
    assert "snapshot_support" not in made["extra_specs"]
    assert create(ask, "old", v="2.23")["extra_specs"]["snapshot_support"] == "True"


def test_a_type_may_be_born_private(ask):
    for key in ("share_type_access:is_public", "os-share-type-access:is_public"):
        body = {"name": key, "extra_specs": DHSS, key: False}
        made = ask.ok("admin", "POST", "/types", {"share_type": body})["share_type"]
        ask.refused(404, "member", "GET", f"/types/{made['id']}")


def test_update(ask):
    made = create(ask, description="d")
    path = f"/types/{made['id']}"

    def put(**fields):
        return ask.ok("admin", "PUT", path, {"share_type": fields})["share_type"]

    assert put(name="new")["name"] == "new"
    assert put(description="")["description"] is None
    assert put(**{"share_type_access:is_public": False})["share_type_access:is_public"] is False
    for fields in ({}, {"name": " "}, {"name": "n" * 256}, {"share_type_access:is_public": "x"}):
        ask.refused(400, "admin", "PUT", path, {"share_type": fields})
    ask.refused(409, "admin", "PUT", path, {"share_type": {"name": "default"}})
    ask.refused(404, "admin", "PUT", "/types/nope", {"share_type": {"name": "q"}})
    ask.refused(404, "admin", "PUT", path, {"share_type": {"name": "q"}}, v="2.49")
    ask.refused(403, "member", "PUT", path, {"share_type": {"name": "q"}})


def test_delete(ask, world):
    made = create(ask)
    assert ask("admin", "DELETE", f"/types/{made['id']}") == (202, None)
    ask.refused(404, "admin", "DELETE", f"/types/{made['id']}")
    used = ask.ok("admin", "GET", "/types/default")["share_type"]
    make_share(world, make_caller())
    ask.refused(400, "admin", "DELETE", f"/types/{used['id']}")
    ask.refused(403, "member", "DELETE", f"/types/{used['id']}")


def test_lists(ask):
    create(ask, "zoned", specs={"availability_zones": "a,b", "replication_type": "dr"})
    private(ask)
    assert names(ask, "member") == ["default", "zoned"]
    assert names(ask, "member", "?is_public=false") == ["default", "zoned"]
    assert names(ask, "admin") == ["default", "zoned"]
    assert names(ask, "admin", "?is_public=all") == ["default", "secret", "zoned"]
    assert names(ask, "admin", "?is_public=False") == ["secret"]
    ask.refused(400, "admin", "GET", "/types?is_public=xx")
    wanted = quote("{'replication_type':'dr'}")
    assert names(ask, "member", f"?extra_specs={wanted}") == ["zoned"]
    wanted = quote("{'availability_zones':'a'}")
    assert names(ask, "member", f"?extra_specs={wanted}") == ["default", "zoned"]
    wanted = quote("{'availability_zones':'a,c'}")
    assert names(ask, "member", f"?extra_specs={wanted}") == ["default"]
    ask.refused(400, "member", "GET", f"/types?extra_specs={wanted}", v="2.42")
    ask.refused(400, "member", "GET", "/types?extra_specs=nonsense")
    ask.refused(403, "nobody", "GET", "/types")


def test_a_type_is_shown_by_id_only(ask):
    create(ask, "named")
    ask.refused(404, "admin", "GET", "/types/named")
    ask.refused(404, "admin", "GET", f"/types/{new_id()}")


def test_a_private_type_exists_for_granted_projects_only(ask):
    made = private(ask)
    path = f"/types/{made['id']}"
    ask.refused(404, "member", "GET", path)
    grant = {"addProjectAccess": {"project": OURS}}
    assert ask("admin", "POST", f"{path}/action", grant) == (202, None)
    assert ask.ok("member", "GET", path)["share_type"]["name"] == "secret"
    assert "secret" in names(ask, "member")
    ask.refused(404, "stranger", "GET", path)
    assert "secret" not in names(ask, "stranger")
    listed = {"share_type_access": [{"share_type_id": made["id"], "project_id": OURS}]}
    for alias in ("share_type_access", "os-share-type-access"):
        for v in ("2.0", "2.99"):
            assert ask.ok("admin", "GET", f"{path}/{alias}", v=v) == listed
    ask.refused(409, "admin", "POST", f"{path}/action", grant)
    revoke = {"removeProjectAccess": {"project": OURS}}
    assert ask("admin", "POST", f"{path}/action", revoke) == (202, None)
    ask.refused(404, "admin", "POST", f"{path}/action", revoke)
    ask.refused(404, "member", "GET", path)


def test_access_is_a_matter_of_administrators_and_private_types(ask):
    public, secret = create(ask)["id"], private(ask)["id"]
    for action in ("addProjectAccess", "removeProjectAccess"):
        body = {action: {"project": THEIRS}}
        ask.refused(409, "admin", "POST", f"/types/{public}/action", body)
        ask.refused(403, "member", "POST", f"/types/{secret}/action", body)
        ask.refused(404, "admin", "POST", f"/types/{new_id()}/action", body)
    ask.refused(404, "admin", "GET", f"/types/{public}/share_type_access")
    ask.refused(403, "member", "GET", f"/types/{secret}/share_type_access")
    for project in ("abc", "", None, 5):
        body = {"addProjectAccess": {"project": project}}
        ask.refused(400, "admin", "POST", f"/types/{secret}/action", body)
    ask.refused(400, "admin", "POST", f"/types/{secret}/action", {"addProjectAccess": None})
    ask.refused(400, "admin", "POST", f"/types/{secret}/action", {"bogus": {}})


def test_extra_specs(ask):
    path = f"/types/{create(ask)['id']}/extra_specs"
    assert ask.ok("admin", "GET", path) == {"extra_specs": DHSS}
    sent = {"extra_specs": {"k1": "v1", "k2": True}}
    assert ask.ok("admin", "POST", path, sent) == sent
    assert ask.ok("admin", "GET", path) == {"extra_specs": {**DHSS, "k1": "v1", "k2": "True"}}
    assert ask.ok("admin", "PUT", f"{path}/k1", {"k1": "v2"}) == {"k1": "v2"}
    assert ask.ok("admin", "GET", f"{path}/k1") == {"k1": "v2"}
    assert ask("admin", "DELETE", f"{path}/k1") == (202, None)
    ask.refused(404, "admin", "DELETE", f"{path}/k1")
    ask.refused(404, "admin", "GET", f"{path}/k1")


def test_extra_specs_are_judged(ask):
    path = f"/types/{create(ask, specs={'snapshot_support': 'True'})['id']}/extra_specs"
    for specs in ({"k 1": "v"}, {"k": ""}, {"k": 1}, {"k": None}, {"snapshot_support": "zz"}):
        ask.refused(400, "admin", "POST", path, {"extra_specs": specs})
    ask.refused(400, "admin", "POST", path, {"k": "v"})
    ask.refused(400, "admin", "PUT", f"{path}/k1", {"k2": "v"})
    ask.refused(400, "admin", "PUT", f"{path}/k1", {"k1": "v", "k2": "v"})
    ask.refused(400, "admin", "PUT", f"{path}/snapshot_support", {"snapshot_support": "zz"})
    ask.refused(403, "admin", "DELETE", f"{path}/driver_handles_share_servers")
    ask.refused(403, "admin", "DELETE", f"{path}/snapshot_support", v="2.23")
    assert ask("admin", "DELETE", f"{path}/snapshot_support", v="2.24")[0] == 202
    ask.refused(404, "admin", "GET", "/types/nope/extra_specs")
    ask.refused(404, "admin", "POST", "/types/nope/extra_specs", {"extra_specs": {"a": "b"}})


def test_extra_specs_are_for_administrators(ask):
    path = f"/types/{create(ask)['id']}/extra_specs"
    ask.refused(403, "member", "GET", path)
    ask.refused(403, "member", "POST", path, {"extra_specs": {"a": "b"}})
    ask.refused(403, "member", "GET", f"{path}/driver_handles_share_servers")
    ask.refused(403, "member", "PUT", f"{path}/a", {"a": "b"})
    ask.refused(403, "member", "DELETE", f"{path}/a")
