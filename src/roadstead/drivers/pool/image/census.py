"""What a pool holds: its sums, and every mark in it."""

import contextlib
import os
from collections.abc import Iterator

from roadstead.drivers.host import mounts
from roadstead.drivers.host.locks import IdLocks
from roadstead.drivers.pool.image import backing
from roadstead.drivers.pool.image.layout import Layout, listed
from roadstead.drivers.pool.image.presence import Presence, look
from roadstead.drivers.pool.image.restore import mounted_ids
from roadstead.model import world as w


def stats(layout: Layout) -> w.PoolStats:
    """Capacity now; a block that images share is counted for each of them in `allocated`."""
    total, free = backing.room(layout)
    allocated = provisioned = 0
    for kind, _, entry in listed(layout.images):
        with contextlib.suppress(FileNotFoundError):
            stat = entry.stat()
            allocated += stat.st_blocks * 512
            provisioned += stat.st_size if kind == "share" else 0
    return w.PoolStats(total=total, free=free, allocated=allocated, provisioned=provisioned)


def shares(layout: Layout, locks: IdLocks) -> Iterator[w.Mark]:
    """Every share that has an image or a mount; facts size_bytes (of the image) and path (its
    root directory). What looks broken is looked at again when nobody works on it."""
    images = {id_ for kind, id_, _ in listed(layout.images) if kind == "share"}
    table = mounts.table()
    for instance_id in sorted(images | mounted_ids(layout, table)):
        there = look(layout, instance_id, table)
        if there.broken is not None:
            with locks.held(instance_id):
                there = look(layout, instance_id)
        if not there.absent:
            yield _mark(layout, instance_id, there)


def _mark(layout: Layout, instance_id: str, there: Presence) -> w.Mark:
    facts: dict[str, object] = {
        "size_bytes": there.image_bytes or 0,
        "path": str(layout.point(instance_id)),
    }
    return w.Mark(kind="share", id=instance_id, facts=facts, broken=there.broken)


def others(layout: Layout) -> Iterator[w.Mark]:
    """Every snapshot, and everything in the trash; facts size_bytes and path of the file."""
    for kind, id_, entry in list(listed(layout.images)):
        if kind == "snapshot":
            yield from _file_mark(kind, id_, entry)
    for _, id_, entry in list(listed(layout.trash)):
        yield from _file_mark("trash", id_, entry)
    yield from kept(layout)


def kept(layout: Layout) -> Iterator[w.Mark]:
    """Every share that was set aside; facts size_bytes, path and since."""
    for kind, id_, entry in list(listed(layout.kept)):
        if kind == "share":
            yield from _file_mark("trash", id_, entry, set_aside=True)


def _file_mark(
    kind: str, id_: str, entry: os.DirEntry[str], *, set_aside: bool = False
) -> Iterator[w.Mark]:
    try:
        found = entry.stat()
    except FileNotFoundError:  # gone since it was listed
        return
    facts: dict[str, object] = {"size_bytes": found.st_size, "path": entry.path}
    if set_aside:
        facts["since"] = found.st_mtime
    yield w.Mark(kind=kind, id=id_, facts=facts)
