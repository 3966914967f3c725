"""Deleting an image: renamed into the trash, which is quick and final, then unlinked."""

from pathlib import Path

from roadstead.drivers.pool import durable, loop, mounting
from roadstead.drivers.pool.layout import Layout, listed


def discard(layout: Layout, image: Path) -> None:
    """The image is gone, and no loop device stands on it; that there was none is not an error.
    InUse while a device is kept open. Killed between the two steps it is left in the trash."""
    if not loop.detach(image, patience=mounting.DETACH_SECONDS):
        raise mounting.held(image.name)
    if image.exists():
        rubbish = layout.trash / image.name
        durable.rename(image, rubbish)
        durable.remove(rubbish)


def purge(layout: Layout) -> None:
    """The trash is empty."""
    for _, _, entry in list(listed(layout.trash)):
        durable.remove(Path(entry.path))
