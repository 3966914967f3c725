"""What we ask of btrfs: make one, give a copy its own identity, change its size."""

import contextlib
import errno
import fcntl
import os
import struct
import time

from roadstead.drivers.host import exec as program
from roadstead.drivers.pool.image import loop
from roadstead.model.errors import DriverError, Transient

MIN_BYTES = 128 << 20  # takes small files beside one of 90 %; mkfs.btrfs asks for 16 MiB
MIN_SHRUNK_BYTES = 256 << 20  # fs/btrfs/ioctl.c: resize refuses less with EINVAL
# Below it data and metadata share their chunks: with chunks of its own for each, data takes all
# of them, and the next new file finds no room in the metadata's (docs/adr/0011).
SEPARATE_FROM_BYTES = 32 << 30
_SECTOR = 4096
_RACES = 20
_CLEANER_SECONDS = 0.2
_IOC_SYNC = 0x9408  # commits, and wakes the cleaner
_IOC_RESIZE = 0x50009403  # linux/btrfs.h; takes struct { __s64 fd; char name[4088]; }


def make(path: str, size_bytes: int) -> None:
    """The file, of this size, holds a new, empty filesystem that fills it, with a UUID of its own.
    How its chunks are laid out stays so for life, whatever its size becomes."""
    layout = ["-m", "single"] if size_bytes >= SEPARATE_FROM_BYTES else ["--mixed"]
    _run(["mkfs.btrfs", "-q", "-f", "-K", *layout, path])


def renew_uuid(path: str) -> None:
    """The filesystem in the file has a new UUID. To be done before its first mount: the kernel
    tells filesystems apart by it."""
    _run(["btrfstune", "-f", "-m", path])


def _run(argv: list[str]) -> None:
    """The program has succeeded. It looks at every mounted loop device before it starts, and gives
    up when one is freed that very moment (another share being deleted): then it is run again."""
    for _ in range(_RACES):
        try:
            program.run(argv)
            return
        except program.CommandFailed as error:
            if "check mount status" not in error.output:
                raise
            time.sleep(0.01)
    raise Transient(f"{argv[0]}: loop devices come and go too fast")


def size(fd: int) -> int:
    """Bytes of the mounted filesystem's device, as `df` shows them."""
    stat = os.fstatvfs(fd)
    return stat.f_blocks * stat.f_frsize


def size_in(image_bytes: int) -> int:
    """The size of a filesystem that fills an image of so many bytes."""
    return image_bytes - image_bytes % _SECTOR


def shrink(fd: int, size_bytes: int) -> None:
    """The mounted filesystem is that small, on the disk too. DriverError 018, and nothing is
    lost, when its data would not fit.

    Btrfs hands out space in chunks (a tenth of the size, at most 1 GiB), and moves whole chunks:
    the last chunk's worth may not fit although it would by count. Emptied chunks are in the way
    until the kernel's cleaner has taken them back; it is woken and given a moment.
    """
    attempts = 3
    while True:
        fcntl.ioctl(fd, _IOC_SYNC)
        stat = os.fstatvfs(fd)
        if (stat.f_blocks - stat.f_bfree) * stat.f_frsize > size_bytes:
            raise _does_not_fit(size_bytes)  # rather than move everything about in vain
        try:
            _resize(fd, str(size_bytes))
            return
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            _forget_full(fd)
            attempts -= 1
            if not attempts:
                raise _does_not_fit(size_bytes) from error
        time.sleep(_CLEANER_SECONDS)


def _forget_full(fd: int) -> None:
    """A failed shrink leaves the filesystem believing that it is full (`df` shows 0 available)
    although it is as large as before; growing makes it look again, be it by one sector."""
    with contextlib.suppress(OSError, Transient):
        _resize(fd, str(size(fd) - _SECTOR))
    _resize(fd, "max")


def _does_not_fit(size_bytes: int) -> DriverError:
    return DriverError(f"the share's data does not fit into {size_bytes} bytes", detail_id="018")


def ensure_filling(fd: int, device: str, image_bytes: int) -> None:
    """The mounted filesystem, and its loop device, are as large as the image."""
    if size(fd) < size_in(image_bytes):
        loop.ensure_capacity(device)
        fill(fd)


def fill(fd: int) -> None:
    """The mounted filesystem is as large as its device."""
    _resize(fd, "max")


def _resize(fd: int, amount: str) -> None:
    request = bytearray(struct.pack("=q4088s", 0, amount.encode()))
    try:
        status = fcntl.ioctl(fd, _IOC_RESIZE, request)
    except OSError as error:
        if error.errno == errno.EINTR:
            raise Transient("btrfs: the resize was interrupted") from error
        raise
    if status:  # BTRFS_ERROR_DEV_EXCL_RUN_IN_PROGRESS: a balance, a device being removed
        raise Transient("btrfs: another exclusive operation is under way")
