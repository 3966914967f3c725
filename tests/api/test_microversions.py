"""What old clients see: `--os-share-api-version` from the first to the last."""

import pytest

from tests.api.cloud import User


def test_first_version(member: User) -> None:
    openstack = member.cli.at("2.0")
    made = openstack.json("share", "create", "NFS", "1", "--name", "s")
    assert made["share_type"] == "default"
    assert "export_location" in made
    assert "user_id" not in made
    member.api.wait_share(made["id"])
    (listed,) = openstack.json("share", "list")
    assert (listed["ID"], listed["Status"]) == (made["id"], "available")
    assert openstack.json("share", "availability", "zone", "list")
    assert openstack.json("share", "type", "list")
    assert openstack.json("share", "limits", "show", "--absolute")
    openstack("share", "resize", "s", "2")
    member.api.wait_share(made["id"])
    openstack("share", "delete", "s")
    member.api.wait_gone(f"/shares/{made['id']}")


@pytest.mark.parametrize(
    ("version", "keys"),
    [
        ("2.0", {"created_at", "is_public", "share_type"}),
        ("2.32", {"created_at", "access_rules_status", "mount_snapshot_support", "user_id"}),
        ("2.98", {"created_at", "progress", "is_soft_deleted", "encryption_key_ref"}),
    ],
)
def test_fields_come_with_their_version(member: User, version: str, keys: set[str]) -> None:
    made = member.cli.at(version).json("share", "create", "NFS", "1")
    assert keys <= made.keys()
    assert ("user_id" in made) is (version != "2.0")
    assert ("progress" in made) is (version == "2.98")


@pytest.mark.parametrize(
    ("version", "columns"),
    [
        ("2.0", 5),  # POST …/action os-access_list, the state of all rules together
        ("2.7", 5),  # POST …/action access_list
        ("2.32", 6),  # each rule's own state, and its key
        ("2.44", 8),
        ("2.45", 8),  # GET /share-access-rules
        ("2.98", 8),
    ],
)
def test_access_list_in_both_forms(member: User, version: str, columns: int) -> None:
    share_id = str(member.share(name="s")["id"])
    rule = member.api.allow(share_id, "10.0.0.1", "ro")["id"]
    (row,) = member.cli.at(version).json("share", "access", "list", "s")
    assert len(row) == columns
    assert (row["ID"], row["Access To"], row["Access Level"], row["State"]) == (
        rule, "10.0.0.1", "ro", "active")  # fmt: skip


def test_rules_of_old_clients_are_rules(member: User) -> None:
    member.share(name="s")
    old = member.cli.at("2.0")
    made = old.json("share", "access", "create", "s", "ip", "10.0.0.0/8")
    member.api.wait_rule(made["id"])
    old.refused("share", "access", "create", "s", "ip", "fd00::1")
    old("share", "access", "delete", "s", made["id"])
    member.api.wait_gone(f"/share-access-rules/{made['id']}")


def test_messages_begin_at_2_37(member: User) -> None:
    assert member.cli.at("2.37").json("share", "message", "list") == []
    assert "2.36" in member.cli.at("2.36").refused("share", "message", "list")


def test_newest_version_by_hand(member: User) -> None:
    """The stock client knows 2.98; the server one more."""
    at_99 = member.api.send("GET", "/shares")
    assert at_99.status_code == 200
    assert at_99.headers["X-OpenStack-Manila-API-Version"] == "2.99"
    refused = member.api.send("GET", "/shares", headers={"X-OpenStack-Manila-API-Version": "2.100"})
    assert refused.status_code == 406
    assert "maximum 2.99" in refused.text
