"""Metadata, export locations and share instances."""

import pytest

from roadstead.store import tables
from tests.factories import World
from tests.unit.api.client import Client, key_of


def _locations(client: Client, share_id: str) -> list[dict[str, object]]:
    return client.get(f"/shares/{share_id}/export_locations").json["export_locations"]


@pytest.mark.parametrize("kind", ["share", "export_location"])
def test_six_routes(member: Client, kind: str) -> None:
    share_id = member.share()["id"]
    base, own = f"/shares/{share_id}", {}
    if kind == "export_location":
        base += f"/export_locations/{_locations(member, share_id)[0]['id']}"
        own = {"preferred": "False"}
    path = f"{base}/metadata"
    assert member.post(path, {"metadata": {"a": "1"}}).json == {"metadata": {"a": "1", **own}}
    merged = {"metadata": {"a": "1", "b": "2", **own}}
    assert member.post(path, {"metadata": {"b": "2"}}).json == merged
    assert member.get(path).json == merged
    assert member.put(path, {"meta": {"c": "3"}}).json == {"metadata": {"c": "3", **own}}
    set_one = member.post(f"{path}/d", {"metadata": {"d": "4"}})
    assert set_one.json == {"metadata": {"d": "4"}}
    assert member.post(f"{path}/d", {"meta": {"d": "5"}}).status_code == 200
    assert member.get(f"{path}/d").json == {"meta": {"d": "5"}}
    assert member.post(path, {"metadata": {}}).json["metadata"].keys() == {"c", "d", *own}
    gone = member.delete(f"{path}/d")
    assert (gone.status_code, gone.text) == (200, "")
    assert key_of(member.delete(f"{path}/d")) == "itemNotFound"
    assert key_of(member.get(f"{path}/d")) == "itemNotFound"
    assert member.put(path, {"metadata": {}}).json == {"metadata": own}


def test_administrators_keys(member: Client, admin: Client) -> None:
    key = "__affinity_same_host"
    path = f"/shares/{member.share()['id']}/metadata"
    for answer in (
        member.post(path, {"metadata": {key: "x"}}),
        member.put(path, {"metadata": {key: "x"}}),
        member.post(f"{path}/{key}", {"metadata": {key: "x"}}),
        member.post(
            "/shares", {"share": {"share_proto": "NFS", "size": 1, "metadata": {key: "x"}}}
        ),
    ):
        assert key_of(answer) == "forbidden"
    assert admin.post(path, {"metadata": {key: "x"}}).status_code == 200
    assert key_of(member.delete(f"{path}/{key}")) == "forbidden"
    assert member.put(path, {"metadata": {"a": "b"}}).json["metadata"] == {key: "x", "a": "b"}
    assert admin.put(path, {"metadata": {}}).json == {"metadata": {}}


def test_preferred_location(member: Client, admin: Client) -> None:
    share_id = member.share()["id"]
    path = f"/shares/{share_id}/export_locations/{_locations(member, share_id)[0]['id']}/metadata"
    assert key_of(member.post(path, {"metadata": {"preferred": "True"}})) == "forbidden"
    assert admin.post(path, {"metadata": {"preferred": "True"}}).status_code == 200
    assert _locations(member, share_id)[0]["preferred"] is True
    assert _locations(member, share_id)[0]["metadata"] == {}
    assert member.put(path, {"metadata": {}}).json == {"metadata": {"preferred": "True"}}
    assert key_of(member.delete(f"{path}/preferred")) == "forbidden"
    assert admin.delete(f"{path}/preferred").status_code == 200
    assert _locations(member, share_id)[0]["preferred"] is False


@pytest.mark.parametrize(
    ("minor", "keys"),
    [(9, {"id", "path"}), (14, {"id", "path", "preferred"}),
     (87, {"id", "path", "preferred", "metadata"})],
)  # fmt: skip
def test_locations_by_version(member: Client, admin: Client, minor: int, keys: set[str]) -> None:
    share_id = member.share()["id"]
    (location,) = _locations(member.at(minor), share_id)
    assert set(location) == keys
    (for_admin,) = _locations(admin.at(minor), share_id)
    assert set(for_admin) == keys | {"share_instance_id", "is_admin_only"}
    shown = member.at(minor).get(f"/shares/{share_id}/export_locations/{location['id']}")
    assert set(shown.json["export_location"]) == keys | {"created_at", "updated_at"}


def test_location_of_another_share(member: Client) -> None:
    one, other = member.share()["id"], member.share()["id"]
    location = _locations(member, one)[0]["id"]
    assert key_of(member.get(f"/shares/{other}/export_locations/{location}")) == "itemNotFound"
    refused = member.post(
        f"/shares/{other}/export_locations/{location}/metadata", {"metadata": {"a": "b"}}
    )
    assert key_of(refused) == "itemNotFound"


def test_admin_only_locations(member: Client, admin: Client, world: World) -> None:
    share_id = member.share()["id"]
    location = _locations(member, share_id)[0]["id"]
    with world.db.write() as tx:
        tx.execute(tables.export_locations.update().values(is_admin_only=True))
    path = f"/shares/{share_id}/export_locations"
    assert _locations(member, share_id) == []
    assert len(_locations(admin, share_id)) == 1
    assert key_of(member.get(f"{path}/{location}")) == "forbidden"
    assert key_of(member.get(f"{path}/{location}/metadata")) == "forbidden"
    assert key_of(member.put(f"{path}/{location}/metadata", {"metadata": {}})) == "forbidden"
    assert member.at(8).get(f"/shares/{share_id}").json["share"]["export_locations"] == []


INSTANCE = set(
    "id share_id availability_zone created_at host status share_network_id share_server_id".split()
)
LATER = {"access_rules_status", "replica_state", "share_type_id", "cast_rules_to_readonly"}


@pytest.mark.parametrize(
    ("minor", "extra"),
    [
        (3, {"export_location", "export_locations"}),
        (9, set()),
        (30, LATER),
        (99, LATER | {"progress", "updated_at"}),
    ],
)
def test_instances(member: Client, admin: Client, minor: int, extra: set[str]) -> None:
    share_id = member.share()["id"]
    (listed,) = admin.at(minor).get("/share_instances").json["share_instances"]
    assert set(listed) == INSTANCE | extra
    shown = admin.at(minor).get(f"/share_instances/{listed['id']}")
    assert shown.json == {"share_instance": listed}
    of_share = admin.at(minor).get(f"/shares/{share_id}/instances")
    assert of_share.json == {"share_instances": [listed]}


def test_instance_filters(member: Client, admin: Client) -> None:
    share_id = member.share()["id"]
    location = _locations(admin, share_id)[0]

    def hits(query: str, minor: int = 99) -> int:
        return len(admin.at(minor).get(f"/share_instances?{query}").json["share_instances"])

    assert hits("status=available") == hits(f"export_location_id={location['id']}") == 1
    assert hits("status=error") == hits("export_location_path=zz") == hits("host=zz") == 0
    assert hits("export_location_path=zz", 34) == 1
    assert hits("is_soft_deleted=true") == 0


def test_instance_actions(member: Client, admin: Client) -> None:
    share_id = member.share()["id"]
    (instance,) = admin.get("/share_instances").json["share_instances"]
    path = f"/share_instances/{instance['id']}"
    assert len(admin.get(f"{path}/export_locations").json["export_locations"]) == 1
    assert admin.post(f"{path}/action", {"reset_status": {"status": "error"}}).status_code == 202
    assert member.get(f"/shares/{share_id}").json["share"]["status"] == "error"
    assert admin.at(6).post(f"{path}/action", {"os-force_delete": None}).status_code == 202
    assert key_of(admin.get(path)) == "itemNotFound"
    assert member.get(f"/shares/{share_id}").status_code == 404
