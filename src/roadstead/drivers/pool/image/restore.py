"""What a killed predecessor, or a reboot, left undone in a pool is put right."""

import contextlib
import logging
import os

from roadstead.drivers.host import durable, mounts
from roadstead.drivers.host.locks import IdLocks
from roadstead.drivers.pool.image import btrfs, loop, mounting
from roadstead.drivers.pool.image.freeze import thaw
from roadstead.drivers.pool.image.layout import Layout, listed, made_as_temporary
from roadstead.drivers.pool.image.presence import NOT_MOUNTED, READ_ONLY, Presence, look
from roadstead.model import ids
from roadstead.model.errors import InUse, RoadsteadError

_log = logging.getLogger(__name__)


def remove_temporaries(layout: Layout, locks: IdLocks) -> None:
    """No image under a temporary name is left, except those being made right now."""
    for name in os.listdir(layout.images):
        if made := made_as_temporary(name):
            with locks.held(made[1]):
                durable.remove(layout.images / name)


def free_stale_loops(layout: Layout) -> None:
    """No loop device stands on a file of the pool without a mount; others' are never touched."""
    ours = (layout.images, layout.trash)
    found = {
        device: path
        for device, path in loop.in_use().items()
        if loop.path_without_deleted(path).parent in ours
    }
    if found:
        mounted = {mount.source for group in mounts.table().values() for mount in group}
        for device in found.keys() - mounted:
            loop.release(device)  # one that a thread of ours is about to mount stays


def mounted_ids(layout: Layout, table: mounts.Table) -> set[str]:
    """The instances that have a mount point with something mounted on it."""
    prefix = f"{layout.mounts}/"
    names = (point.removeprefix(prefix) for point in table if point.startswith(prefix))
    return {name for name in names if ids.is_uuid(name)}


def thaw_and_remount(layout: Layout, locks: IdLocks) -> None:
    """Every share is mounted, can be written to and fills its image; one that cannot be is
    logged."""
    images = {id_ for kind, id_, _ in listed(layout.images) if kind == "share"}
    table = mounts.table()
    for instance_id in sorted(images | mounted_ids(layout, table)):
        with locks.held(instance_id):
            there = look(layout, instance_id, table)
            if there.broken in (NOT_MOUNTED, READ_ONLY):
                _remount(layout, instance_id)
            elif there.mount is not None:
                _wake(there, there.mount, instance_id)


def _wake(there: Presence, mount: mounts.Mount, instance_id: str) -> None:
    try:
        with mounts.root_of(mount) as root:
            if thaw(root):
                _log.warning("share %s was left frozen; thawed", instance_id)
            if there.broken is None:
                btrfs.ensure_filling(root, mount.source, there.image_bytes or 0)
    except (OSError, RoadsteadError) as error:
        _log.warning("share %s cannot be thawed or resized: %s", instance_id, error)


def _remount(layout: Layout, instance_id: str) -> None:
    there = look(layout, instance_id)  # what was true before the lock may be no more
    if there.broken in (NOT_MOUNTED, READ_ONLY) and there.image_bytes is not None:
        try:
            mounting.ensure_mounted(layout, instance_id, there)
        except (OSError, RoadsteadError) as error:
            _log.error("%s", error)


def unmount_all(layout: Layout) -> None:
    """Nothing of the pool is mounted. InUse as soon as something is open."""
    table = mounts.table()
    for instance_id in mounted_ids(layout, table):
        there = look(layout, instance_id, table)
        if there.mount is not None:
            mounting.unmount(layout, instance_id, there)
            with contextlib.suppress(OSError):
                os.rmdir(layout.point(instance_id))
    mounts.ensure_shared_no_more(layout.mounts)
    if layout.backing.exists():
        mounts.unmount(layout.pool)
        if not loop.detach(layout.backing, patience=mounting.DETACH_SECONDS):
            raise InUse(f"{layout.backing} is mounted elsewhere")
    mounts.ensure_shared_no_more(layout.directory)
