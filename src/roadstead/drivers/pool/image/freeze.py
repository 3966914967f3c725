"""Holding a filesystem still for a moment (FIFREEZE, FITHAW; fsfreeze(8))."""

import contextlib
import errno
import fcntl
from collections.abc import Generator

from roadstead.drivers.host import mounts

_FIFREEZE = 0xC0045877
_FITHAW = 0xC0045878


@contextlib.contextmanager
def frozen(fd: int) -> Generator[None]:
    """During the block the filesystem's device does not change and holds all that was written;
    writers wait. Already frozen by a killed predecessor is not an error; thawed in any case."""
    mounts.sync(fd)  # most of the writing before anybody has to wait
    try:
        fcntl.ioctl(fd, _FIFREEZE, 0)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
    try:
        yield
    finally:
        thaw(fd)


def thaw(fd: int) -> bool:
    """The filesystem is not frozen; True when it was."""
    try:
        fcntl.ioctl(fd, _FITHAW, 0)
    except OSError as error:
        if error.errno == errno.EINVAL:  # was not frozen
            return False
        raise
    return True
