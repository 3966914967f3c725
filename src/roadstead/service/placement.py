"""Where a new share goes, and whether it may be made at all."""

import datetime
from collections.abc import Mapping
from typing import Any

import msgspec

from roadstead.model.errors import BadRequest, NotFound, NoValidPool, OverQuota
from roadstead.model.ids import is_uuid, new_id
from roadstead.model.messages import Message
from roadstead.model.shares import Share, ShareType
from roadstead.scheduler.filters import Request
from roadstead.scheduler.pick import pick
from roadstead.service.context import Caller, Service
from roadstead.service.shares import NewShare
from roadstead.service.submit import submit
from roadstead.store import availability_zones, messages, pools, share_types
from roadstead.store import shares as store
from roadstead.store.db import Tx, lock_project, utcnow
from roadstead.store.quotas import usage
from roadstead.store.scope import everyone


def type_of(_service: Service, tx: Tx, type_id: str) -> ShareType:
    """A share's own type, also when it is private by now. NotFound when it is gone."""
    found = share_types.find(tx, everyone(), type_id)
    if found is None:
        raise NotFound(f"share type {type_id} could not be found")
    return found


def _wanted_type(service: Service, caller: Caller, tx: Tx, new: NewShare) -> ShareType:
    name = new.share_type or service.default_share_type
    found = share_types.find(tx, caller.scope, name)
    if found is None:
        raise NotFound(f"share type {name} could not be found")
    return found


def check_size(share_type: ShareType, size_gib: int, *, admin: bool) -> None:
    """BadRequest when the type does not allow this size; administrators have their own maximum."""
    specs = share_type.extra_specs
    least = int(specs.get("provisioning:min_share_size", 0))
    most = int(specs.get("provisioning:max_share_size", 0))
    if admin:
        most = int(specs.get("provisioning:max_share_extend_size", most))
    if size_gib < least:
        raise BadRequest(f"share type {share_type.name} wants at least {least} GiB")
    if most and size_gib > most:
        raise BadRequest(f"share type {share_type.name} allows {most} GiB at most")


def _check_quota(service: Service, tx: Tx, project_id: str, size_gib: int) -> None:
    lock_project(tx, project_id)
    used = usage(tx, project_id, service.default_limits)
    if 0 <= used["per_share_gigabytes"].limit < size_gib:
        raise OverQuota(f"a share may have {used['per_share_gigabytes'].limit} GiB at most")
    for name, more in (("shares", 1), ("gigabytes", size_gib)):
        have = used[name]
        if 0 <= have.limit < have.in_use + have.reserved + more:
            raise OverQuota(
                f"quota exceeded: {have.in_use + have.reserved} of {have.limit} {name} are in "
                f"use, {more} more were asked for"
            )


def place(
    service: Service, caller: Caller, tx: Tx, new: NewShare, *, share_id: str, instance_id: str
) -> tuple[Share, str]:
    """The share's rows are there and its creation is submitted; returns it and its agent's host.

    Without a fitting pool the share is in `error`, a message says why, and the host is "".
    """
    share_type = _wanted_type(service, caller, tx, new)
    _check(service, caller, tx, new, share_type)
    share = _share(caller, new, share_type, share_id, instance_id)
    try:
        pool = pick(pools.find_all(tx), _request(service, caller, tx, new, share_type))
    except NoValidPool as error:
        share = msgspec.structs.replace(share, status="error")
        store.insert(tx, share, agent_host="", takes_export_id=False)
        messages.insert(tx, _no_pool(caller, share, error))
        return share, ""
    share = msgspec.structs.replace(share, host=pool.name, availability_zone=pool.availability_zone)
    store.insert(tx, share, agent_host=pool.host, takes_export_id=True)
    return share, submit(service, caller, tx, "share.create", share)


def _check(service: Service, caller: Caller, tx: Tx, new: NewShare, share_type: ShareType) -> None:
    if new.proto not in service.protocols:
        raise BadRequest(
            f"share protocol {new.proto} is not enabled; enabled: {', '.join(service.protocols)}"
        )
    if new.is_public:
        caller.require("share:create_public_share")
    handles_servers = share_type.spec_bool("driver_handles_share_servers")
    if new.share_network_id is not None and not handles_servers:
        # D-I2: said at once, instead of a share in error.
        raise BadRequest(
            f"share type {share_type.name} uses no share network; leave share_network_id out"
        )
    if new.share_network_id is None and handles_servers:
        raise BadRequest(f"share type {share_type.name} needs a share_network_id")
    if new.share_network_id is not None:
        raise NotFound(f"share network {new.share_network_id} could not be found")
    if new.snapshot_id is not None:
        raise NotFound(f"snapshot {new.snapshot_id} could not be found")
    if new.mount_point_name and not share_type.spec_bool("mount_point_name_support"):
        raise BadRequest(f"share type {share_type.name} does not support mount_point_name")
    if new.availability_zone and availability_zones.find(tx, new.availability_zone) is None:
        raise NotFound(f"availability zone {new.availability_zone} could not be found")
    check_size(share_type, new.size_gib, admin=False)
    _check_quota(service, tx, caller.project_id, new.size_gib)


def _request(
    service: Service, caller: Caller, tx: Tx, new: NewShare, share_type: ShareType
) -> Request:
    hints: Mapping[str, Any] = new.scheduler_hints or {}
    return Request(
        size_gib=new.size_gib,
        proto=new.proto,
        share_type=share_type,
        availability_zone=availability_zones.find(tx, new.availability_zone)
        if new.availability_zone
        else None,
        only_host=hints.get("only_host") if caller.is_admin else None,
        same_host=_hosts(tx, caller, hints.get("same_host")),
        different_host=_hosts(tx, caller, hints.get("different_host")),
        require_network_isolation=caller.project_id in service.isolated_projects,
    )


def _hosts(tx: Tx, caller: Caller, hint: object) -> tuple[str, ...]:
    """Pools of the shares a hint names. BadRequest: no uuid; NotFound: not the caller's share."""
    if hint is None:
        return ()
    found: list[str] = []
    for share_id in str(hint).split(","):
        if not is_uuid(share_id.strip()):
            raise BadRequest(f"scheduler hint names {share_id!r}, which is no share id")
        share = store.get(tx, caller.scope, share_id.strip())
        if share is None:
            raise NotFound(f"share {share_id.strip()} of the scheduler hint could not be found")
        found.append(share.host)
    return tuple(found)


def _share(
    caller: Caller, new: NewShare, share_type: ShareType, share_id: str, instance_id: str
) -> Share:
    return Share(
        id=share_id,
        project_id=caller.project_id,
        user_id=caller.user_id,
        name=new.name,
        description=new.description,
        size_gib=new.size_gib,
        proto=new.proto,
        is_public=new.is_public,
        share_type_id=share_type.id,
        share_type_name=share_type.name,
        snapshot_support=share_type.spec_bool("snapshot_support"),
        create_share_from_snapshot_support=share_type.spec_bool(
            "create_share_from_snapshot_support"
        ),
        revert_to_snapshot_support=share_type.spec_bool("revert_to_snapshot_support"),
        mount_snapshot_support=share_type.spec_bool("mount_snapshot_support"),
        replication_type=share_type.extra_specs.get("replication_type"),
        mount_point_name=new.mount_point_name,
        created_at=utcnow(),
        instance_id=instance_id,
        status="creating",
        metadata=dict(new.metadata),
    )


def _no_pool(caller: Caller, share: Share, error: NoValidPool) -> Message:
    now = utcnow()
    return Message(
        id=new_id(),
        project_id=caller.project_id,
        action_id="001",
        detail_id=error.detail_id,
        request_id=caller.request_id,
        resource_type="SHARE",
        resource_id=share.id,
        detail=str(error)[:2000],
        created_at=now,
        expires_at=now + datetime.timedelta(days=30),
    )
