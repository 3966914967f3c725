"""Names on disk of a filer pool, and the small files that say what each share should be.

<tree>/roadstead/.roadstead-filer     the pool's id: whoever sees it sees the filer's directory
                /shares/<instance id>/  the share's root directory
                /sizes/<instance id>    its size as JSON; `.<instance id>.tmp` is being written
                /trash/<instance id>/   being deleted; worthless
                /kept/<instance id>/    set aside, since when is beside its size
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from roadstead.drivers.filer import paths
from roadstead.drivers.host import durable
from roadstead.model import ids
from roadstead.model.errors import BadRequest, DriverError
from roadstead.process.files import sync_directory, temporary_of, write_durably

MARKER = ".roadstead-filer"
_LONGEST = 4096


class _Size(msgspec.Struct, frozen=True):
    size_bytes: int
    since: float = 0.0  # set aside then


class FilerLayout:
    """Where the parts of the pool lie below the tree. Ids that are not UUIDs are refused, so that
    no id can lead out of it."""

    def __init__(self, tree: str) -> None:
        self.tree = Path(tree)
        self.root = self.tree / paths.ROOT
        self.marker = self.root / MARKER
        self.shares = self.tree / paths.SHARES
        self.sizes = self.root / "sizes"
        self.trash = self.root / "trash"
        self.kept = self.root / "kept"

    def make(self) -> None:
        """The directories and the marker are there."""
        # Nobody but root walks through here; a share is reached by its export alone.
        for directory in (self.root, self.shares, self.sizes, self.trash, self.kept):
            directory.mkdir(mode=0o700, exist_ok=True)
        if self.marker_id() is None:
            write_durably(self.marker, f"{ids.new_id()}\n", mode=0o600)

    def marker_id(self) -> str | None:
        """The pool's id; None when the tree is not, or not yet, the filer's."""
        return (_read(self.marker) or b"").decode(errors="replace").strip() or None

    def check(self) -> None:
        """DriverError when one of our directories is something else: a tenant who forged file
        handles could have put a link there, that leads anywhere on this host."""
        for directory in (self.root, self.shares, self.sizes, self.trash, self.kept):
            if not _is_directory(directory):
                raise DriverError(f"{directory} is not the directory it was")

    def share(self, instance_id: str) -> Path:
        """The share's root directory."""
        return self.shares / _checked(instance_id)

    def has_share(self, instance_id: str) -> bool:
        """Whether there is such a directory."""
        return _is_directory(self.share(instance_id))

    def make_share(self, instance_id: str) -> None:
        """The share's directory is there, as the root of a new filesystem would be."""
        share = self.share(instance_id)
        share.mkdir(mode=0o755)
        # The umask had its say. Not always: libnfs 4 cannot do that to directories by NFSv4.
        if share.stat().st_mode & 0o777 != 0o755:
            share.chmod(0o755)
        sync_directory(self.shares)

    def rubbish(self, instance_id: str) -> Path:
        """What is left of the share while it is being deleted."""
        return self.trash / _checked(instance_id)

    def aside(self, instance_id: str) -> Path:
        """The share's root directory while it is set aside."""
        return self.kept / _checked(instance_id)

    def has_aside(self, instance_id: str) -> bool:
        """Whether there is such a directory."""
        return _is_directory(self.aside(instance_id))

    def size(self, instance_id: str) -> int | None:
        """The share's size in bytes; None when none is legible."""
        noted = self._noted(instance_id)
        return (noted and noted.size_bytes) or None

    def since(self, instance_id: str) -> float | None:
        """When the share was set aside; None when nobody noted it."""
        noted = self._noted(instance_id)
        return (noted and noted.since) or None

    def _noted(self, instance_id: str) -> _Size | None:
        text = _read(self.sizes / _checked(instance_id))
        try:
            return msgspec.json.decode(text, type=_Size) if text else None
        except msgspec.DecodeError:
            return None

    def write_size(self, instance_id: str, size_bytes: int, *, since: float = 0.0) -> None:
        """The share's size is this, also after a power cut."""
        file = self.sizes / _checked(instance_id)
        text = msgspec.json.encode(_Size(size_bytes, since)).decode()
        write_durably(file, f"{text}\n", mode=0o600)

    def remove_size(self, instance_id: str) -> None:
        """The share has no size any more."""
        durable.remove(self.sizes / _checked(instance_id))

    def sized(self) -> Iterator[str]:
        """Every id that has a size, in whatever state."""
        for name in os.listdir(self.sizes):
            id_ = name.removeprefix(".").removesuffix(".tmp")
            if ids.is_uuid(id_):
                yield id_

    def remove_leftovers(self, instance_id: str) -> None:
        """No size of a share that is not there, and none half-written."""
        durable.remove(temporary_of(self.sizes / instance_id))
        if not self.has_share(instance_id) and not self.has_aside(instance_id):
            self.remove_size(instance_id)


def directories(above: Path) -> Iterator[str]:
    """Ids of the directories there that are named after one; others' files are passed over."""
    with os.scandir(above) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                if ids.is_uuid(entry.name) and entry.is_dir(follow_symlinks=False):
                    yield entry.name


def _checked(id_: str) -> str:
    if not ids.is_uuid(id_):
        raise BadRequest(f"not a resource id: {id_!r}")
    return id_


def _is_directory(path: Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _read(file: Path) -> bytes | None:
    """What the small file holds; None when there is none, or something else of that name."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            return None
        raise
    try:
        return os.read(fd, _LONGEST) if stat.S_ISREG(os.fstat(fd).st_mode) else None
    finally:
        os.close(fd)
