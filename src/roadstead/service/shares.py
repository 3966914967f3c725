"""Shares: rules of create, list, show, update, delete and resize.

Every verb is one transaction: check, insert or move the status, record the operation, enqueue it.
"""

from collections.abc import Sequence
from typing import Any

from roadstead.model.errors import BadRequest, Conflict, Forbidden, NotFound, OverQuota
from roadstead.model.queries import Page, ShareFilter
from roadstead.model.shares import ExportLocation, Share, ShareInstance
from roadstead.model.states import SHARE_RESETTABLE
from roadstead.ops.begin import Act, check
from roadstead.ops.subjects import of_share
from roadstead.service import attached
from roadstead.service.context import Caller, Service
from roadstead.service.locks import check_share as check_lock
from roadstead.service.sizes import check_size, type_of
from roadstead.store import export_locations as locations
from roadstead.store import operations
from roadstead.store import shares as store
from roadstead.store.db import Tx, lock_project
from roadstead.store.quotas import usage
from roadstead.store.scope import Scope, everyone


def _reach(tx: Tx, caller: Caller, share_id: str, *, metadata: bool = True) -> Share:
    """The share, readable by the caller. NotFound otherwise."""
    found = store.get(tx, caller.scope, share_id, public=True, metadata=metadata)
    if found is None:
        raise NotFound(f"share {share_id} could not be found")
    return found


def reach_own(tx: Tx, caller: Caller, share_id: str) -> Share:
    """The share without its metadata, the caller's to change. NotFound for a foreign one,
    Forbidden for a public one."""
    found = _reach(tx, caller, share_id, metadata=False)
    if not caller.is_admin and found.project_id != caller.project_id:
        raise Forbidden(f"share {share_id} belongs to another project")
    return found


def get(service: Service, caller: Caller, share_id: str) -> Share:
    """The share, if it is the caller's or public. NotFound otherwise."""
    with service.db.read() as tx:
        return _reach(tx, caller, share_id)


def _list_scope(caller: Caller, all_projects: bool) -> Scope:
    return everyone() if all_projects and caller.is_admin else caller.own


def find_all(
    service: Service,
    caller: Caller,
    wanted: ShareFilter,
    page: Page,
    *,
    all_projects: bool = False,
) -> list[Share]:
    """The caller's shares that match; everybody's for an administrator who asks so."""
    with service.db.read() as tx:
        return store.find_all(tx, _list_scope(caller, all_projects), wanted, page)


def find_names(
    service: Service,
    caller: Caller,
    wanted: ShareFilter,
    page: Page,
    *,
    all_projects: bool = False,
) -> list[tuple[str, str | None]]:
    """(id, name) of the same shares."""
    with service.db.read() as tx:
        return store.find_names(tx, _list_scope(caller, all_projects), wanted, page)


def count(
    service: Service, caller: Caller, wanted: ShareFilter, *, all_projects: bool = False
) -> int:
    """How many match, whatever the page."""
    with service.db.read() as tx:
        return store.count(tx, _list_scope(caller, all_projects), wanted)


def update(service: Service, caller: Caller, share_id: str, **changes: Any) -> Share:
    """name, description and is_public hold the given values. Forbidden: public without right."""
    with service.db.write() as tx:
        share = reach_own(tx, caller, share_id)
        if changes.get("is_public"):
            caller.require("share:set_public_share")
        if changes:
            store.update(tx, share, **changes)
        return _reach(tx, caller, share_id)


def delete(service: Service, caller: Caller, share_id: str) -> None:
    """The share is `deleting` and will be gone. Forbidden in another state than available, error
    or inactive."""
    with service.acting(caller) as act:
        share = reach_own(act.tx, caller, share_id)
        check("share.delete", of_share(share))
        check_lock(act.tx, share)
        _delete(act, share)


def force_delete(service: Service, caller: Caller, share_id: str) -> None:
    """The share is `deleting`, whatever its state was. Conflict while an operation runs on it;
    BadRequest while it is locked."""
    with service.acting(caller) as act:
        share = reach_own(act.tx, caller, share_id)
        check_lock(act.tx, share, forced=True)
        _delete(act, share)


def _delete(act: Act, share: Share) -> None:
    """A share that never reached a pool just goes. Whoever calls has looked at its status."""
    if not share.host:
        store.delete(act.tx, share)
        return
    attached.refuse_share(act.tx, share, "deleted")
    act.begin("share.delete", of_share(share), forced=True)


def extend(
    service: Service, caller: Caller, share_id: str, new_size_gib: int, *, force: bool = False
) -> None:
    """The share is `extending`. BadRequest when not larger or not available; OverQuota above the
    per-share limit, Forbidden above the project's gigabytes (wire.md#quota-errors)."""
    with service.acting(caller) as act:
        tx = act.tx
        share = reach_own(tx, caller, share_id)
        if force:
            caller.require("share:force_extend")
        check("share.extend", of_share(share))
        if new_size_gib <= share.size_gib:
            raise BadRequest(
                f"new size must be larger than {share.size_gib} GiB to extend the share"
            )
        _check_type_size(caller, tx, share, new_size_gib)
        if not force:
            _check_extend_quota(service, tx, share, new_size_gib)
        store.update(tx, share, reserved_gib=new_size_gib)
        act.begin("share.extend", of_share(share), new_size_gib=new_size_gib)


def shrink(service: Service, caller: Caller, share_id: str, new_size_gib: int) -> None:
    """The share is `shrinking`; if its data does not fit it comes back unchanged, with a message.
    BadRequest when not smaller, below 1 GiB, or in the wrong state."""
    with service.acting(caller) as act:
        share = reach_own(act.tx, caller, share_id)
        check("share.shrink", of_share(share))
        if not 0 < new_size_gib < share.size_gib:
            raise BadRequest(f"new size must be from 1 to {share.size_gib - 1} GiB to shrink")
        _check_type_size(caller, act.tx, share, new_size_gib)
        act.begin("share.shrink", of_share(share), new_size_gib=new_size_gib)


def _check_type_size(caller: Caller, tx: Tx, share: Share, size_gib: int) -> None:
    if share.share_type_id is not None:
        check_size(type_of(tx, share.share_type_id), size_gib, admin=caller.is_admin)


def _check_extend_quota(service: Service, tx: Tx, share: Share, new_size_gib: int) -> None:
    lock_project(tx, share.project_id)
    used = usage(tx, share.project_id, service.default_limits)
    if 0 <= used["per_share_gigabytes"].limit < new_size_gib:
        raise OverQuota(f"a share may have {used['per_share_gigabytes'].limit} GiB at most")
    gib = used["gigabytes"]
    if 0 <= gib.limit < gib.in_use + gib.reserved + new_size_gib - share.size_gib:
        raise Forbidden(
            f"quota of {gib.limit} GiB exceeded: {gib.in_use + gib.reserved} GiB are in use"
        )


def reset_status(service: Service, caller: Caller, share_id: str, status: str) -> None:
    """The share shows `status`; nothing else happens. Conflict while an operation runs on it:
    that operation will set the status itself."""
    if status not in SHARE_RESETTABLE:
        raise BadRequest(f"{status!r} is no status that can be set")
    with service.db.write() as tx:
        _reset(tx, reach_own(tx, caller, share_id), status)


def _reset(tx: Tx, of: Share | ShareInstance, status: str) -> None:
    if operations.is_busy(tx, of):
        raise Conflict("an operation on this share is under way and will set its status")
    store.set_instance(tx, of, status=status)


def export_locations(service: Service, caller: Caller, share_id: str) -> list[ExportLocation]:
    """The share's locations; admin-only ones only for administrators."""
    with service.db.read() as tx:
        share = _reach(tx, caller, share_id)
        return locations.of_share(tx, share, admin=caller.is_admin)


def get_export_location(
    service: Service, caller: Caller, share_id: str, location_id: str
) -> ExportLocation:
    """One location of this share. NotFound for another share's, Forbidden for an admin-only one."""
    with service.db.read() as tx:
        found = locations.find(tx, _reach(tx, caller, share_id), location_id)
        if found is None:
            raise NotFound(f"export location {location_id} could not be found")
        if found.is_admin_only and not caller.is_admin:
            raise Forbidden("this export location is for administrators")
        return found


def legacy_paths(service: Service, found: Sequence[Share | ShareInstance]) -> dict[str, list[str]]:
    """Paths by share, for bodies up to 2.8."""
    with service.db.read() as tx:
        return locations.of_shares(tx, found)


def instances(service: Service, caller: Caller, share_id: str | None = None) -> list[ShareInstance]:
    """All instances, or one share's (NotFound when there is no such share)."""
    with service.db.read() as tx:
        if share_id is None:
            return store.find_instances(tx, caller.scope)
        _reach(tx, caller, share_id)
        return store.instances_of(tx, caller.scope, share_id)


def get_instance(service: Service, caller: Caller, instance_id: str) -> ShareInstance:
    """One instance, for administrators. NotFound otherwise."""
    with service.db.read() as tx:
        found = store.find_instance(tx, caller.scope, instance_id)
    if found is None or not caller.is_admin:
        raise NotFound(f"share instance {instance_id} could not be found")
    return found


def reset_instance_status(service: Service, caller: Caller, instance_id: str, status: str) -> None:
    """As `reset_status`, for one instance."""
    if status not in SHARE_RESETTABLE:
        raise BadRequest(f"{status!r} is no status that can be set")
    instance = get_instance(service, caller, instance_id)
    with service.db.write() as tx:
        _reset(tx, instance, status)


def force_delete_instance(service: Service, caller: Caller, instance_id: str) -> None:
    """As `force_delete`: a share has one instance."""
    force_delete(service, caller, get_instance(service, caller, instance_id).share_id)
