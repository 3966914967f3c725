"""`openstack share …`: what a user sees of shares. D-I1, D-M1."""

import pytest

from tests.api.cloud import Cloud, User


def _names(rows: list[dict[str, object]]) -> list[object]:
    return [row["Name"] for row in rows]


def test_from_create_to_delete(member: User) -> None:
    openstack = member.cli
    made = openstack.json(
        *("share", "create", "NFS", "1", "--name", "data", "--description", "for the team"),
        *("--property", "a=1", "--property", "b=2", "--share-type", "default", "--wait"),
    )
    assert (made["status"], made["size"], made["share_proto"]) == ("available", 1, "NFS")
    assert made["share_type_name"] == "default"
    assert made["project_id"] == member.project
    assert made["is_public"] is False
    shown = openstack.json("share", "show", "data")
    assert shown["id"] == made["id"]
    assert shown["description"] == "for the team"
    assert shown["properties"] == {"a": "1", "b": "2"}
    # D-I1: at least one path, and no network object
    assert shown["share_network_id"] is None
    assert "path = 192.0.2." in shown["export_locations"]
    openstack("share", "delete", "data", "--wait")
    assert openstack.json("share", "list") == []
    assert "No share with a name or ID of 'data' exists" in openstack.refused(
        "share", "show", "data"
    )


def test_resize(member: User) -> None:
    openstack, share_id = member.cli, member.share(name="s")["id"]
    openstack("share", "resize", "s", "3")
    member.api.wait_share(share_id)
    assert openstack.json("share", "show", "s")["size"] == 3
    openstack("share", "resize", "s", "2")
    member.api.wait_share(share_id)
    assert openstack.json("share", "show", "s")["size"] == 2
    assert "already at 2 GiBs" in openstack.refused("share", "resize", "s", "2")
    assert "new_size" in openstack.refused("share", "resize", "s", "0")
    assert openstack.json("share", "show", "s")["size"] == 2


def test_force_resize_is_for_administrators(member: User, admin: User) -> None:
    share_id = member.share(name="s")["id"]
    assert "(HTTP 403)" in member.cli.refused("share", "resize", "s", "5000", "--force")
    assert "(HTTP 403)" in member.cli.refused("share", "resize", "s", "5000")
    admin.cli("share", "resize", str(share_id), "900", "--force")
    member.api.wait_share(share_id)
    assert member.cli.json("share", "show", "s")["size"] == 900


def test_set_and_unset(admin: User) -> None:
    """As an administrator: the client's `share set` always resets the task state as well, which
    the API lets nobody else do."""
    openstack, share_id = admin.cli, str(admin.share(name="old", metadata={"a": "1"})["id"])
    openstack(
        *("share", "set", share_id, "--name", "new", "--description", "d", "--public", "True"),
        *("--property", "b=2", "--status", "error"),
    )
    shown = openstack.json("share", "show", "new")
    assert (shown["description"], shown["is_public"], shown["status"]) == ("d", True, "error")
    assert openstack.json("share", "properties", "show", "new") == {"a": "1", "b": "2"}
    openstack("share", "unset", "new", "--property", "a", "--description")
    shown = openstack.json("share", "show", "new")
    assert (shown["description"], shown["properties"]) == (None, {"b": "2"})
    assert "has no metadata 'nothing'" in openstack.refused(
        "share", "unset", "new", "--property", "nothing"
    )
    openstack("share", "unset", "new", "--name")
    assert openstack.json("share", "show", share_id)["name"] is None


def test_what_a_member_sets_is_set(member: User) -> None:
    """The client also resets the task state, each time: to nothing, which is refused to nobody."""
    member.share(name="old")
    member.cli("share", "set", "old", "--name", "new", "--property", "k=v")
    assert member.cli.json("share", "show", "new")["properties"] == {"k": "v"}


def test_a_member_makes_nothing_public(member: User) -> None:
    member.share(name="s")
    for command in (
        ("share", "create", "NFS", "1", "--public", "True"),
        ("share", "set", "s", "--public", "True"),
        ("share", "set", "s", "--status", "error"),
    ):
        assert "(HTTP 403)" in member.cli.refused(*command)
    (only,) = member.cli.json("share", "list")
    assert (only["Is Public"], only["Status"]) == (False, "available")


@pytest.fixture(scope="module")
def owner(cloud: Cloud) -> User:
    """Has four shares that lists can tell apart; nobody changes them."""
    user = cloud.user()
    nova = {"availability_zone": "nova"}
    user.share(name="alpha", metadata={"team": "red"}, description="first one", **nova)
    user.share(name="beta", size=3, metadata={"team": "blue", "tier": "1"}, **nova)
    user.share(name="gamma", size=2, availability_zone="east")
    user.share(name="omega", **nova)
    return user


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {"alpha", "beta", "gamma", "omega"}),
        (["--name", "beta"], {"beta"}),
        (["--name~", "mm"], {"gamma"}),
        (["--description~", "first"], {"alpha"}),
        (["--property", "team=blue"], {"beta"}),
        (["--property", "team=blue", "--property", "tier=2"], set()),
        (["--availability-zone", "east"], {"gamma"}),
        (["--share-type", "default"], {"alpha", "beta", "gamma", "omega"}),
        (["--status", "deleting"], set()),
        (["--soft-deleted"], set()),
    ],
)
def test_list_filters(owner: User, options: list[str], expected: set[str]) -> None:
    assert set(_names(owner.cli.json("share", "list", *options))) == expected


def test_list_by_export_location(owner: User) -> None:
    (location,) = owner.cli.json("share", "export", "location", "list", "gamma")
    for wanted in (location["ID"], location["Path"]):
        found = owner.cli.json("share", "list", "--export-location", wanted)
        assert _names(found) == ["gamma"]


def test_list_order_and_pages(owner: User) -> None:
    openstack = owner.cli
    assert _names(openstack.json("share", "list", "--sort", "name:desc")) == [
        "omega", "gamma", "beta", "alpha"]  # fmt: skip
    sizes = [row["Size"] for row in openstack.json("share", "list", "--sort", "size:asc")]
    assert sizes == [1, 1, 2, 3]
    assert set(_names(openstack.json("share", "list", "--limit", "2"))) == {"omega", "gamma"}
    # the client sends its marker as an offset
    assert _names(openstack.json("share", "list", "--limit", "2", "--marker", "3")) == ["alpha"]


def test_list_for_administrators(owner: User, admin: User, member: User) -> None:
    everywhere = admin.cli.json("share", "list", "--all-projects", "--name", "gamma", "--long")
    (gamma,) = [row for row in everywhere if row["Project ID"] == owner.project]
    assert gamma["Host"] == "node1@second#memory"
    on_host = admin.cli.json("share", "list", "--all-projects", "--host", gamma["Host"])
    assert gamma["ID"] in {row["ID"] for row in on_host}
    assert {row["Host"] for row in on_host} == {gamma["Host"]}
    by_spec = admin.cli.json(
        "share", "list", "--all-projects", "--extra-spec", "snapshot_support=True"
    )
    assert gamma["ID"] in {row["ID"] for row in by_spec}
    # others neither see where their shares are nor ask for it
    assert owner.cli.json("share", "list", "--name", "gamma")[0]["Host"] == ""
    assert "(HTTP 403)" in owner.cli.refused("share", "list", "--host", gamma["Host"])
    assert member.cli.json("share", "list", "--all-projects") == []


def test_public_shares_are_seen_and_not_touched(admin: User, stranger: User) -> None:
    shared = str(admin.share(name="everybodys", is_public=True)["id"])
    admin.api.allow(shared, "10.0.0.1")
    assert stranger.cli.json("share", "list") == []
    public = stranger.cli.json("share", "list", "--public")
    assert shared in {row["ID"] for row in public}
    assert stranger.cli.json("share", "show", shared)["name"] == "everybodys"
    assert stranger.cli.json("share", "access", "list", shared) == []
    for command in (("delete", shared), ("resize", shared, "2"), ("unset", shared, "--name")):
        assert "(HTTP 403)" in stranger.cli.refused("share", *command)
    assert admin.cli.json("share", "show", shared)["size"] == 1
    admin.api.delete_share(shared)


def test_a_foreign_share_does_not_exist(member: User, stranger: User) -> None:
    share_id = str(member.share(name="mine")["id"])
    commands = [
        ("show", share_id), ("delete", share_id), ("resize", share_id, "2"),
        ("set", share_id, "--name", "stolen"), ("unset", share_id, "--name"),
        ("access", "list", share_id), ("access", "create", share_id, "ip", "10.0.0.1"),
        ("export", "location", "list", share_id), ("properties", "show", share_id),
    ]  # fmt: skip
    for command in commands:
        complaint = stranger.cli.refused("share", *command)
        assert f"No share with a name or ID of '{share_id}' exists" in complaint, command
    assert member.cli.json("share", "show", share_id)["name"] == "mine"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["NFS", "0"], "size must be"),
        (["NFS", "-1"], "size must be"),
        (["NFS", "99999"], "quota exceeded"),
        (["NFS", "1", "--share-type", "nope"], "No sharetype with a name or ID of 'nope' exists"),
        (["NFS", "1", "--availability-zone", "mars"], "availability zone mars could not be found"),
        (["CIFS", "1"], "share protocol CIFS is not enabled; enabled: NFS"),
        (["XYZ", "1"], "XYZ"),
        (["NFS", "1", "--mount-point-name", "x"], "does not support mount_point_name"),
        (["NFS", "1", "--scheduler-hint", "same_host=me"], "No share with a name or ID of 'me'"),
    ],
)
def test_create_refused(member: User, arguments: list[str], complaint: str) -> None:
    assert complaint in member.cli.refused("share", "create", *arguments)
    assert member.cli.json("share", "list") == []


def test_delete_refused(member: User) -> None:
    member.share(name="twin")
    member.share(name="twin")
    assert "Multiple share matches found" in member.cli.refused("share", "delete", "twin")
    assert "1 of 1 shares failed to delete" in member.cli.refused("share", "delete", "nobody")


def test_force_delete(member: User, admin: User) -> None:
    share_id = str(member.share(name="s")["id"])
    admin.api.act(share_id, "reset_status", {"status": "error_deleting"})
    assert "(HTTP 403)" in member.cli.refused("share", "delete", "s")
    assert "(HTTP 403)" in member.cli.refused("share", "delete", "s", "--force")
    admin.cli("share", "delete", share_id, "--force")
    member.api.wait_gone(f"/shares/{share_id}")


def test_a_reader_only_looks(member: User, reader: User) -> None:
    share_id = str(member.share(name="s")["id"])
    rule = member.api.allow(share_id, "10.0.0.1")["id"]
    assert _names(reader.cli.json("share", "list")) == ["s"]
    assert len(reader.cli.json("share", "access", "list", "s")) == 1
    for command in (
        ("create", "NFS", "1"),
        ("delete", "s"),
        ("resize", "s", "2"),
        ("set", "s", "--name", "t"),
        ("unset", "s", "--name"),
        ("access", "create", "s", "ip", "10.0.0.2"),
        ("access", "delete", "s", rule),
        ("access", "set", rule, "--property", "k=v"),
    ):
        assert "(HTTP 403)" in reader.cli.refused("share", *command), command
    assert _names(member.cli.json("share", "list")) == ["s"]


def test_export_locations(member: User, admin: User) -> None:
    share_id = str(member.share(name="s", availability_zone="nova")["id"])
    openstack = member.cli
    listed = openstack.json("share", "export", "location", "list", "s")
    assert len(listed) == 2
    paths = sorted(location["Path"] for location in listed)
    assert paths[0].startswith("192.0.2.1:/")
    assert paths[1].startswith("[2001:db8::1]:/")
    location = listed[0]
    shown = openstack.json("share", "export", "location", "show", "s", location["ID"])
    assert (shown["path"], shown["preferred"]) == (location["Path"], location["Preferred"])
    assert "share_instance_id" not in shown
    at = ("share", "export", "location")
    as_admin = admin.cli.json(*at, "show", share_id, location["ID"])
    assert as_admin["is_admin_only"] is False
    assert as_admin["share_instance_id"]
    openstack(*at, "set", "s", location["ID"], "--property", "rack=7")
    assert openstack.json(*at, "show", "s", location["ID"])["properties"]["rack"] == "7"
    openstack(*at, "unset", "s", location["ID"], "--property", "rack")
    assert "rack" not in openstack.json(*at, "show", "s", location["ID"])["properties"]
    assert "403" in openstack.refused(
        *at, "set", "s", location["ID"], "--property", "preferred=true"
    )
    assert "could not be found" in openstack.refused(*at, "show", "s", share_id)
