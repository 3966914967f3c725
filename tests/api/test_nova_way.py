"""How Nova attaches a share: openstacksdk, everything at 2.82. A member makes the share, Nova's
service user grants it to a compute host, waits, and takes the grant back (H-M5)."""

from typing import Any

import openstack.exceptions
import pytest

from tests.api.cloud import Cloud, User

HOST = "192.0.2.77"


@pytest.fixture
def nova(cloud: Cloud) -> User:
    """Nova's service user, in a project of its own."""
    return cloud.user(("service", "admin"))


def _grant(manila: Any, share_id: str) -> Any:
    return manila.create_access_rule(
        share_id,
        access_type="ip",
        access_to=HOST,
        access_level="rw",
        lock_visibility=True,
        lock_deletion=True,
        lock_reason="Lock by nova",
    )


def test_attach_and_detach(member: User, nova: User) -> None:
    share_id = str(member.share(name="s")["id"])
    users, manila = member.connect().shared_file_system, nova.connect().shared_file_system
    share = users.get_share(share_id)
    assert (share.status, share.share_protocol) == ("available", "NFS")
    (*_, location) = users.export_locations(share_id)
    assert location.path.endswith(next(iter(member.api.paths(share_id))).rpartition("/")[2])
    # no rule for this host yet, as the service user sees it
    assert list(manila.access_rules(share)) == []
    granted = _grant(manila, share_id)
    assert (granted.access_type, granted.access_to, granted.access_level) == ("ip", HOST, "rw")
    assert granted.share_id == share_id
    manila.wait_for_status(granted, "active", attribute="state", interval=0.05, wait=10)
    (rule,) = manila.access_rules(share)
    assert (rule.access_to, rule.state) == (HOST, "active")
    answer: Any = manila.delete_access_rule(rule.id, share_id, unrestrict=True)
    assert answer.status_code == 202
    nova.api.wait_gone(f"/share-access-rules/{rule.id}")
    assert list(manila.access_rules(share)) == []
    member.cli("share", "delete", "s")
    member.api.wait_gone(f"/shares/{share_id}")


def test_the_grant_is_out_of_the_members_hands(member: User, nova: User) -> None:
    """While a VM uses it, its owner can neither see, deny nor delete it."""
    share_id = str(member.share(name="s")["id"])
    manila = nova.connect().shared_file_system
    rule = _grant(manila, share_id).id
    member.api.wait_rule(rule)
    (seen,) = member.cli.json("share", "access", "list", "s")
    assert (seen["ID"], seen["Access To"], seen["Access Level"]) == (rule, "******", "rw")
    for command in (
        ("access", "delete", "s", rule),
        ("access", "delete", "s", rule, "--unrestrict"),
        ("delete", "s"),
    ):
        assert "(HTTP 403)" in member.cli.refused("share", *command), command
    with pytest.raises(openstack.exceptions.ForbiddenException):
        manila.delete_access_rule(rule, share_id)
    assert nova.api.rules(share_id)[0]["access_to"] == HOST
    manila.delete_access_rule(rule, share_id, unrestrict=True)
    member.api.wait_gone(f"/share-access-rules/{rule}")
    member.cli("share", "delete", "s")
    member.api.wait_gone(f"/shares/{share_id}")


def test_granted_twice(member: User, nova: User) -> None:
    """A second attachment on the same host finds the first one's rule."""
    share_id = str(member.share()["id"])
    manila = nova.connect().shared_file_system
    first = _grant(manila, share_id)
    with pytest.raises(openstack.exceptions.BadRequestException, match="already has a rule"):
        _grant(manila, share_id)
    (rule,) = manila.access_rules(manila.get_share(share_id))
    assert rule.id == first.id


def test_members_lock_for_themselves(member: User) -> None:
    openstack = member.cli
    member.share(name="s")
    at = ("share", "access")
    rule = openstack.json(*at, "create", "s", "ip", "10.0.0.1", "--lock-deletion")["id"]
    member.api.wait_rule(rule)
    assert "locked" in openstack.refused(*at, "delete", "s", rule)
    openstack(*at, "delete", "s", rule, "--unrestrict")
    member.api.wait_gone(f"/share-access-rules/{rule}")
