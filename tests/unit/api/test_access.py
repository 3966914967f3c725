"""Access rules on the wire."""

import pytest

from tests.factories import World
from tests.unit.api.client import Client, key_of

LISTED = {"id", "access_type", "access_to", "access_level", "state"}


@pytest.mark.parametrize(
    ("minor", "extra"),
    [
        (0, set()),
        (21, {"access_key"}),
        (33, {"access_key", "created_at", "updated_at"}),
        (45, {"access_key", "created_at", "updated_at", "metadata"}),
    ],
)
def test_keys_by_version(member: Client, minor: int, extra: set[str]) -> None:
    share_id = member.share()["id"]
    prefix = "os-" if minor < 7 else ""
    path, client = f"/shares/{share_id}/action", member.at(minor)
    wanted = {"access_type": "ip", "access_to": "10.0.0.1"}
    made = client.post(path, {f"{prefix}allow_access": wanted}).json["access"]
    assert set(made) == LISTED | extra | {"share_id"}
    assert made["state"] == ("new" if minor <= 27 else "queued_to_apply")
    if minor < 45:
        (listed,) = client.post(path, {f"{prefix}access_list": None}).json["access_list"]
    else:
        (listed,) = client.get(f"/share-access-rules?share_id={share_id}").json["access_list"]
    assert set(listed) == LISTED | extra
    assert listed["state"] == "active"


def test_one_state_for_all_rules(member: Client, world: World) -> None:
    share_id = member.share()["id"]
    member.rule(share_id, "10.0.0.1")
    world.engine.stop()
    member.rule(share_id, "10.0.0.2")
    path = f"/shares/{share_id}/action"
    old = member.at(27).post(path, {"access_list": None}).json["access_list"]
    assert {r["state"] for r in old} == {"new"}
    own = member.at(28).post(path, {"access_list": None}).json["access_list"]
    assert {r["state"] for r in own} == {"active", "queued_to_apply"}


def test_life(member: Client) -> None:
    share_id = member.share()["id"]
    rule = member.rule(share_id, metadata={"vm": "one"})
    path = f"/share-access-rules/{rule['id']}"
    assert member.get(path).json["access"]["metadata"] == {"vm": "one"}
    changed = member.put(path, {"update_access": {"access_level": "ro"}})
    assert changed.json["access"]["access_level"] == "ro"
    assert member.get(path).json["access"]["state"] == "active"
    same = {"access_type": "ip", "access_to": "192.0.2.7/32"}
    again = member.post(f"/shares/{share_id}/action", {"allow_access": same})
    assert key_of(again) == "badRequest"
    gone = member.post(
        f"/shares/{share_id}/action", {"deny_access": {"access_id": rule["id"], "unrestrict": True}}
    )
    assert (gone.status_code, gone.text) == (202, "")
    assert key_of(member.get(path)) == "itemNotFound"


def test_locks_not_wanted(member: Client) -> None:
    unlocked = {"lock_visibility": False, "lock_deletion": False, "lock_reason": ""}
    assert member.rule(member.share()["id"], **unlocked)["state"] == "queued_to_apply"


def test_keys_of_later_versions_are_dropped(member: Client) -> None:
    body = {"allow_access": {"access_type": "ip", "access_to": "10.0.0.1", "metadata": "x"}}
    path = f"/shares/{member.share()['id']}/action"
    assert member.at(44).post(path, body).status_code == 200
    body["allow_access"] |= {"access_to": "10.0.0.2", "lock_deletion": "true"}
    body["allow_access"]["metadata"] = {}  # type: ignore[assignment]
    assert member.at(81).post(path, body).status_code == 200


@pytest.mark.parametrize(
    ("query", "hits"),
    [
        ("access_type=ip", 2),
        ("access_type=ip&access_to=10.0.0.1/32", 1),
        ("access_level=ro", 1),
        ("access_type=user", 0),
        ("id=zz", 0),
        ("metadata={'vm':'one'}", 1),
        ("metadata={'vm':'two'}", 0),
    ],
)
def test_filters(member: Client, query: str, hits: int) -> None:
    share_id = member.share()["id"]
    member.rule(share_id, "10.0.0.1", metadata={"vm": "one"})
    member.rule(share_id, "10.0.0.2", access_level="ro")
    answer = member.get(f"/share-access-rules?share_id={share_id}&{query}")
    assert len(answer.json["access_list"]) == hits


def test_rule_metadata(member: Client) -> None:
    rule = member.rule(member.share()["id"], metadata={"a": "1"})
    path = f"/share-access-rules/{rule['id']}"
    written = member.put(f"{path}/metadata", {"metadata": {"b": "2"}})
    assert written.json == {"metadata": {"b": "2"}}
    assert member.get(path).json["access"]["metadata"] == {"a": "1", "b": "2"}
    gone = member.delete(f"{path}/metadata/a")
    assert (gone.status_code, gone.text) == (200, "")
    assert key_of(member.delete(f"{path}/metadata/a")) == "itemNotFound"


def test_rules_of_a_public_share_stay_in_their_project(
    member: Client, foreigner: Client, owner_admin: Client
) -> None:
    share_id = member.share()["id"]
    rule = member.rule(share_id, metadata={"a": "1"})
    assert key_of(foreigner.get(f"/share-access-rules?share_id={share_id}")) == "badRequest"
    owner_admin.put(f"/shares/{share_id}", {"share": {"is_public": True}})
    assert foreigner.get(f"/share-access-rules?share_id={share_id}").json == {"access_list": []}
    action = f"/shares/{share_id}/action"
    assert foreigner.at(44).post(action, {"access_list": None}).json == {"access_list": []}
    path = f"/share-access-rules/{rule['id']}"
    assert key_of(foreigner.get(path)) == "itemNotFound"
    for refused in (
        foreigner.put(f"{path}/metadata", {"metadata": {"a": "b"}}),
        foreigner.delete(f"{path}/metadata/a"),
        foreigner.put(path, {"update_access": {"access_level": "ro"}}),
    ):
        assert key_of(refused) == "forbidden"
        assert rule["access_to"] not in refused.text
    kept = member.get(path).json["access"]
    assert (kept["metadata"], kept["access_level"]) == ({"a": "1"}, "rw")


def test_rules_of_a_private_share_do_not_exist_for_others(
    member: Client, foreigner: Client
) -> None:
    share_id = member.share()["id"]
    path = f"/share-access-rules/{member.rule(share_id, metadata={'a': '1'})['id']}"
    for refused in (
        foreigner.get(path),
        foreigner.put(f"{path}/metadata", {"metadata": {"a": "b"}}),
        foreigner.delete(f"{path}/metadata/a"),
        foreigner.put(path, {"update_access": {"access_level": "ro"}}),
    ):
        assert key_of(refused) == "itemNotFound"
        assert share_id not in refused.text
