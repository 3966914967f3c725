"""Small files that are whole or as they were before, whatever happens meanwhile: the one way to
write them."""

import os
from pathlib import Path


def write_durably(
    path: Path,
    text: str,
    *,
    mode: int | None = None,
    gid: int = -1,
    modified_at: int | None = None,
) -> None:
    """The file has this text, also after a power cut; an interrupted call left the old one.

    `mode`: None = as the umask says; nobody else reads it before it is so. `gid`: the group, if we
    are root; -1 = our own. `modified_at`: its time in seconds; None = now.
    """
    temporary = temporary_of(path)
    # Never truncated: it may be a link, or open by one that was killed.
    temporary.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o666 if mode is None else mode & 0o700)
    try:
        with open(fd, "w") as file:
            _make_ready(fd, mode, gid)
            file.write(text)
            file.flush()
            os.fsync(fd)
        if modified_at is not None:
            os.utime(temporary, (modified_at, modified_at))
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def temporary_of(path: Path) -> Path:
    """Where `write_durably` writes first."""
    # The name is the same each time, so that a retry overwrites what a killed call left.
    return path.with_name(f".{path.name}.tmp")


def sync_directory(path: Path) -> None:
    """The directory's entries are on the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _make_ready(fd: int, mode: int | None, gid: int) -> None:
    if gid != -1 and os.geteuid() == 0:
        os.fchown(fd, -1, gid)
    # What the owner may it was made with. A filer may refuse to change it (knfsd through libnfs:
    # ERANGE), and may not even tell it right at once.
    if mode is not None and mode & 0o077:
        os.fchmod(fd, mode)
