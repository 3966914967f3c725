"""What the world holds of one share: its image, its mount, and whether the two belong together."""

import os

import msgspec

from roadstead.drivers.host import mounts
from roadstead.drivers.pool.image import loop
from roadstead.drivers.pool.image.layout import Layout

NOT_MOUNTED = "not mounted"
IMAGE_MISSING = "image missing"
READ_ONLY = "read-only"  # a pool without room made its writes fail; only a new mount helps
WRONG_IMAGE = "another file is mounted"
HIDDEN = "something else is mounted over it"


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """One share as it was found. Whole when image and mount are there and `broken` is None."""

    image_bytes: int | None  # None: no image
    mount: mounts.Mount | None  # the share's own, reachable mount
    broken: str | None

    @property
    def absent(self) -> bool:
        """Neither image nor mount."""
        return self.image_bytes is None and self.mount is None and self.broken != HIDDEN


def look(layout: Layout, instance_id: str, table: mounts.Table | None = None) -> Presence:
    """The share as it is now. `table` saves reading mountinfo again for each of many shares."""
    image, point = layout.share(instance_id), layout.point(instance_id)
    size = _size(image)
    found = (mounts.table() if table is None else table).get(str(point), [])
    if not found:
        return Presence(image_bytes=size, mount=None, broken=NOT_MOUNTED)
    seen = mounts.id_at(point)
    top = next((mount for mount in found if mount.id == seen), None)
    if top is None or not loop.is_device(top.source):
        return Presence(image_bytes=size, mount=None, broken=HIDDEN)
    backing = loop.backing_file(top.source)
    if size is None:
        broken = IMAGE_MISSING
    elif backing != str(image):
        broken = WRONG_IMAGE
    else:
        broken = READ_ONLY if top.read_only else None
    return Presence(image_bytes=size, mount=top, broken=broken)


def _size(image: os.PathLike[str]) -> int | None:
    try:
        return os.stat(image).st_size
    except FileNotFoundError:
        return None
