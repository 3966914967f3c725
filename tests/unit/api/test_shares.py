"""Bodies of shares at each version, lists and pages."""

from typing import Any

import pytest

from roadstead.store import shares, tables
from roadstead.store.db import counting
from roadstead.store.scope import everyone
from tests.factories import World
from tests.unit.api.client import OWNER, Client, key_of

BASE = set(
    "id size status name description project_id share_proto created_at is_public metadata links "
    "availability_zone snapshot_id share_network_id share_type volume_type".split()
)
AT_2 = {"snapshot_support"}
AT_8 = AT_2 | {"task_state", "share_type_name"}
AT_28 = AT_8 | set(
    "access_rules_status replication_type has_replicas user_id revert_to_snapshot_support "
    "create_share_from_snapshot_support".split()
)
AT_46 = AT_28 | set(
    "share_group_id source_share_group_snapshot_member_id mount_snapshot_support".split()
)
AT_99 = AT_46 | set(
    "progress is_soft_deleted scheduled_to_be_deleted_at source_backup_id encryption_key_ref "
    "snapshot_inherit_share_access_support".split()
)
PATHS = {"export_location", "export_locations"}


@pytest.mark.parametrize(
    ("minor", "extra"),
    [(0, PATHS), (2, AT_2 | PATHS), (8, AT_8 | PATHS), (28, AT_28), (46, AT_46), (99, AT_99)],
)
def test_keys_by_version(member: Client, admin: Client, minor: int, extra: set[str]) -> None:
    share_id = member.share(name="s", metadata={"a": "b"})["id"]
    shown = member.at(minor).get(f"/shares/{share_id}").json["share"]
    assert set(shown) == BASE | extra
    (listed,) = member.at(minor).get("/shares/detail").json["shares"]
    assert listed == shown
    for_admin = admin.at(minor).get(f"/shares/{share_id}").json["share"]
    assert set(for_admin) == BASE | extra | {"share_server_id", "host"}
    made = member.at(minor).post("/shares", {"share": {"share_proto": "NFS", "size": 1}})
    assert set(made.json["share"]) == BASE | extra
    assert made.json["share"]["status"] == "creating"
    changed = member.at(minor).put(f"/shares/{share_id}", {"share": {"display_name": "n"}})
    assert set(changed.json["share"]) == BASE | extra
    assert changed.json["share"]["name"] == "n"


def test_values(member: Client) -> None:
    share = member.share(name="s", metadata={"a": "b"})
    old = member.at(5).get(f"/shares/{share['id']}").json["share"]
    assert old["share_type"] == old["volume_type"] == share["share_type_name"] == "default"
    assert share["share_type"] != "default"
    assert old["export_locations"] == [old["export_location"]]
    assert share["project_id"] == OWNER
    assert (share["status"], share["progress"]) == ("available", "100%")
    assert share["metadata"] == {"a": "b"}
    assert len(share["created_at"]) == len("2026-11-22T13:24:59.592988")


def test_statuses_that_old_clients_do_not_know(member: Client, world: World) -> None:
    share_id = member.share()["id"]
    with world.db.write() as tx:
        row = tx.execute(tables.shares.select()).one()
        found = shares.find_instance(tx, everyone(), row.instance_id)
        assert found is not None
        shares.set_instance(tx, found, status="creating_from_snapshot")
    seen = [member.at(m).get(f"/shares/{share_id}").json["share"]["status"] for m in (53, 54)]
    assert seen == ["creating", "creating_from_snapshot"]


@pytest.mark.parametrize(("minor", "word"), [(10, "out_of_sync"), (27, "out_of_sync"),
                                             (28, "syncing"), (99, "syncing")])  # fmt: skip
def test_rules_status(member: Client, world: World, minor: int, word: str) -> None:
    share_id = member.share()["id"]
    world.engine.stop()
    member.rule(share_id)
    shown = member.at(minor).get(f"/shares/{share_id}").json["share"]
    assert shown["access_rules_status"] == word


def test_summary(member: Client) -> None:
    share = member.share(name="s")
    (listed,) = member.get("/shares").json["shares"]
    assert listed == {"id": share["id"], "name": "s", "links": share["links"]}


def test_pages_come_to_an_end(member: Client) -> None:
    made = [member.share(name=f"s{n}")["id"] for n in range(5)]
    for path in ("/shares", "/shares/detail"):
        seen: list[str] = []
        url = f"{path}?limit=2&sort_key=name&sort_dir=asc"
        for _ in range(10):
            answer = member.get(url).json
            seen += [s["id"] for s in answer["shares"]]
            if "shares_links" not in answer:
                break
            (link,) = answer["shares_links"]
            assert link["rel"] == "next"
            assert f"/v2{path}?" in link["href"]
            url = link["href"].removeprefix("http://cloud.test/v2")
        assert seen == made


def test_limit_and_offset(member: Client) -> None:
    for n in range(3):
        member.share(name=f"s{n}")

    def names(query: str) -> list[str]:
        return [s["name"] for s in member.get(f"/shares?{query}").json["shares"]]

    assert names("") == ["s2", "s1", "s0"]
    assert names("offset=1") == ["s2", "s1", "s0"]
    assert names("limit=1&offset=1") == ["s1"]
    assert names("limit=0") == []
    assert names("limit=5000") == ["s2", "s1", "s0"]
    assert "shares_links" not in member.get("/shares?limit=0").json
    assert "shares_links" not in member.get("/shares?limit=4").json


def test_count(member: Client) -> None:
    member.share()
    member.share()
    assert member.get("/shares?with_count=true&limit=1").json["count"] == 2
    assert member.get("/shares?with_count=1&limit=0").json["count"] == 2
    assert member.get("/shares?with_count=1&is_soft_deleted=1").json["count"] == 0
    assert "count" not in member.get("/shares?with_count=false").json
    assert "count" not in member.at(41).get("/shares?with_count=true").json
    assert member.at(0).get("/shares/detail?with_count=true").json["count"] == 2


@pytest.mark.parametrize(
    ("query", "minor", "hit"),
    [
        ("name=alpha", 0, True),
        ("display_name=alpha", 0, True),
        ("name=alph", 99, False),
        ("name~=LPH", 36, True),
        ("name~=zz", 36, False),
        ("name~=zz", 35, True),
        ("name~=%25", 99, False),
        ("description=about", 36, True),
        ("description=zz", 36, False),
        ("description=zz", 35, True),
        ("description~=bou", 36, True),
        ("status=available", 0, True),
        ("status=error", 0, False),
        ("snapshot_id=zz", 0, False),
        ("share_network_id=zz", 0, False),
        ("share_type_id=zz", 0, False),
        ("metadata={'a':'b'}", 0, True),
        ('metadata={"a":"b"}', 0, True),
        ("metadata={'a':'c'}", 0, False),
        ("export_location_path=zz", 34, True),
        ("export_location_path=zz", 35, False),
        ("export_location_id=zz", 35, False),
        ("availability_zone=zz", 96, True),
        ("availability_zone=zz", 97, False),
        ("is_soft_deleted=true", 69, False),
        ("is_soft_deleted=true", 68, True),
        ("share_group_id=zz", 31, False),
        ("is_public=true", 0, True),
        ("is_public=false", 0, True),
        ("share_proto=CIFS", 99, True),
        ("id=zz", 99, True),
        ("user_id=zz", 99, True),
        ("foo=bar", 99, True),
        ("project_id=zz", 99, True),
    ],
)
def test_filters(member: Client, query: str, minor: int, hit: bool) -> None:
    member.share(name="alpha", description="about", metadata={"a": "b"})
    answer = member.at(minor).get(f"/shares/detail?{query}&with_count=1").json
    assert (len(answer["shares"]), answer["count"]) == (int(hit), int(hit))


def test_lists_show_their_own_project(
    member: Client, foreigner: Client, admin: Client, owner_admin: Client
) -> None:
    share_id = member.share(name="mine")["id"]
    foreigner.share()
    assert [s["id"] for s in member.get("/shares?all_tenants=1").json["shares"]] == [share_id]
    assert [s["id"] for s in owner_admin.get("/shares").json["shares"]] == [share_id]
    assert admin.get("/shares").json["shares"] == []
    for query in ("all_tenants", "all_tenants=1", "all_tenants=true"):
        assert len(admin.get(f"/shares?{query}").json["shares"]) == 2
    only = admin.get(f"/shares?all_tenants=1&project_id={OWNER}").json["shares"]
    assert [s["id"] for s in only] == [share_id]


def test_public_shares(
    member: Client, foreigner: Client, owner_admin: Client, admin: Client
) -> None:
    share_id = member.share()["id"]
    path, public = f"/shares/{share_id}", {"share": {"is_public": True}}
    assert key_of(member.put(path, public)) == "forbidden"
    wanted = {"share": {"share_proto": "NFS", "size": 1, "is_public": "true"}}
    assert key_of(member.post("/shares", wanted)) == "forbidden"
    assert owner_admin.put(path, public).json["share"]["is_public"] is True
    assert foreigner.get("/shares").json["shares"] == []
    assert [s["id"] for s in foreigner.get("/shares?is_public=True").json["shares"]] == [share_id]
    assert foreigner.get(path).json["share"]["id"] == share_id
    assert member.put(path, {"share": {"is_public": False}}).json["share"]["is_public"] is False
    assert foreigner.get(path).status_code == 404


def test_lists_cost_the_same_for_any_number(member: Client) -> None:
    def cost(client: Client, path: str) -> int:
        with counting() as counter:
            assert client.get(path).status_code == 200
        return counter[0]

    paths: list[tuple[Client, str, int]] = [
        (member, "/shares", 1),
        (member, "/shares/detail", 2),
        (member.at(8), "/shares/detail", 3),
    ]
    member.share()
    before = [cost(client, path) for client, path, _ in paths]
    for _ in range(3):
        member.share(metadata={"a": "b"})
    assert [cost(client, path) for client, path, _ in paths] == before
    assert before == [most for *_, most in paths]
    share_id = member.share()["id"]
    assert cost(member, f"/shares/{share_id}") <= 2


def test_life(member: Client, admin: Client) -> None:
    share_id = member.share()["id"]
    action = f"/shares/{share_id}/action"
    steps: list[tuple[Client, dict[str, Any]]] = [
        (member, {"extend": {"new_size": "3"}}),
        (member, {"shrink": {"new_size": 2}}),
        (admin, {"extend": {"new_size": 4, "force": True}}),
        (admin, {"reset_status": {"status": "error"}}),
    ]
    for client, body in steps:
        answer = client.post(action, body)
        assert (answer.status_code, answer.text) == (202, ""), answer.text
    shown = member.get(f"/shares/{share_id}").json["share"]
    assert (shown["size"], shown["status"]) == (4, "error")
    refused = member.post(action, {"extend": {"new_size": 9, "force": True}})
    assert key_of(refused) == "forbidden"
    answer = member.delete(f"/shares/{share_id}")
    assert (answer.status_code, answer.text) == (202, "")
    assert key_of(member.get(f"/shares/{share_id}")) == "itemNotFound"


def test_old_actions(member: Client, admin: Client) -> None:
    action = f"/shares/{member.share()['id']}/action"
    assert member.at(6).post(action, {"os-extend": {"new_size": 2}}).status_code == 202
    assert member.at(0).post(action, {"os-shrink": {"new_size": 1}}).status_code == 202
    assert admin.at(6).post(action, {"os-reset_status": {"status": "error"}}).status_code == 202
    assert admin.at(6).post(action, {"os-force_delete": None}).status_code == 202


def test_wrong_state(member: Client, admin: Client) -> None:
    share_id = member.share()["id"]
    admin.post(f"/shares/{share_id}/action", {"reset_status": {"status": "migrating"}})
    assert key_of(member.delete(f"/shares/{share_id}")) == "forbidden"
    refused = member.post(f"/shares/{share_id}/action", {"extend": {"new_size": 2}})
    assert key_of(refused) == "badRequest"


def test_quota(member: Client) -> None:
    answer = member.post("/shares", {"share": {"share_proto": "NFS", "size": 5000}})
    assert (answer.status_code, key_of(answer)) == (413, "overLimit")
    assert answer.json["overLimit"]["retryAfter"] == answer.headers["Retry-After"] == "0"
    share_id = member.share()["id"]
    more = member.post(f"/shares/{share_id}/action", {"extend": {"new_size": 5000}})
    assert (more.status_code, key_of(more)) == (403, "forbidden")
