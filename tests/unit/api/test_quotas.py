"""Quota sets and classes on the wire (wire.md#quotas)."""

import msgspec
import pytest

from roadstead.api.app import make_app
from roadstead.model.quotas import DEFAULT_LIMITS
from tests.factories import make_caller, make_share
from tests.unit.api.asking import OURS, THEIRS, Asker
from tests.unit.api.client import HeaderAuth


@pytest.fixture
def ask(app) -> Asker:
    return Asker(app)


SET = f"/quota-sets/{OURS}"
BASE = {"shares", "gigabytes", "snapshots", "snapshot_gigabytes", "share_networks"}


def shown(ask, who="member", path=SET, v="2.99"):
    return ask.ok(who, "GET", path, v=v)["quota_set"]


def put(ask, path=SET, v="2.99", **quotas):
    return ask.ok("admin", "PUT", path, {"quota_set": quotas}, v=v)["quota_set"]


@pytest.mark.parametrize(
    ("v", "more"),
    [
        ("2.7", set()),
        ("2.40", {"share_groups", "share_group_snapshots"}),
        ("2.53", {"share_replicas", "replica_gigabytes"}),
        ("2.62", {"per_share_gigabytes"}),
        ("2.80", {"backups", "backup_gigabytes"}),
        ("2.90", {"encryption_keys"}),
    ],
)
def test_keys_by_version(ask, v, more):
    keys = set(shown(ask, v=v))
    assert keys >= BASE | more | {"id"}
    before = f"2.{int(v.removeprefix('2.')) - 1}"
    if more:
        assert not more & set(shown(ask, v=before))
    else:
        assert keys == BASE | {"id"}


def test_everything_at_the_newest_version(ask):
    assert shown(ask) == {"id": OURS, **DEFAULT_LIMITS}
    assert shown(ask, path=f"{SET}/defaults") == {"id": OURS, **DEFAULT_LIMITS}


def test_the_old_paths(ask):
    old = f"/os-quota-sets/{OURS}"
    assert set(shown(ask, path=old, v="2.6")) == BASE | {"id"}
    assert put(ask, old, v="2.0", shares=3)["shares"] == 3
    assert shown(ask, path=f"{old}/defaults", v="2.6")["shares"] == 50
    assert ask("admin", "DELETE", old, v="2.6") == (202, None)
    for path, v in ((old, "2.7"), (SET, "2.6"), (f"{SET}/detail", "2.24")):
        ask.refused(404, "member", "GET", path, v=v)


def test_detail_counts_what_is_there(ask, world):
    caller = make_caller(OURS)
    make_share(world, caller, size_gib=3)
    make_share(world, caller, size_gib=4)
    found = shown(ask, path=f"{SET}/detail", v="2.25")
    assert found["shares"] == {"limit": 50, "in_use": 2, "reserved": 0}
    assert found["gigabytes"] == {"limit": 1000, "in_use": 7, "reserved": 0}
    assert set(found) == BASE | {"id"}


def test_whose_quota_one_may_see(ask):
    ask.refused(403, "stranger", "GET", SET)
    ask.refused(403, "stranger", "GET", f"{SET}/detail")
    ask.refused(403, "nobody", "GET", SET)
    assert shown(ask, "stranger", f"{SET}/defaults")["id"] == OURS
    assert shown(ask, "admin")["id"] == OURS
    ask.refused(403, "member", "PUT", SET, {"quota_set": {"shares": 1}})
    ask.refused(403, "member", "DELETE", SET)


def test_parts_of_a_quota_answer_with_the_whole(ask):
    put(ask, shares=9)
    assert shown(ask, path=f"{SET}?user_id=u1")["shares"] == 9
    by_type = shown(ask, path=f"{SET}?share_type=default")
    assert by_type["shares"] == 9
    assert not {"share_networks", "share_groups", "share_group_snapshots"} & set(by_type)
    ask.refused(400, "member", "GET", f"{SET}?share_type=default&user_id=x")
    ask.refused(404, "member", "GET", f"{SET}?share_type=zz")
    ask.refused(400, "member", "GET", f"{SET}?share_type=default", v="2.38")


def test_parts_of_a_quota_cannot_be_set_yet(ask):
    put(ask, shares=9)
    for query in ("user_id=u1", "share_type=default"):
        ask.refused(400, "admin", "PUT", f"{SET}?{query}", {"quota_set": {"shares": 3}})
        assert ask("admin", "DELETE", f"{SET}?{query}") == (202, None)
    assert shown(ask)["shares"] == 9


def test_update_and_reset(ask):
    changed = put(ask, shares=60, gigabytes=-1, tenant_id=OURS, snapshots="61")
    assert changed == {**DEFAULT_LIMITS, "shares": 60, "gigabytes": -1, "snapshots": 61}
    assert shown(ask) == {"id": OURS, **changed}
    assert shown(ask, "stranger", f"/quota-sets/{THEIRS}")["shares"] == 50
    assert ask("admin", "DELETE", SET) == (202, None)
    assert shown(ask)["shares"] == 50


def test_update_is_strict(ask):
    for quotas in (
        {},
        {"force": True},
        {"tenant_id": OURS},
        {"shares": 1, "foo": 1},
        {"shares": -2},
        {"shares": "x"},
        {"shares": None},
        {"shares": 1.5},
        {"shares": True},
        {"shares": 2**31},
        {"shares": 1, "force": "perhaps"},
    ):
        ask.refused(400, "admin", "PUT", SET, {"quota_set": quotas})
    ask.refused(400, "admin", "PUT", SET, {})
    ask.refused(400, "admin", "PUT", SET, {"quota_set": {"share_replicas": 1}}, v="2.45")
    assert "share_replicas" not in put(ask, v="2.30", share_replicas=1)
    assert shown(ask)["share_replicas"] == 1


def test_not_below_what_is_in_use_unless_forced(ask, world):
    caller = make_caller(OURS)
    make_share(world, caller)
    make_share(world, caller)
    ask.refused(400, "admin", "PUT", SET, {"quota_set": {"shares": 1}})
    assert put(ask, shares=2)["shares"] == 2
    assert put(ask, shares=1, force=True)["shares"] == 1
    assert put(ask, shares=-1)["shares"] == -1


def test_classes(ask):
    path = "/quota-class-sets/default"
    assert ask.ok("admin", "GET", path) == {"quota_class_set": {"id": "default", **DEFAULT_LIMITS}}
    changed = {**DEFAULT_LIMITS, "shares": 7}
    answer = ask.ok("admin", "PUT", path, {"quota_class_set": {"shares": 7, "foo": 1}})
    assert answer == {"quota_class_set": changed}
    assert shown(ask)["shares"] == 7
    assert shown(ask, path=f"{SET}/defaults")["shares"] == 7
    put(ask, shares=8)
    assert shown(ask)["shares"] == 8
    for body in ({}, {"quota_class_set": 1}, {"quota_class_set": {"shares": "x"}}):
        ask.refused(400, "admin", "PUT", path, body)
    for who in ("member", "reader"):
        ask.refused(403, who, "GET", path)
        ask.refused(403, who, "PUT", path, {"quota_class_set": {"shares": 1}})


def test_the_old_paths_of_classes(ask):
    old = "/os-quota-class-sets/gold"
    sent = {"quota_class_set": {"shares": 500}}
    assert ask.ok("admin", "PUT", old, sent, v="2.6")["quota_class_set"]["shares"] == 500
    assert set(ask.ok("admin", "GET", old, v="2.0")["quota_class_set"]) == BASE | {"id"}
    ask.refused(404, "admin", "GET", old, v="2.7")
    assert shown(ask)["shares"] == 50


def test_configured_limits_hold_where_nobody_set_others(world):
    """A project's own before the class `default` before the configuration."""
    limits = {**DEFAULT_LIMITS, "shares": 2, "gigabytes": 20, "snapshots": 7}
    service = msgspec.structs.replace(world.service, default_limits=limits)
    ask = Asker(make_app(service, auth=HeaderAuth()))
    path = f"/quota-sets/{OURS}"

    def shown(where=path):
        found = ask.ok("admin", "GET", where)["quota_set"]
        return found["shares"], found["gigabytes"], found["snapshots"]

    assert shown() == shown(f"{path}/defaults") == (2, 20, 7)
    share = {"share": {"share_proto": "NFS", "size": 11}}
    made = ask.ok("member", "POST", "/shares", share)["share"]
    ask.refused(413, "member", "POST", "/shares", share)
    extend = {"extend": {"new_size": 21}}
    ask.refused(403, "member", "POST", f"/shares/{made['id']}/action", extend)
    assert ask.ok("member", "GET", "/limits")["limits"]["absolute"]["maxTotalShares"] == 2
    new = {"quota_class_set": {"shares": 3, "gigabytes": 30}}
    ask.ok("admin", "PUT", "/quota-class-sets/default", new)
    assert shown() == shown(f"{path}/defaults") == (3, 30, 7)
    ask.ok("admin", "PUT", path, {"quota_set": {"shares": 4}})
    assert shown() == (4, 30, 7)
    assert shown(f"{path}/defaults") == (3, 30, 7)
    ask.ok("admin", "DELETE", path)
    assert shown() == (3, 30, 7)
