"""Removing a directory tree that a hostile tenant filled: any depth, any number, any links.

Nothing is followed and nothing is recursive: every directory found is moved up to the top, so
that there never is more than one level, and removed there once its files are gone.
"""

import contextlib
import errno
import itertools
import os
from collections.abc import Generator
from pathlib import Path

from roadstead.model.errors import Transient

_BATCH = 50_000  # names held in memory at a time
_PATIENCE = 100  # rounds in which nothing was removed: somebody is still writing
_CHANGED = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)


def remove_tree(path: Path) -> None:
    """Neither the directory nor anything in it is left; that there was none is not an error.

    What its links point at is untouched. Transient while somebody keeps filling it.
    """
    try:
        top = _open(str(path), None)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        os.unlink(path)
        return
    try:
        _empty(top)
    finally:
        os.close(top)
    try:
        os.rmdir(path)
    except OSError as error:
        if error.errno not in _CHANGED:
            raise
        raise Transient(f"{path.name} is being written to") from error


def _empty(top: int) -> None:
    """The directory has no entries. Only its own files and one level are ever looked at."""
    fresh, patience = itertools.count(), _PATIENCE
    while names := _clear(top):
        removed = [_dissolve(top, name, fresh) for name in names]
        patience = _PATIENCE if any(removed) else patience - 1
        if not patience:
            raise Transient("the deleted share is being written to")


def _dissolve(top: int, name: str, fresh: "itertools.count[int]") -> bool:
    """Whether the directory could be removed; those in it have moved up to `top`."""
    try:
        with _opened(name, top) as directory:
            while children := _clear(directory):
                for child in children:
                    _move_up(directory, child, top, fresh)
        os.rmdir(name, dir_fd=top)
    except OSError as error:
        if error.errno not in (*_CHANGED, errno.ENOENT, errno.ELOOP):
            raise
        return False
    return True


def _move_up(directory: int, child: str, top: int, fresh: "itertools.count[int]") -> None:
    while True:
        try:
            os.rename(child, f".moved-{next(fresh)}", src_dir_fd=directory, dst_dir_fd=top)
            return
        except OSError as error:
            # A name the tenant, or a killed predecessor, has used already.
            if error.errno not in _CHANGED:
                raise


def _clear(directory: int) -> list[str]:
    """Some of the directories there; only when none is returned there is nothing left at all."""
    while True:
        with os.scandir(directory) as entries:
            batch = list(itertools.islice(entries, _BATCH))
        found = [entry.name for entry in batch if entry.is_dir(follow_symlinks=False)]
        known = set(found)
        for entry in batch:
            if entry.name not in known:
                with contextlib.suppress(FileNotFoundError, IsADirectoryError):
                    os.unlink(entry.name, dir_fd=directory)
        if found or not batch:
            return found


@contextlib.contextmanager
def _opened(name: str, above: int) -> Generator[int]:
    fd = _open(name, above)
    try:
        yield fd
    finally:
        os.close(fd)


def _open(name: str, above: int | None) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, dir_fd=above)
