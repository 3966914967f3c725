"""Loop devices, by ioctl (loop(4), linux/loop.h): no losetup process per share.

A device made here frees itself when its last user goes (LO_FLAGS_AUTOCLEAR), so an agent killed
before the mount leaks none. Devices are told apart by the file behind them, never by number.
"""

import contextlib
import errno
import fcntl
import os
import re
import struct
import threading
import time
from collections.abc import Generator
from pathlib import Path

_CTL_GET_FREE = 0x4C82
_CONFIGURE = 0x4C0A
_CLR_FD = 0x4C01
_SET_CAPACITY = 0x4C07
_AUTOCLEAR = 4
# struct loop_config: fd, block size, struct loop_info64 (5 words, 4 ints of which the last is the
# flags, name, crypt name, key, init), 8 reserved words.
_CONFIG = struct.Struct("=II5Q4I64s64s32s2Q8Q")

_DELETED = " (deleted)"
_attaching = threading.Lock()


def is_device(source: str) -> bool:
    """Whether a mount's source is a loop device."""
    return re.fullmatch(r"/dev/loop\d+", source) is not None


def backing_file(device: str) -> str | None:
    """The path of the file behind the device, as the kernel tells it: ` (deleted)` is appended
    when the file has no name any more. None when the device is free."""
    try:
        # Not pathlib: one is read for every share of the machine, at every create.
        with open(f"/sys/block/{os.path.basename(device)}/loop/backing_file") as file:
            text = file.read()
    except OSError:  # free, or freed while being read
        return None
    return text.rstrip("\n") or None


def in_use() -> dict[str, str]:
    """Every occupied loop device of the machine with its `backing_file`."""
    names = [name for name in os.listdir("/sys/block") if name.startswith("loop")]
    files = {f"/dev/{name}": backing_file(f"/dev/{name}") for name in names}
    return {device: path for device, path in files.items() if path is not None}


def devices_of(image: Path) -> list[str]:
    """The loop devices that stand on this file, or stood on a removed one of this name."""
    names = (str(image), f"{image}{_DELETED}")
    return [device for device, path in in_use().items() if path in names]


def path_without_deleted(backing: str) -> Path:
    """The path the backing file has, or had before it was removed."""
    return Path(backing.removesuffix(_DELETED))


@contextlib.contextmanager
def attached(image: Path) -> Generator[str]:
    """A loop device stands on the image during the block, and afterwards while it is mounted.

    A device that somebody keeps on this very file is used again: two devices on one file would
    let two filesystems write the same bytes.
    """
    fd, device = _held(image) or _attach(image)
    try:
        yield device
    finally:
        os.close(fd)


def _held(image: Path) -> tuple[int, str] | None:
    if detach(image):
        return None
    for device in devices_of(image):
        fd = os.open(device, os.O_RDWR | os.O_CLOEXEC)
        if backing_file(device) == str(image):
            return fd, device
        os.close(fd)
    return None


def _attach(image: Path) -> tuple[int, str]:
    image_fd = os.open(image, os.O_RDWR | os.O_CLOEXEC)
    try:
        config = _CONFIG.pack(
            image_fd, 0, 0, 0, 0, 0, 0, 0, 0, 0, _AUTOCLEAR,
            os.fsencode(image.name)[:63], b"", b"", 0, 0, *([0] * 8),
        )  # fmt: skip
        with _attaching:
            while True:
                device = _free_device()
                fd = os.open(device, os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.ioctl(fd, _CONFIGURE, config)
                    return fd, device
                except OSError as error:
                    os.close(fd)
                    if error.errno != errno.EBUSY:  # EBUSY: another process took it, ask again
                        raise
    finally:
        os.close(image_fd)


def _free_device() -> str:
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        return f"/dev/loop{fcntl.ioctl(control, _CTL_GET_FREE)}"
    finally:
        os.close(control)


def detach(image: Path, *, patience: float = 0.0) -> bool:
    """No loop device stands on a file of this name, or it frees itself when its last user closes
    it; True when none is left within `patience` seconds."""
    deadline = time.monotonic() + patience
    while devices := devices_of(image):
        for device in devices:
            release(device)
        if time.monotonic() >= deadline:
            return not devices_of(image)
        time.sleep(0.005)
    return True


def release(device: str) -> None:
    """The device is free, or frees itself when its last user closes it. In use by a mount it
    stays as it is: ours free themselves anyway."""
    with contextlib.suppress(OSError):  # ENXIO: already free
        _ioctl(device, _CLR_FD)


def ensure_capacity(device: str) -> None:
    """The device is as large as its file is now (losetup -c)."""
    _ioctl(device, _SET_CAPACITY)


def _ioctl(device: str, request: int) -> None:
    fd = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, request)
    finally:
        os.close(fd)
