"""The directory below which images lie: one whose files can share blocks."""

import errno
import os
import shutil
import time

from roadstead.drivers.host import durable, mounts
from roadstead.drivers.host import exec as program
from roadstead.drivers.pool.image import loop
from roadstead.drivers.pool.image.layout import Layout
from roadstead.model.errors import DriverError

ROOM_BYTES = 64 << 20  # nothing is begun in a pool with less; a full one breaks its shares
_FREEING_SECONDS = 1.0


def ensure_backing(layout: Layout, gib: int) -> None:
    """`layout.pool` can reflink: as it is, or as the mount of `pool.img`, an XFS of `gib` GiB that
    takes space only as it fills. An existing `pool.img` is mounted whatever its size is."""
    layout.pool.mkdir(mode=0o700, exist_ok=True)
    if not layout.backing.exists():
        if durable.can_reflink(layout.pool):
            return
        _make(layout, gib)
    _ensure_mounted(layout)


def _make(layout: Layout, gib: int) -> None:
    temporary = layout.backing.with_name("pool.img.tmp")
    with durable.fresh_file(temporary) as fd:
        os.ftruncate(fd, gib << 30)
        program.run(["mkfs.xfs", "-q", "-f", "-K", "-m", "reflink=1", durable.path_of_fd(fd)])
        os.fsync(fd)
        durable.rename(temporary, layout.backing)


def _ensure_mounted(layout: Layout) -> None:
    seen = mounts.id_at(layout.pool)
    for found in mounts.table().get(str(layout.pool), []):
        if found.id == seen:
            if loop.backing_file(found.source) == str(layout.backing):
                return
            raise DriverError(f"{layout.pool} is a mount of {found.source}, not of pool.img")
    with loop.attached(layout.backing) as device:
        flags = mounts.NOSUID | mounts.NODEV | mounts.NOEXEC
        mounts.mount(device, layout.pool, "xfs", flags, "discard")


def room(layout: Layout) -> tuple[int, int]:
    """(total, free) bytes of the pool. Free is what can really be written: a sparse `pool.img`
    may promise more than the disk below it has left."""
    usage = shutil.disk_usage(layout.pool)
    free = usage.free
    if layout.backing.exists():
        image = os.stat(layout.backing)
        unwritten = max(0, image.st_size - image.st_blocks * 512)
        below = shutil.disk_usage(layout.directory).free
        if below < unwritten:
            free = min(free, below)
    return usage.total, free


def has_room(layout: Layout, size_bytes: int) -> bool:
    """Whether so much is free. XFS frees what was deleted in the background: it gets a moment."""
    deadline = time.monotonic() + _FREEING_SECONDS
    while room(layout)[1] < size_bytes:
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


def is_full(error: OSError | DriverError) -> bool:
    """Whether the error says that the disk is full: by errno, or in a program's output."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, program.CommandFailed) and (os.strerror(errno.ENOSPC) in error.output)
