"""File operations whose result survives a power cut once they have returned."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Generator
from pathlib import Path

from roadstead.process.files import sync_directory

_FICLONE = 0x40049409  # linux/fs.h


def rename(source: Path, target: Path) -> None:
    """The file bears the new name, also after a power cut; what bore it before is gone."""
    os.rename(source, target)
    sync_directory(target.parent)
    if source.parent != target.parent:
        sync_directory(source.parent)


def stamp(path: Path) -> None:
    """The file was last modified now, also after a power cut."""
    os.utime(path)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove(path: Path) -> None:
    """No file of that name is left; that there was none is not an error. Not synced."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def resize(path: Path, size_bytes: int) -> None:
    """The file has this size; what lay beyond it is lost, what is new takes no space."""
    with path.open("r+b") as file:
        file.truncate(size_bytes)
        os.fsync(file.fileno())


@contextlib.contextmanager
def fresh_file(path: Path) -> Generator[int]:
    """A new, empty file, open for writing; removed again if the block raises.

    A file of that name is unlinked first, never truncated: a program started by a killed
    predecessor may still be writing to it.
    """
    remove(path)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    except BaseException:
        remove(path)
        raise
    finally:
        os.close(fd)


def path_of_fd(fd: int) -> str:
    """A path by which a child program opens this very file, whatever happens to its name.

    It ends with this process, so that an orphaned child cannot open a successor's file.
    """
    return f"/proc/{os.getpid()}/fd/{fd}"


def reflink(source: Path, target_fd: int) -> None:
    """The open file shares all blocks of `source` (ioctl_ficlone(2)). OSError where the
    filesystem cannot: EOPNOTSUPP, EINVAL or ENOTTY."""
    fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(target_fd, _FICLONE, fd)
    finally:
        os.close(fd)


def can_reflink(directory: Path) -> bool:
    """Whether files of this directory can share blocks; really tried, nothing is left behind."""
    with (
        tempfile.NamedTemporaryFile(dir=directory, prefix=".reflink-") as source,
        tempfile.TemporaryFile(dir=directory) as target,
    ):
        source.write(b"x" * 4096)
        source.flush()
        try:
            reflink(Path(source.name), target.fileno())
        except OSError:
            return False
        return True
