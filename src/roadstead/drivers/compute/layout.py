"""Where the mounts of a compute host lie; every path derives from ids and leads back to them.

<directory>/<instance id>/<level>/mount                          the share, once per level
<directory>/<instance id>/<level>/attachments/<attachment id>    one attachment's view of it
"""

import os
from collections.abc import Iterator
from pathlib import Path

from roadstead.model import ids
from roadstead.model.errors import BadRequest

LEVELS = ("rw", "ro")


class Layout:
    """The paths. Ids that are not UUIDs are refused, so that no id can lead out."""

    def __init__(self, directory: str) -> None:
        self.directory = Path(directory).resolve()

    def mount(self, instance_id: str, level: str) -> Path:
        """Where the share is mounted at that level."""
        return self._share(instance_id, level) / "mount"

    def bind(self, mount: str, attachment_id: str) -> Path:
        """Where the attachment's view of the share mounted at `mount` lies."""
        path = Path(mount)
        level, instance_id = path.parent.name, path.parent.parent.name
        if path != self.mount(instance_id, level):
            raise BadRequest(f"{mount} is no mount of this host")
        return self._share(instance_id, level) / "attachments" / _checked(attachment_id)

    def binds_of(self, attachment_id: str) -> list[Path]:
        """Every view the attachment has, mounted or not."""
        _checked(attachment_id)
        return [
            path
            for *_, mount in self.mounts()
            for found, path in self.binds(mount)
            if found == attachment_id
        ]

    def mounts(self) -> Iterator[tuple[str, str, Path]]:
        """(instance id, level, mount point) of every share, mounted or not."""
        for instance_id in filter(ids.is_uuid, _names(self.directory)):
            for level in LEVELS:
                path = self._share(instance_id, level)
                if "mount" in _names(path):
                    yield instance_id, level, path / "mount"

    def binds(self, mount: Path) -> Iterator[tuple[str, Path]]:
        """(attachment id, path) of every view of the share mounted there."""
        directory = mount.parent / "attachments"
        for name in filter(ids.is_uuid, _names(directory)):
            yield name, directory / name

    def _share(self, instance_id: str, level: str) -> Path:
        if level not in LEVELS:
            raise BadRequest(f"not a level: {level!r}")
        return self.directory / _checked(instance_id) / level


def _names(directory: Path) -> list[str]:
    """What the directory holds. Names only: a look at a mount point asks its server, and a dead
    one never answers."""
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _checked(id_: str) -> str:
    if not ids.is_uuid(id_):
        raise BadRequest(f"not a resource id: {id_!r}")
    return id_
