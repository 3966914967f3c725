"""openstacksdk: `openstack.connect(cloud=…).shared_file_system`."""

import uuid
from typing import Any

import openstack.exceptions
import pytest

from tests.api.cloud import User


def sdk(user: User) -> Any:
    return user.connect().shared_file_system


def available(manila: Any, share_id: str) -> Any:
    share = manila.get_share(share_id)
    return manila.wait_for_status(
        share, "available", failures=["error", "extending_error"], interval=0.05, wait=60
    )


def test_share_from_create_to_delete(member: User) -> None:
    manila = sdk(member)
    made = manila.create_share(name="s", share_protocol="NFS", size=1, metadata={"a": "1"})
    assert made.status == "creating"
    share = available(manila, made.id)
    assert (share.name, share.size, share.share_type_name) == ("s", 1, "default")
    assert share.project_id == member.project
    manila.resize_share(share.id, 3)
    assert available(manila, share.id).size == 3
    manila.resize_share(share.id, 2, no_shrink=True)
    manila.resize_share(share.id, 2)
    assert available(manila, share.id).size == 2
    manila.update_share(share.id, display_name="t", display_description="d")
    assert manila.find_share("t").id == share.id
    manila.delete_share(share.id)
    manila.wait_for_delete(share, interval=0.05, wait=60)
    with pytest.raises(openstack.exceptions.NotFoundException):
        manila.get_share(share.id)
    manila.delete_share(share.id)  # a missing one is ignored
    with pytest.raises(openstack.exceptions.NotFoundException):
        manila.delete_share(share.id, ignore_missing=False)


def test_list_with_query(member: User, admin: User) -> None:
    manila = sdk(member)
    for name, size in (("a", 1), ("b", 3), ("c", 2)):
        member.share(name=name, size=size)
    assert {share.name for share in manila.shares()} == {"a", "b", "c"}
    assert [share.name for share in manila.shares(name="b")] == ["b"]
    assert [s.name for s in manila.shares(sort_key="size", sort_dir="asc")] == ["a", "c", "b"]
    assert [s.name for s in manila.shares(sort_key="size", sort_dir="desc", limit=1)][:1] == ["b"]
    assert list(manila.shares(status="error")) == []
    brief = list(manila.shares(details=False))
    assert {share.name for share in brief} == {"a", "b", "c"}
    everybody = sdk(admin).shares(all_projects=True, project_id=member.project)
    assert {share.name for share in everybody} == {"a", "b", "c"}
    with pytest.raises(openstack.exceptions.BadRequestException):
        list(manila.shares(sort_key="nonsense"))


def test_access_rules(member: User) -> None:
    manila, share_id = sdk(member), str(member.share()["id"])
    made = manila.create_access_rule(
        share_id, access_type="ip", access_to="10.0.0.0/8", access_level="ro"
    )
    manila.wait_for_status(made, "active", attribute="state", interval=0.05, wait=60)
    (rule,) = manila.access_rules(manila.get_share(share_id))
    assert (rule.id, rule.access_to, rule.access_level, rule.state) == (
        made.id, "10.0.0.0/8", "ro", "active")  # fmt: skip
    assert manila.get_access_rule(made.id).share_id == share_id
    manila.delete_access_rule(made.id, share_id)
    member.api.wait_gone(f"/share-access-rules/{made.id}")
    assert list(manila.access_rules(manila.get_share(share_id))) == []


def test_export_locations(member: User) -> None:
    manila, share_id = sdk(member), str(member.share()["id"])
    locations = list(manila.export_locations(share_id))
    assert {location.path for location in locations} == set(member.api.paths(share_id))
    shown = manila.get_export_location(locations[0].id, share_id)
    assert (shown.path, shown.is_preferred) == (locations[0].path, False)


def test_metadata(member: User) -> None:
    manila, share_id = sdk(member), str(member.share(metadata={"a": "1"})["id"])
    assert manila.fetch_share_metadata(share_id).metadata == {"a": "1"}
    manila.set_share_metadata(share_id, b="2")
    assert manila.fetch_share_metadata(share_id).metadata == {"a": "1", "b": "2"}
    assert manila.fetch_share_metadata_item(share_id, "b").metadata == {"b": "2"}
    manila.set_share_metadata(share_id, replace=True, c="3")
    assert manila.fetch_share_metadata(share_id).metadata == {"c": "3"}
    manila.delete_share_metadata(share_id, ["c"])
    assert not manila.fetch_share_metadata(share_id).metadata


def test_share_instances(admin: User, member: User) -> None:
    manila, share_id = sdk(admin), str(member.share()["id"])
    (instance,) = [i for i in manila.share_instances() if i.share_id == share_id]
    assert manila.get_share_instance(instance.id).status == "available"
    manila.reset_share_instance_status(instance.id, "error")
    assert sdk(member).get_share(share_id).status == "error"
    manila.delete_share_instance(instance.id)
    member.api.wait_gone(f"/shares/{share_id}")


def test_share_types(admin: User, member: User) -> None:
    manila, name = sdk(admin), f"t-{uuid.uuid4().hex[:8]}"
    made = manila.create_share_type(
        name=name, extra_specs={"driver_handles_share_servers": False}, is_public=False
    )
    manila.update_share_type(made, name=f"{name}-2")
    manila.update_share_type_extra_specs(made, color="red")
    shown = manila.get_share_type(made.id)
    assert (shown.name, shown.extra_specs["color"]) == (f"{name}-2", "red")
    assert [share_type.name for share_type in sdk(member).share_types()] == ["default"]
    manila.delete_share_type_extra_spec_property(made, "color")
    assert "color" not in manila.get_share_type(made.id).extra_specs
    manila.delete_share_type(made)
    with pytest.raises(openstack.exceptions.ForbiddenException):
        sdk(member).create_share_type(
            name=name, extra_specs={"driver_handles_share_servers": False}
        )


def test_what_the_service_tells(admin: User, member: User) -> None:
    manila = sdk(admin)
    assert sorted(zone.name for zone in sdk(member).availability_zones()) == ["east", "nova"]
    (pool,) = manila.storage_pools(backend="second")
    assert (pool.name, pool.host) == ("node1@second#memory", "node1")
    assert pool.capabilities["availability_zone"] == "east"
    binaries = {(service.binary, service.host) for service in manila.services()}
    assert ("manila-share", "node1@local") in binaries
    (service,) = manila.services(host="node1@second")
    manila.disable_service(service, "node1@second", "manila-share")
    assert next(iter(manila.services(host="node1@second"))).status == "disabled"
    manila.enable_service(service, "node1@second", "manila-share")
    assert next(iter(manila.services(host="node1@second"))).status == "enabled"
    # this SDK looks for the numbers beside `absolute`, so they stay empty; it answers, though
    assert len(list(sdk(member).limits())) == 1


def test_user_messages(member: User) -> None:
    manila = sdk(member)
    share_id = str(member.share()["id"])
    member.api.wait_rule(
        manila.create_access_rule(
            share_id, access_type="user", access_to="bobby", access_level="rw"
        ).id,
        ["error"],
    )
    (message,) = manila.user_messages(resource_id=share_id)
    assert "'user' is not supported" in message.user_message
    assert manila.get_user_message(message.id).message_level == "ERROR"
    manila.delete_user_message(message.id)
    assert list(manila.user_messages()) == []


def test_quotas(admin: User, member: User) -> None:
    manila = sdk(admin)
    manila.update_quota_set(member.project, shares=1)
    assert manila.get_quota_set(member.project).shares == 1
    member.share()
    with pytest.raises(openstack.exceptions.HttpException, match="quota exceeded") as refusal:
        sdk(member).create_share(share_protocol="NFS", size=1)
    assert refusal.value.status_code == 413
    manila.revert_quota_set(member.project)
    assert manila.get_quota_set(member.project).shares == 50
    with pytest.raises(openstack.exceptions.ForbiddenException):
        sdk(member).update_quota_set(member.project, shares=100)


def test_quota_class(admin: User, member: User) -> None:
    manila = sdk(admin)
    try:
        manila.update_quota_class_set("default", snapshots=77)
        assert manila.get_quota_class_set("default").snapshots == 77
        assert manila.get_quota_set(member.project).snapshots == 77
    finally:
        manila.update_quota_class_set("default", snapshots=50)


def test_reset_status(admin: User, member: User) -> None:
    share_id = str(member.share()["id"])
    sdk(admin).reset_share_status(share_id, "error")
    assert sdk(member).get_share(share_id).status == "error"
    with pytest.raises(openstack.exceptions.ForbiddenException):
        sdk(member).reset_share_status(share_id, "available")


def test_a_foreign_share_does_not_exist(member: User, stranger: User) -> None:
    share_id, manila = str(member.share()["id"]), sdk(stranger)
    for ask in (
        lambda: manila.get_share(share_id),
        lambda: manila.resize_share(share_id, 5),
        lambda: manila.delete_share(share_id, ignore_missing=False),
        lambda: list(manila.export_locations(share_id)),
        lambda: manila.create_access_rule(
            share_id, access_type="ip", access_to="10.0.0.1", access_level="rw"
        ),
    ):
        with pytest.raises(openstack.exceptions.NotFoundException):
            ask()
    assert list(manila.shares()) == []
    assert sdk(member).get_share(share_id).size == 1
