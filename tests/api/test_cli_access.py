"""`openstack share access …`. D-I3, D-I4."""

import pytest

from tests.api.cloud import User


@pytest.mark.parametrize(
    ("to", "level"),
    [
        ("10.0.0.1", "rw"),
        ("10.0.0.0/24", "ro"),
        ("10.0.0.7/32", "rw"),
        ("fd00::7", "ro"),
        ("fd00:1::/64", "rw"),
    ],
)
def test_rule_becomes_active(member: User, to: str, level: str) -> None:
    """D-I3."""
    openstack = member.cli
    member.share(name="s")
    at = ("share", "access")
    made = openstack.json(*at, "create", "s", "ip", to, "--access-level", level)
    assert (made["access_type"], made["access_to"], made["access_level"]) == ("ip", to, level)
    assert made["state"] == "queued_to_apply"
    member.api.wait_rule(made["id"])
    (listed,) = openstack.json(*at, "list", "s")
    assert (listed["ID"], listed["Access To"]) == (made["id"], to)
    assert (listed["Access Level"], listed["State"]) == (level, "active")
    shown = openstack.json(*at, "show", made["id"])
    assert (shown["share_id"], shown["state"]) == (made["share_id"], "active")
    openstack(*at, "delete", "s", made["id"])
    member.api.wait_gone(f"/share-access-rules/{made['id']}")
    assert openstack.json(*at, "list", "s") == []


def test_level_is_rw_unless_told(member: User) -> None:
    member.share(name="s")
    made = member.cli.json("share", "access", "create", "s", "ip", "10.0.0.1")
    assert made["access_level"] == "rw"


def test_properties_and_level_change(member: User) -> None:
    openstack = member.cli
    share_id = member.share(name="s")["id"]
    made = openstack.json("share", "access", "create", "s", "ip", "10.0.0.1", "--properties", "a=1")
    assert made["properties"] == "a : 1"
    rule = made["id"]
    member.api.wait_rule(rule)
    openstack("share", "access", "set", rule, "--property", "b=2")
    assert openstack.json("share", "access", "show", rule)["properties"] == "a : 1\nb : 2"
    found = openstack.json("share", "access", "list", "s", "--properties", "b=2")
    assert [row["ID"] for row in found] == [rule]
    assert openstack.json("share", "access", "list", "s", "--properties", "b=3") == []
    openstack("share", "access", "unset", rule, "--property", "a")
    assert openstack.json("share", "access", "show", rule)["properties"] == "b : 2"
    assert "(HTTP 404)" in openstack.refused("share", "access", "unset", rule, "--property", "a")
    openstack("share", "access", "set", rule, "--access-level", "ro")
    assert member.api.wait_rule(rule)["access_level"] == "ro"
    assert member.api.share(str(share_id))["access_rules_status"] == "active"


def test_list_filters(member: User) -> None:
    openstack = member.cli
    share_id = str(member.share(name="s")["id"])
    member.api.allow(share_id, "10.0.0.1", "rw")
    member.api.allow(share_id, "10.0.0.2", "ro")

    def found(*options: str) -> set[str]:
        rows = openstack.json("share", "access", "list", "s", *options)
        return {row["Access To"] for row in rows}

    assert found("--access-level", "ro") == {"10.0.0.2"}
    assert found("--access-type", "ip", "--access-to", "10.0.0.1") == {"10.0.0.1"}
    assert found("--access-type", "user") == set()
    assert "(HTTP 400)" in openstack.refused("share", "access", "list", "s", "--access-type", "x")


def test_what_the_backend_cannot_do_ends_in_error_with_a_message(member: User) -> None:
    """D-I4."""
    openstack = member.cli
    share_id = str(member.share(name="s")["id"])
    rule = openstack.json("share", "access", "create", "s", "user", "bobby")["id"]
    member.api.wait_rule(rule, ["error"])
    assert openstack.json("share", "show", "s")["access_rules_status"] == "error"
    (message,) = openstack.json("share", "message", "list", "--resource-id", share_id)
    assert "'user' is not supported" in message["User Message"]
    openstack("share", "access", "delete", "s", rule)
    member.api.wait_gone(f"/share-access-rules/{rule}")
    assert openstack.json("share", "show", "s")["access_rules_status"] == "active"


def test_refusals(member: User, stranger: User) -> None:
    openstack = member.cli
    share_id = str(member.share(name="s")["id"])
    rule = str(member.api.allow(share_id, "10.0.0.1")["id"])
    create = ("share", "access", "create", "s")
    assert "already has a rule for ip 10.0.0.1" in openstack.refused(*create, "ip", "10.0.0.1")
    for target in ("nonsense", "10.0.0.300", "10.0.0.5/24", "fd00::1::2"):
        openstack.refused(*create, "ip", target)
    assert "access types are supported" in openstack.refused(*create, "wish", "10.0.0.9")
    lost = "11111111-2222-4333-8444-555555555555"
    assert "could not be found" in openstack.refused("share", "access", "delete", "s", lost)
    assert "could not be found" in openstack.refused("share", "access", "show", lost)
    assert "could not be found" in stranger.cli.refused("share", "access", "show", rule)
    assert [row["ID"] for row in openstack.json("share", "access", "list", "s")] == [rule]
