"""Mounts made by file descriptor: no path that a tenant could turn into a link is walked, and a
mount has its flags before anybody sees it (openat2(2), open_tree(2), mount_setattr(2),
move_mount(2); Linux 5.12)."""

import contextlib
import ctypes
import os
import struct
from collections.abc import Generator
from pathlib import Path

# The same on every architecture: asm-generic/unistd.h.
_OPEN_TREE, _MOVE_MOUNT, _OPENAT2, _MOUNT_SETATTR = 428, 429, 437, 442
_CLONE, _AT_EMPTY_PATH = 1, 0x1000
_RDONLY, _NOSUID, _NODEV, _NOEXEC = 1, 2, 4, 8
_FROM_EMPTY, _TO_EMPTY = 0x4, 0x40
_PRIVATE = 1 << 18
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 1, 2, 4, 8
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


@contextlib.contextmanager
def directory(path: Path | str) -> Generator[int]:
    """A descriptor of the directory, which may not itself be a link."""
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def beneath(root: int, path: str) -> Generator[int]:
    """A descriptor of a directory below `root`, reached without any link, `..` out of it or
    another mount. OSError when that is not possible: ENOENT, ENOTDIR, ELOOP or EXDEV."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    how = struct.pack("=QQQ", flags, 0, _NO_XDEV | _NO_MAGICLINKS | _NO_SYMLINKS | _BENEATH)
    fd = _call(_OPENAT2, root, os.fsencode(path), how, len(how))
    try:
        yield fd
    finally:
        os.close(fd)


def bind(source: int, point: Path, *, read_only: bool) -> None:
    """The directory of the descriptor is mounted at `point`, without what is mounted below it;
    nothing in it is executed, no setuid bit or device node counts, and it is read-only from the
    first moment on if asked."""
    attributes = _NOSUID | _NODEV | _NOEXEC | (_RDONLY if read_only else 0)
    # Private: a mount made below the source later must not appear here.
    wanted = struct.pack("=QQQQ", attributes, 0, _PRIVATE, 0)
    flags = _CLONE | _AT_EMPTY_PATH | os.O_CLOEXEC
    tree = _call(_OPEN_TREE, source, b"", flags)
    try:
        _call(_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, wanted, len(wanted))
        with directory(point) as target:
            _call(_MOVE_MOUNT, tree, b"", target, b"", _FROM_EMPTY | _TO_EMPTY)
    finally:
        os.close(tree)


def _call(number: int, *arguments: int | bytes) -> int:
    converted = [
        ctypes.c_long(argument) if isinstance(argument, int) else ctypes.c_char_p(argument)
        for argument in arguments
    ]
    result = int(_libc.syscall(ctypes.c_long(number), *converted))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
