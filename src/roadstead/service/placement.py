"""Where a new share goes, and whether it may be made at all."""

import datetime
from collections.abc import Mapping
from typing import Any

import msgspec

from roadstead.model.errors import BadRequest, NotFound, NoValidPool, OverQuota
from roadstead.model.ids import is_uuid, new_id
from roadstead.model.messages import Message
from roadstead.model.share_networks import ShareNetwork, ShareServer
from roadstead.model.shares import Pool, Share, ShareType
from roadstead.model.states import ShareStatus
from roadstead.ops.begin import Act
from roadstead.ops.subjects import of_server, of_share
from roadstead.scheduler.filters import Request
from roadstead.scheduler.pick import pick
from roadstead.service import share_networks
from roadstead.service.context import Caller, Service
from roadstead.service.metadata import check_new_share
from roadstead.service.new_share import NewShare
from roadstead.service.sizes import check_size
from roadstead.store import (
    availability_zones,
    messages,
    pools,
    security_services,
    share_servers,
    share_types,
)
from roadstead.store import shares as store
from roadstead.store.db import Tx, lock_project, utcnow
from roadstead.store.quotas import usage


def _wanted_type(service: Service, caller: Caller, tx: Tx, new: NewShare) -> ShareType:
    name = new.share_type or service.default_share_type
    found = share_types.find(tx, caller.scope, name)
    if found is None:
        raise NotFound(f"share type {name} could not be found")
    return found


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
    service: Service, caller: Caller, act: Act, new: NewShare, *, share_id: str, instance_id: str
) -> Share:
    """The share's rows are there, and its creation has begun. Without a fitting pool the share is
    in `error`, and a message says why."""
    tx = act.tx
    share_type = _wanted_type(service, caller, tx, new)
    network = _network(caller, tx, new, share_type)
    _check(service, caller, tx, new, share_type, network)
    share = _share(caller, new, share_type, share_id, instance_id)
    request = _request(service, caller, tx, new, share_type, network)
    try:
        pool, server, made = _pick(tx, request)
    except NoValidPool as error:
        share = msgspec.structs.replace(share, status=ShareStatus.ERROR)
        store.insert(tx, share, agent_host="", takes_export_id=False)
        messages.insert(tx, _no_pool(caller, share, error, service.keep_messages))
        return share
    share = msgspec.structs.replace(
        share,
        host=pool.name,
        availability_zone=pool.availability_zone,
        share_server_id=server.id if server else None,
    )
    store.insert(tx, share, agent_host=pool.host, takes_export_id=True)
    if server is not None and made:
        act.begin("share_server.create", of_server(server))
    act.begin("share.create", of_share(share))
    return share


def _pick(tx: Tx, request: Request) -> tuple[Pool, ShareServer | None, bool]:
    """The pool, and the share server there if one is needed: the one that is there already, or
    the row of a new one (N-M4), and which of both it is. A pool that may have no more servers is
    passed over."""
    found = pools.find_all(tx)
    full: NoValidPool | None = None
    while True:
        if full is not None and not found:
            raise full
        try:
            pool = pick(found, request)
        except NoValidPool as error:
            raise full or error from None
        if request.network is None:
            return pool, None, False
        try:
            return pool, *_server(tx, pool, request.network, request.size_gib)
        except NoValidPool as error:
            full = error
            found = [other for other in found if other.name != pool.name]


def _server(tx: Tx, pool: Pool, network: ShareNetwork, size_gib: int) -> tuple[ShareServer, bool]:
    """The share server for one more share on the network, and whether it was made for it.
    NoValidPool: no room for it."""
    able = pool.capabilities.get

    def limit(name: str) -> int:
        value = able(name)
        return value if isinstance(value, int) else -1

    wanted = share_servers.Wanted(
        host=f"{pool.host}@{pool.backend}",
        subnet_ids=tuple(s.id for s in network.subnets_for(pool.availability_zone)),
        security_service_ids=tuple(s.id for s in security_services.of_network(tx, network)),
        size_gib=size_gib,
        limits=share_servers.Limits(
            servers=limit("max_share_servers"),
            shares_per_server=limit("max_shares_per_share_server"),
            gib_per_server=limit("max_share_server_size"),
        ),
        security_service_update_support=bool(able("security_service_update_support")),
        network_allocation_update_support=bool(able("network_allocation_update_support")),
    )
    return share_servers.ensure_row(tx, network, wanted)


def _network(caller: Caller, tx: Tx, new: NewShare, share_type: ShareType) -> ShareNetwork | None:
    """The share network, which stays as it is until the share is on it; None when the type uses
    none. NotFound: not the caller's; BadRequest: one too many or too few, or not to be used now."""
    handles_servers = share_type.spec_bool("driver_handles_share_servers")
    if new.share_network_id is None:
        if handles_servers:
            raise BadRequest(f"share type {share_type.name} needs a share_network_id")
        return None
    if not handles_servers:
        # D-I2: said at once, instead of a share in error.
        raise BadRequest(
            f"share type {share_type.name} uses no share network; leave share_network_id out"
        )
    network = share_networks.reach_locked(tx, caller, new.share_network_id)
    share_networks.require_active(network)
    return network


def _check(
    service: Service,
    caller: Caller,
    tx: Tx,
    new: NewShare,
    share_type: ShareType,
    network: ShareNetwork | None,
) -> None:
    if new.proto not in service.protocols:
        raise BadRequest(
            f"share protocol {new.proto} is not enabled; enabled: {', '.join(service.protocols)}"
        )
    if new.is_public:
        caller.require("share:create_public_share")
    if new.snapshot_id is not None:
        raise NotFound(f"snapshot {new.snapshot_id} could not be found")
    if new.mount_point_name and not share_type.spec_bool("mount_point_name_support"):
        raise BadRequest(f"share type {share_type.name} does not support mount_point_name")
    if new.availability_zone:
        zone = availability_zones.find(tx, new.availability_zone)
        if zone is None:
            raise NotFound(f"availability zone {new.availability_zone} could not be found")
        if network is not None and not network.serves(zone):
            raise BadRequest(f"share network {network.id} has no subnet in zone {zone}")
    check_size(share_type, new.size_gib, admin=False)
    _check_quota(service, tx, caller.project_id, new.size_gib)


def _request(
    service: Service,
    caller: Caller,
    tx: Tx,
    new: NewShare,
    share_type: ShareType,
    network: ShareNetwork | None,
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
        network=network,
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
        share_network_id=new.share_network_id,
        created_at=utcnow(),
        instance_id=instance_id,
        status=ShareStatus.CREATING,
        metadata=dict(new.metadata),
    )


def _no_pool(caller: Caller, share: Share, error: NoValidPool, keep: datetime.timedelta) -> Message:
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
        expires_at=now + keep,
    )


def create(service: Service, caller: Caller, new: NewShare) -> Share:
    """The share is `creating` in the pool the scheduler picked, or in `error` with a message that
    names each pool and the filter that refused it.

    BadRequest, NotFound: see wire.md#creating-a-share. OverQuota: the project's limit. Forbidden:
    metadata that are the administrators' own.
    """
    check_new_share(caller, new.metadata)
    share_id = new_id()
    with service.acting(caller) as act:
        return place(service, caller, act, new, share_id=share_id, instance_id=new_id())
