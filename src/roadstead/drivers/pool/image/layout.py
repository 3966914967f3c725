"""Names on disk of an image pool; every one derives from an id and can be traced back to it.

<directory>/pool.img              only where the directory's filesystem cannot reflink: XFS,
                                  mounted on pool/
<directory>/pool/img/             share-<instance id>, snap-<snapshot id>: one filesystem each
                     .<name>.tmp  being made; worthless
<directory>/pool/trash/           being deleted; worthless
<directory>/pool/kept/            share-<instance id>: set aside since the file was last modified
<mount root>/<instance id>        where a share is mounted; default <directory>/mnt
"""

import re
from collections.abc import Iterator
from os import DirEntry, scandir
from pathlib import Path

from roadstead.model import ids
from roadstead.model.errors import BadRequest

_NAME = re.compile(r"(share|snap)-(.{36})")
_TEMPORARY = re.compile(r"\.((?:share|snap)-.{36})\.tmp")
KINDS = {"share": "share", "snap": "snapshot"}


class Layout:
    """Where the parts of one pool lie. Ids that are not UUIDs are refused, so that no id can lead
    out of the pool."""

    def __init__(self, directory: str, mount_root: str) -> None:
        self.directory = Path(directory).resolve()
        self.backing = self.directory / "pool.img"
        self.pool = self.directory / "pool"
        self.images = self.pool / "img"
        self.trash = self.pool / "trash"
        self.kept = self.pool / "kept"
        self.mounts = Path(mount_root).resolve() if mount_root else self.directory / "mnt"

    def share(self, instance_id: str) -> Path:
        """The share's image."""
        return self.images / ids.image_name(_checked(instance_id))

    def snapshot(self, snapshot_id: str) -> Path:
        """The snapshot's image."""
        return self.images / ids.snapshot_image_name(_checked(snapshot_id))

    def aside(self, instance_id: str) -> Path:
        """The share's image while it is set aside."""
        return self.kept / ids.image_name(_checked(instance_id))

    def point(self, instance_id: str) -> Path:
        """Where the share is mounted."""
        return self.mounts / _checked(instance_id)


def temporary(image: Path) -> Path:
    """The name of an image while it is being made; the same at every attempt."""
    return image.with_name(f".{image.name}.tmp")


def made_as_temporary(name: str) -> tuple[str, str] | None:
    """(mark kind, id) of the image that was to be made under this temporary name."""
    match = _TEMPORARY.fullmatch(name)
    return kind_and_id(match[1]) if match else None


def kind_and_id(name: str) -> tuple[str, str] | None:
    """(mark kind, id) of an image's file name; None when it is not one of ours."""
    match = _NAME.fullmatch(name)
    return (KINDS[match[1]], match[2]) if match and ids.is_uuid(match[2]) else None


def listed(directory: Path) -> Iterator[tuple[str, str, DirEntry[str]]]:
    """(mark kind, id, entry) of every image in the directory; others' files are passed over."""
    with scandir(directory) as entries:
        for entry in entries:
            found = kind_and_id(entry.name)
            if found is not None:
                yield (*found, entry)


def _checked(id_: str) -> str:
    if not ids.is_uuid(id_):
        raise BadRequest(f"not a resource id: {id_!r}")
    return id_
