"""`openstack share type|service|pool|message|limits|availability zone|instance …`."""

import uuid
from collections.abc import Generator

import pytest

from tests.api.cloud import User


@pytest.fixture
def gold(admin: User) -> Generator[str]:
    """The name of a private type for shares of at most 5 GiB."""
    name = f"gold-{uuid.uuid4().hex[:8]}"
    made = admin.cli.json(
        *("share", "type", "create", name, "False", "--public", "False", "--description", "shiny"),
        *("--extra-specs", "provisioning:max_share_size=5", "--snapshot-support", "true"),
    )
    assert (made["name"], made["visibility"], made["description"]) == (name, "private", "shiny")
    assert made["required_extra_specs"] == {"driver_handles_share_servers": "False"}
    assert made["optional_extra_specs"] == {
        "provisioning:max_share_size": "5",
        "snapshot_support": "True",
    }
    yield made["id"]
    left = {row["ID"] for row in admin.cli.json("share", "type", "list", "--all")}
    if made["id"] in left:
        admin.cli("share", "type", "delete", made["id"])


def test_everybody_sees_the_default_type(member: User) -> None:
    (default,) = member.cli.json("share", "type", "list")
    assert (default["Name"], default["Visibility"], default["Is Default"]) == (
        "default", "public", True)  # fmt: skip
    assert member.cli.json("share", "type", "show", "default")["id"] == default["ID"]


def test_a_private_type_is_for_those_who_were_let_in(
    admin: User, member: User, stranger: User, gold: str
) -> None:
    at = ("share", "type", "access")
    absent = f"No sharetype with a name or ID of '{gold}' exists"
    assert absent in member.cli.refused("share", "create", "NFS", "1", "--share-type", gold)
    admin.cli(*at, "create", gold, member.project)
    assert admin.cli.json(*at, "list", gold) == [{"Project ID": member.project}]
    made = member.cli.json("share", "create", "NFS", "5", "--share-type", gold)
    assert made["share_type"] == gold
    assert "allows 5 GiB at most" in member.cli.refused(
        "share", "create", "NFS", "6", "--share-type", gold
    )
    assert absent in stranger.cli.refused("share", "create", "NFS", "1", "--share-type", gold)
    assert gold not in {row["ID"] for row in stranger.cli.json("share", "type", "list")}
    assert "in use" in admin.cli.refused("share", "type", "delete", gold)
    member.api.wait_share(made["id"])
    member.api.delete_share(made["id"])
    admin.cli(*at, "delete", gold, member.project)
    assert admin.cli.json(*at, "list", gold) == []
    assert absent in member.cli.refused("share", "type", "show", gold)


def test_type_set_and_unset(admin: User, gold: str) -> None:
    at, name = ("share", "type"), f"silver-{uuid.uuid4().hex[:8]}"
    admin.cli(*at, "set", gold, "--name", name, "--description", "dull", "--extra-specs", "c=grey")
    shown = admin.cli.json(*at, "show", name)
    assert (shown["id"], shown["description"]) == (gold, "dull")
    assert shown["optional_extra_specs"]["c"] == "grey"
    found = admin.cli.json(*at, "list", "--all", "--extra-specs", "c=grey")
    assert gold in {row["ID"] for row in found}
    admin.cli(*at, "unset", name, "c")
    assert "c" not in admin.cli.json(*at, "show", name)["optional_extra_specs"]
    assert "required" in admin.cli.refused(*at, "unset", name, "driver_handles_share_servers")
    admin.cli(*at, "set", gold, "--public", "True")
    assert admin.cli.json(*at, "show", name)["visibility"] == "public"
    assert "public" in admin.cli.refused(*at, "access", "list", name)
    admin.cli(*at, "delete", name)
    assert "exists" in admin.cli.refused(*at, "show", gold)


def test_type_refusals(admin: User, member: User) -> None:
    at = ("share", "type")
    assert "(HTTP 409)" in admin.cli.refused(*at, "create", "default", "False")
    assert "not valid" in admin.cli.refused(*at, "create", "x", "maybe")
    assert "(HTTP 400)" in admin.cli.refused(
        *at, "create", "x", "False", "--extra-specs", "provisioning:max_share_size=big"
    )
    for command in (
        ("create", "x", "False"),
        ("delete", "default"),
        ("set", "default", "--name", "x"),
        ("set", "default", "--extra-specs", "a=b"),
        ("unset", "default", "snapshot_support"),
        ("access", "create", "default", member.project),
    ):
        complaint = member.cli.refused(*at, *command)
        assert "(HTTP 403)" in complaint, (command, complaint)
    assert "exists" in member.cli.refused(*at, "show", "x")


def test_isolation_of_a_pool_is_shown(admin: User) -> None:
    """D-M1."""
    pools = admin.cli.json("share", "pool", "list", "--detail")
    assert {pool["Name"]: pool["Capabilities"]["isolation"] for pool in pools} == {
        "node1@local#memory": "acl",
        "node1@second#memory": "acl",
    }


def test_pool_list(admin: User, member: User) -> None:
    at = ("share", "pool", "list")
    pools = admin.cli.json(*at)
    facts = {"Host": "node1", "Backend": "local", "Pool": "memory"}
    assert pools[0] == {"Name": "node1@local#memory", **facts}
    (second,) = admin.cli.json(*at, "--backend", "sec.*")
    assert second["Backend"] == "second"
    assert admin.cli.json(*at, "--host", "elsewhere") == []
    assert len(admin.cli.json(*at, "--share-type", "default")) == 2
    (detail,) = admin.cli.json(*at, "--pool", "memory", "--backend", "local", "--detail")
    facts = detail["Capabilities"]
    assert facts["total_capacity_gb"] >= facts["free_capacity_gb"] > 0
    assert facts["storage_protocol"] == "NFS"
    assert facts["driver_handles_share_servers"] is False
    assert "(HTTP 403)" in member.cli.refused(*at)


def test_services(admin: User, member: User) -> None:
    at = ("share", "service")
    rows = admin.cli.json(*at, "list")
    assert {(row["Binary"], row["Host"], row["Zone"]) for row in rows} == {
        ("manila-share", "node1@local", "nova"),
        ("manila-share", "node1@second", "east"),
        ("manila-scheduler", "node1", "nova"),
    }
    assert {(row["Status"], row["State"]) for row in rows} == {("enabled", "up")}
    (east,) = admin.cli.json(*at, "list", "--zone", "east")
    assert east["Host"] == "node1@second"
    assert admin.cli.json(*at, "list", "--state", "down") == []
    assert "(HTTP 403)" in member.cli.refused(*at, "list")
    assert "(HTTP 403)" in member.cli.refused(
        *at, "set", "node1@second", "manila-share", "--disable"
    )
    assert "(HTTP 404)" in admin.cli.refused(*at, "set", "nowhere", "manila-share", "--disable")


def test_a_disabled_service_gets_no_shares(admin: User, member: User) -> None:
    at = ("share", "service")
    target = ("node1@second", "manila-share")
    admin.cli(*at, "set", *target, "--disable", "--disable-reason", "new disks")
    try:
        (row,) = admin.cli.json(*at, "list", "--host", "node1@second")
        assert (row["Status"], row["Disabled Reason"]) == ("disabled", "new disks")
        made = member.cli.json("share", "create", "NFS", "1", "--availability-zone", "east")
        assert made["status"] == "error"
        (message,) = member.cli.json("share", "message", "list", "--resource-id", made["id"])
        assert "node1@second#memory" in message["User Message"]
    finally:
        admin.cli(*at, "set", *target, "--enable")
    (row,) = admin.cli.json(*at, "list", "--host", "node1@second")
    assert (row["Status"], row["Disabled Reason"]) == ("enabled", None)


def test_messages(admin: User, member: User, stranger: User) -> None:
    """A share that no pool takes: the message names each pool and the filter that refused it."""
    openstack = member.cli
    failed = openstack.json(
        "share", "create", "NFS", "1", "--scheduler-hint", "different_host="
        + f"{member.share(availability_zone='nova')['id']}", "--availability-zone", "nova",
    )  # fmt: skip
    assert failed["status"] == "error"
    (row,) = openstack.json("share", "message", "list", "--resource-type", "SHARE")
    assert (row["Resource ID"], row["Action ID"]) == (failed["id"], "001")
    for pool in ("node1@local#memory", "node1@second#memory"):
        assert pool in row["User Message"]
    shown = openstack.json("share", "message", "show", row["ID"])
    assert (shown["message_level"], shown["user_message"]) == ("ERROR", row["User Message"])
    assert shown["request_id"].startswith("req-")
    for options, count in [
        (("--request-id", shown["request_id"]), 1),
        (("--resource-id", failed["id"]), 1),
        (("--resource-id", member.project), 0),
        (("--message-level", "ERROR"), 1),
        (("--detail-id", row["Detail ID"]), 1),
        (("--action-id", "002"), 0),
        (("--since", "2001-01-01"), 1),
        (("--before", "2001-01-01"), 0),
        (("--limit", "1"), 1),
    ]:
        assert len(openstack.json("share", "message", "list", *options)) == count, options
    assert stranger.cli.json("share", "message", "list") == []
    assert "exists" in stranger.cli.refused("share", "message", "show", row["ID"])
    assert "Unable to delete" in stranger.cli.refused("share", "message", "delete", row["ID"])
    openstack("share", "message", "delete", row["ID"])
    assert openstack.json("share", "message", "list") == []


def test_limits(member: User) -> None:
    def now() -> dict[str, int]:
        rows = member.cli.json("share", "limits", "show", "--absolute")
        return {row["Name"]: row["Value"] for row in rows}

    before = now()
    assert (before["maxTotalShares"], before["totalSharesUsed"]) == (50, 0)
    member.share(size=3)
    after = now()
    assert (after["totalSharesUsed"], after["totalShareGigabytesUsed"]) == (1, 3)
    assert member.cli.json("share", "limits", "show", "--rate") == []


def test_availability_zones(reader: User) -> None:
    rows = reader.cli.json("share", "availability", "zone", "list")
    assert sorted(row["Name"] for row in rows) == ["east", "nova"]


def test_instances(admin: User, member: User) -> None:
    share = member.share(name="s")
    at = ("share", "instance")
    (row,) = admin.cli.json(*at, "list", "--share", str(share["id"]))
    assert (row["Share ID"], row["Status"]) == (share["id"], "available")
    shown = admin.cli.json(*at, "show", row["ID"])
    assert shown["host"] == row["Host"]
    paths = {location["path"] for location in shown["export_locations"]}
    assert paths == set(member.api.paths(str(share["id"])))
    (one, *_) = admin.cli.json(*at, "export", "location", "list", row["ID"])
    found = admin.cli.json(*at, "list", "--export-location", one["Path"])
    assert [instance["ID"] for instance in found] == [row["ID"]]
    location = admin.cli.json(*at, "export", "location", "show", row["ID"], one["ID"])
    assert location["path"] == one["Path"]
    admin.cli(*at, "set", row["ID"], "--status", "error")
    assert member.cli.json("share", "show", "s")["status"] == "error"
    assert "(HTTP 403)" in member.cli.refused(*at, "list")
    admin.cli(*at, "delete", row["ID"])
    member.api.wait_gone(f"/shares/{share['id']}")
