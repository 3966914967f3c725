"""Recipes of attachments: grant → mount → bind → plug, and back in reverse."""

import msgspec

from roadstead.model.attachments import Attachment
from roadstead.model.errors import RoadsteadError
from roadstead.model.hosts import Device
from roadstead.model.operations import Operation
from roadstead.model.shares import ShareInstance
from roadstead.model.states import AttachmentState
from roadstead.ops.grants import Grants
from roadstead.ops.recipe import Open, Recipe, Step
from roadstead.ops.subjects import Columns
from roadstead.roads import hypervisor as road
from roadstead.roads.hypervisor import Compute
from roadstead.store import attachments as store
from roadstead.store import export_locations
from roadstead.store import shares as share_store
from roadstead.store.db import Database, Tx
from roadstead.store.scope import everyone


class AttachmentRun(msgspec.Struct, kw_only=True):
    """One operation on an attachment; `attachment` as it was when the run began."""

    operation: Operation
    db: Database
    compute: Compute
    grants: Grants
    attachment: Attachment
    instance: ShareInstance


def opener(db: Database, compute: Compute, grants: Grants) -> Open:
    """For the runner: the run of an attachment's operation."""

    def begin(operation: Operation) -> AttachmentRun | None:
        with db.read() as tx:
            attachment = store.find(tx, everyone(), operation.resource_id)
            instance = share_store.find_instance(
                tx, everyone(), str(operation.payload["instance_id"])
            )
        if attachment is None or instance is None:
            return None
        return AttachmentRun(
            operation=operation,
            db=db,
            compute=compute,
            grants=grants,
            attachment=attachment,
            instance=instance,
        )

    return begin


def _grant(run: AttachmentRun) -> None:
    a = run.attachment
    run.grants.ensure(run.instance, a.access_level, a.user_id)


def _revoke(run: AttachmentRun) -> None:
    run.grants.ensure_absent(run.instance, run.attachment.user_id)


def _mount(run: AttachmentRun) -> str:
    with run.db.read() as tx:
        found = export_locations.of_shares(tx, [run.instance])
    paths = found.get(run.instance.share_id, [])
    with run.compute.share_lock(run.instance.share_id):
        return road.ensure_mounted(run.compute, run.attachment, run.instance, paths)


def _unmount(run: AttachmentRun) -> None:
    """Only after the last one: who else needs it is read under the lock under which others
    mount."""
    with run.compute.share_lock(run.instance.share_id):
        with run.db.read() as tx:
            level = run.attachment.access_level
            users = store.users(tx, run.instance.share_id, run.compute.host, level)
        if not users:
            run.compute.mounts.ensure_unmounted(run.instance.id, level)


def _bind(run: AttachmentRun) -> str:
    return road.ensure_bound(run.compute, run.attachment, _mount(run))


def _unbind(run: AttachmentRun) -> None:
    run.compute.mounts.ensure_unbound(run.attachment.id)


def _plug(run: AttachmentRun) -> Device:
    return road.ensure_plugged(run.compute, run.attachment, _bind(run))


def state_of(device: Device) -> AttachmentState:
    """What the attachment is with a device that is so plugged."""
    only_later = device.plugged == "config"
    return AttachmentState.INACTIVE if only_later else AttachmentState.ACTIVE


def _record_plugged(run: AttachmentRun, tx: Tx, device: Device) -> None:
    state = state_of(device)
    store.update(tx, run.attachment, state=state, locks=device.locks, error=None)


def _unplug(run: AttachmentRun) -> None:
    force = bool(run.operation.payload.get("force"))
    run.compute.hypervisor.ensure_detached(road.device_ref(run.attachment), force=force)


def _not_needed(run: AttachmentRun) -> None:
    """The row stays, in error, but needs neither mount nor grant any more."""
    with run.db.write() as tx:
        store.update(tx, run.attachment, unplugged=True)


def _undo_mount(run: AttachmentRun) -> None:
    _not_needed(run)
    _unmount(run)


def _undo_grant(run: AttachmentRun) -> None:
    _not_needed(run)
    _revoke(run)


def _record_unplugged(run: AttachmentRun, tx: Tx, _value: None) -> None:
    store.update(tx, run.attachment, unplugged=True)


def _not_prepared(run: AttachmentRun) -> None:
    """The row needs nothing of this host any more; where the VM is, nothing changes."""
    with run.db.write() as tx:
        store.update(tx, run.attachment, target_host=None)


def _undo_prepared_mount(run: AttachmentRun) -> None:
    _not_prepared(run)
    _unmount(run)


def _undo_prepared_grant(run: AttachmentRun) -> None:
    _not_prepared(run)
    _revoke(run)


def _refused(_run: AttachmentRun, _tx: Tx, _error: RoadsteadError) -> Columns:
    """The attachment works on where it is; the operation says why not there."""
    return {"target_host": None}


def _failed(_run: AttachmentRun, _tx: Tx, error: RoadsteadError) -> Columns:
    return {"error": str(error)[:2000]}


ATTACH = Recipe(
    verb="attachment.attach",
    steps=(
        Step(name="grant", do=_grant, undo=_undo_grant),
        Step(name="mount", do=_mount, undo=_undo_mount),
        Step(name="bind", do=_bind, undo=_unbind),
        Step(name="plug", do=_plug, record=_record_plugged, undo=_unplug),
    ),
    failed=_failed,
)
DETACH = Recipe(
    verb="attachment.detach",
    steps=(
        Step(name="unplug", do=_unplug, record=_record_unplugged),
        Step(name="unbind", do=_unbind),
        Step(name="unmount", do=_unmount),
        Step(name="revoke", do=_revoke),
    ),
    failed=_failed,
    # A running guest keeps a 9p device, and what is open in it.
    patient=True,
)
# Runs on the host to which the VM is about to migrate, beside all that goes on where it is. The
# paths derive from ids, so the device finds there what it has here.
PREPARE = Recipe(
    verb="attachment.prepare",
    steps=(
        Step(name="grant", do=_grant, undo=_undo_prepared_grant),
        Step(name="mount", do=_mount, undo=_undo_prepared_mount),
        Step(name="bind", do=_bind, undo=_unbind),
    ),
    failed=_refused,
)
