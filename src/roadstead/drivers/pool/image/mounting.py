"""One share's image brought into and out of the file tree."""

import os

from roadstead.drivers.host import mounts
from roadstead.drivers.pool.image import backing, btrfs, loop
from roadstead.drivers.pool.image.layout import Layout
from roadstead.drivers.pool.image.presence import HIDDEN, NOT_MOUNTED, READ_ONLY, Presence, look
from roadstead.model import world as w
from roadstead.model.errors import Conflict, DriverError, InUse, NotFound

DETACH_SECONDS = 0.5  # for a loop device to free itself after its last user has gone
_FLAGS = mounts.NOSUID | mounts.NODEV


def held(name: str) -> InUse:
    """The error for an image that a mount namespace we do not see keeps open."""
    return InUse(f"{name} is mounted or open elsewhere")


def mount(layout: Layout, instance_id: str) -> None:
    """The existing image is mounted and its filesystem fills it. DriverError when it is damaged.

    Freed blocks go back to the pool (discard). A filesystem smaller than its image is a clone, or
    a resize that was interrupted.
    """
    image, point = layout.share(instance_id), layout.point(instance_id)
    point.mkdir(mode=0o711, exist_ok=True)
    try:
        with loop.attached(image) as device:
            mounts.mount(device, point, "btrfs", _FLAGS, "discard")
            fd = os.open(point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                btrfs.ensure_filling(fd, device, os.stat(image).st_size)
            finally:
                os.close(fd)
    except OSError as error:
        raise DriverError(f"share {instance_id} cannot be mounted: {error.strerror}") from error


def ensure_mounted(layout: Layout, instance_id: str, there: Presence) -> mounts.Mount:
    """The mount of an existing share, made again if it was lost or is read-only. NotFound without
    an image, DriverError when image and mount do not belong together."""
    if there.image_bytes is None and there.mount is None:
        raise NotFound(f"share {instance_id} is not in this pool")
    if there.broken == NOT_MOUNTED:
        mount(layout, instance_id)
        there = look(layout, instance_id)
    elif there.broken == READ_ONLY:
        there = _mounted_anew(layout, instance_id, there)
    if there.mount is None or there.broken:
        raise DriverError(f"share {instance_id}: {there.broken}")
    return there.mount


def _mounted_anew(layout: Layout, instance_id: str, there: Presence) -> Presence:
    """What became read-only because the pool was full can be written again. DriverError 009 while
    the pool is full; InUse, and it can still be read, while somebody has it open.

    Btrfs refuses `remount,rw` after an error; the last whole transaction is what a mount finds.
    """
    if backing.room(layout)[1] < backing.ROOM_BYTES:
        raise DriverError(f"share {instance_id}: {READ_ONLY}, its pool is full", detail_id="009")
    unmount(layout, instance_id, there)
    mount(layout, instance_id)
    return look(layout, instance_id)


def adopt(layout: Layout, spec: w.ShareSpec, there: Presence) -> bool:
    """True when the share was there, and is mounted and filled now; False when it is to be made.
    Conflict when what is there has another size, or cannot be taken for the share."""
    if there.absent:
        return False
    if there.image_bytes is None or there.broken not in (None, NOT_MOUNTED, READ_ONLY):
        raise Conflict(f"share {spec.instance_id}: {there.broken}")
    if there.image_bytes != spec.size_bytes:
        raise Conflict(f"share {spec.instance_id} exists with {there.image_bytes} bytes")
    found = ensure_mounted(layout, spec.instance_id, there)
    with mounts.root_of(found) as root:
        btrfs.ensure_filling(root, found.source, spec.size_bytes)
    return True


def unmount(layout: Layout, instance_id: str, there: Presence) -> None:
    """The share is not mounted and no loop device stands on its image.

    InUse while something is open in it, and when another mount namespace keeps it: then it is
    mounted as before.
    """
    if there.broken == HIDDEN:
        raise InUse(f"share {instance_id}: {HIDDEN}")
    was_whole = there.broken is None
    devices: list[str] = []
    while there.mount is not None:
        devices.append(there.mount.source)
        mounts.unmount(layout.point(instance_id))
        there = look(layout, instance_id)
    image = layout.share(instance_id)
    if devices and not loop.detach(image, patience=DETACH_SECONDS):
        if was_whole:
            mount(layout, instance_id)
        raise held(image.name)
