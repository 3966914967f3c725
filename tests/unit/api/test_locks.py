"""Locks that come with access rules: what Nova asks for when it brings a share to a VM."""

from typing import Any

import pytest

from tests.factories import World
from tests.unit.api.client import OWNER, Client, key_of

HIDDEN = "******"
LOCKED = {"lock_visibility": True, "lock_deletion": True, "lock_reason": "in use by a VM"}
TARGET = "192.0.2.7"


@pytest.fixture
def nova(app: Any) -> Client:
    """A compute service: an administrator of another project with the service role."""
    return Client(app, "dddddddd44444444dddddddd44444444", "admin,service")


@pytest.fixture
def colleague(app: Any) -> Client:
    """Somebody else in the owner's project."""

    class Colleague(Client):
        def call(self, *args: Any, **more: Any) -> Any:
            return super().call(*args, headers={"X-Test-User": "colleague"}, **more)

    return Colleague(app, OWNER, "member,reader")


def deny(client: Client, share_id: str, rule_id: str, **more: Any) -> Any:
    wanted = {"access_id": rule_id, **more}
    return client.post(f"/shares/{share_id}/action", {"deny_access": wanted})


def targets(client: Client, share_id: str, query: str = "") -> list[str]:
    found = client.get(f"/share-access-rules?share_id={share_id}{query}").json["access_list"]
    return [rule["access_to"] for rule in found]


def test_a_service_locks_and_lifts(nova: Client, member: Client) -> None:
    share_id = member.share()["id"]
    rule = nova.rule(share_id, TARGET, **LOCKED)
    assert rule["access_to"] == TARGET
    for client, more in ((nova, {}), (member, {}), (member, {"unrestrict": True})):
        assert key_of(deny(client, share_id, rule["id"], **more)) == "forbidden"
    assert targets(nova, share_id) == [TARGET]
    assert deny(nova, share_id, rule["id"], unrestrict=True).status_code == 202
    assert targets(nova, share_id) == []


def test_a_locked_rule_keeps_its_share(nova: Client, admin: Client, member: Client) -> None:
    share_id = member.share()["id"]
    rule = nova.rule(share_id, TARGET, lock_deletion=True)
    for client in (member, admin, nova):
        assert key_of(client.delete(f"/shares/{share_id}")) == "forbidden"
    forced = admin.post(f"/shares/{share_id}/action", {"force_delete": None})
    assert key_of(forced) == "badRequest"
    assert deny(nova, share_id, rule["id"], unrestrict=True).status_code == 202
    assert member.delete(f"/shares/{share_id}").status_code == 202


def test_one_rule_of_two_still_keeps_its_share(member: Client) -> None:
    share_id = member.share()["id"]
    first, second = (member.rule(share_id, f"192.0.2.{n}", lock_deletion=True) for n in (1, 2))
    assert deny(member, share_id, first["id"], unrestrict=True).status_code == 202
    assert key_of(member.delete(f"/shares/{share_id}")) == "forbidden"
    assert deny(member, share_id, second["id"], unrestrict=True).status_code == 202
    assert member.delete(f"/shares/{share_id}").status_code == 202


def test_who_sees_a_hidden_rule(
    nova: Client, member: Client, reader: Client, admin: Client, owner_admin: Client
) -> None:
    share_id = member.share()["id"]
    rule = nova.rule(share_id, TARGET, lock_visibility=True)
    path = f"/share-access-rules/{rule['id']}"
    for client in (member, reader):
        shown = client.get(path).json["access"]
        assert (shown["access_to"], shown["access_key"]) == (HIDDEN, HIDDEN)
        assert targets(client, share_id) == [HIDDEN]
        assert targets(client, share_id, f"&access_type=ip&access_to={TARGET}") == []
        listed = client.at(44).post(f"/shares/{share_id}/action", {"access_list": None})
        assert TARGET not in listed.text
    changed = member.put(path, {"update_access": {"access_level": "ro"}})
    assert changed.json["access"]["access_to"] == HIDDEN
    for client in (nova, admin, owner_admin):
        assert client.get(path).json["access"]["access_to"] == TARGET
        assert targets(client, share_id, f"&access_type=ip&access_to={TARGET}") == [TARGET]


def test_a_user_sees_through_and_lifts_only_an_own_lock(
    member: Client, colleague: Client, admin: Client
) -> None:
    share_id = member.share()["id"]
    rule = member.rule(share_id, TARGET, **LOCKED)
    path = f"/share-access-rules/{rule['id']}"
    assert member.get(path).json["access"]["access_to"] == TARGET
    assert colleague.get(path).json["access"]["access_to"] == HIDDEN
    assert key_of(deny(colleague, share_id, rule["id"], unrestrict=True)) == "forbidden"
    assert key_of(deny(member, share_id, rule["id"])) == "forbidden"
    assert deny(member, share_id, rule["id"], unrestrict=True).status_code == 202


def test_an_administrators_lock(app: Any, admin: Client, nova: Client, member: Client) -> None:
    share_id = member.share()["id"]
    rule = admin.rule(share_id, TARGET, lock_deletion=True)
    service = Client(app, OWNER, "service,member")
    for client in (member, service):
        assert key_of(deny(client, share_id, rule["id"], unrestrict=True)) == "forbidden"
    assert deny(admin, share_id, rule["id"], unrestrict=True).status_code == 202


def test_a_denied_rule_stays_hidden_until_it_is_gone(
    nova: Client, member: Client, world: World
) -> None:
    share_id = member.share()["id"]
    rule = nova.rule(share_id, TARGET, **LOCKED)
    world.engine.stop()
    assert deny(nova, share_id, rule["id"], unrestrict=True).status_code == 202
    shown = member.get(f"/share-access-rules/{rule['id']}").json["access"]
    assert (shown["state"], shown["access_to"]) == ("queued_to_deny", HIDDEN)


def test_a_duplicate_leaves_no_lock(member: Client) -> None:
    share_id = member.share()["id"]
    member.rule(share_id, TARGET)
    same = {"access_type": "ip", "access_to": TARGET, **LOCKED}
    again = member.post(f"/shares/{share_id}/action", {"allow_access": same})
    assert key_of(again) == "badRequest"
    assert member.delete(f"/shares/{share_id}").status_code == 202


def test_before_locks_were_known(member: Client) -> None:
    share_id = member.share()["id"]
    wanted = {"access_type": "ip", "access_to": TARGET, **LOCKED}
    made = member.at(81).post(f"/shares/{share_id}/action", {"allow_access": wanted})
    assert deny(member, share_id, made.json["access"]["id"]).status_code == 202


def test_an_explanation_does_not_tell_what_a_lock_hides(nova: Client, member: Client) -> None:
    share_id = member.share()["id"]
    nova.rule(share_id, TARGET, **LOCKED)
    path = f"/shares/{share_id}/explain?client={TARGET}"
    told = member.get(path, prefix="/roadstead/v1").text
    assert '"verdict":"admitted"' in told.replace(" ", "")
    assert f"{TARGET} admits" not in told
    assert f"{HIDDEN} admits" in told
