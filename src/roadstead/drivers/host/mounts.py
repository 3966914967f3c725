"""Mounts of this mount namespace: read from /proc/self/mountinfo (proc(5)), changed by mount(2).

Descriptors opened on a mount's root are checked to be on that very mount: a path says nothing
when something else has been mounted over it.
"""

import contextlib
import ctypes
import errno
import os
import re
import time
from collections.abc import Generator
from pathlib import Path

import msgspec

from roadstead.model.errors import DriverError, InUse

NOSUID, NODEV, NOEXEC = 2, 4, 8  # sys/mount.h
BIND, REC, SHARED = 4096, 16384, 1 << 20
_DETACH, _UMOUNT_NOFOLLOW = 2, 8
_libc = ctypes.CDLL(None, use_errno=True)


class Mount(msgspec.Struct, frozen=True):
    """One line of mountinfo."""

    id: int
    parent: int
    root: str  # the directory of its filesystem that is seen at `point`
    point: str
    fstype: str
    source: str
    read_only: bool  # the filesystem itself, by its own decision too; not only this mount of it
    shared: bool  # later mounts below it reach the mount namespaces made from ours


Table = dict[str, list[Mount]]  # by mount point; several when mounts lie over each other


def parse(text: str) -> Table:
    """The mounts in the text of a mountinfo file, by mount point."""
    table: Table = {}
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, (fstype, source, options) = left.split(" "), right.split(" ")[:3]
        mount = Mount(
            id=int(fields[0]),
            parent=int(fields[1]),
            root=_unescaped(fields[3]),
            point=_unescaped(fields[4]),
            fstype=fstype,
            source=_unescaped(source),
            read_only="ro" in options.split(","),
            shared=any(field.startswith("shared:") for field in fields[6:]),
        )
        table.setdefault(mount.point, []).append(mount)
    return table


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    raw = re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), os.fsencode(text))
    return os.fsdecode(raw)


def table() -> Table:
    """The mounts of now."""
    return parse(os.fsdecode(Path("/proc/self/mountinfo").read_bytes()))


def id_of_fd(fd: int) -> int:
    """The id of the mount on which the descriptor was opened."""
    for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines():
        if line.startswith("mnt_id:"):
            return int(line.split()[1])
    raise DriverError("/proc/self/fdinfo does not tell mnt_id")


def id_at(path: Path | str) -> int | None:
    """The id of the mount that one sees at the path; None when there is no such path."""
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return id_of_fd(fd)
    finally:
        os.close(fd)


@contextlib.contextmanager
def root_of(mount: Mount) -> Generator[int]:
    """A descriptor of the mount's root directory; DriverError when it cannot be reached because
    something else is mounted over it."""
    fd = os.open(mount.point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if id_of_fd(fd) != mount.id:
            raise DriverError(f"something else is mounted over {mount.point}")
        yield fd
    finally:
        os.close(fd)


def mount(
    source: str | None, point: Path, fstype: str | None, flags: int, options: str = ""
) -> None:
    """`source` is mounted at `point`, or what is mounted there has these flags. OSError as mount(2)
    has it."""
    if _libc.mount(
        None if source is None else os.fsencode(source),
        os.fsencode(point),
        None if fstype is None else fstype.encode(),
        ctypes.c_ulong(flags),
        options.encode(),
    ):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(point))


def unmount(point: Path, *, patience: float = 0.1) -> None:
    """The uppermost mount at `point` is gone; that there was none is not an error.

    InUse when it is still busy after `patience` seconds (a child process may hold a copy of a
    descriptor of ours until it has reached exec).
    """
    deadline = time.monotonic() + patience
    while _libc.umount2(os.fsencode(point), _UMOUNT_NOFOLLOW):
        number = ctypes.get_errno()
        if number in (errno.EINVAL, errno.ENOENT):  # not a mount point
            return
        if number != errno.EBUSY:
            raise OSError(number, os.strerror(number), str(point))
        if time.monotonic() >= deadline:
            raise InUse(f"{point} is busy")
        time.sleep(0.01)


def detach(point: Path) -> None:
    """The uppermost mount at `point` is seen no more, and ends with its last user. OSError as
    umount2(2) has it."""
    if _libc.umount2(os.fsencode(point), _DETACH | _UMOUNT_NOFOLLOW):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(point))


def ensure_shared(directory: Path) -> None:
    """What is mounted or unmounted below the directory later is so in mount namespaces, too, that
    were made from ours before (mount_namespaces(7)), if the directory lies on a shared mount or
    nothing was mounted below it yet. Where it is not a mount, it becomes one, of itself."""
    mounts = table()
    here = id_at(directory)
    carrier = next((m for group in mounts.values() for m in group if m.id == here), None)
    if carrier is None or carrier.shared:
        return
    if carrier.point != str(directory):
        if any(point.startswith(f"{directory}/") for point in mounts):
            return  # a mount over these would hide them; after the next reboot they are gone
        mount(str(directory), directory, None, BIND)
    mount(None, directory, None, SHARED)


def ensure_shared_no_more(directory: Path) -> None:
    """The mount of itself that `ensure_shared` made is gone; a filesystem that somebody mounted
    there stays. InUse while something below it is mounted or open."""
    mounts = table()
    by_id = {mount.id: mount for group in mounts.values() for mount in group}
    for mount in mounts.get(str(directory), []):
        parent = by_id.get(mount.parent)
        if parent and mount.root == _seen_through(parent, directory):
            unmount(directory)


def _seen_through(mount: Mount, path: Path) -> str:
    return str(Path(mount.root, path.relative_to(mount.point)))


def sync(fd: int) -> None:
    """Everything written to the descriptor's filesystem is on its device (syncfs(2))."""
    if _libc.syncfs(fd):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
