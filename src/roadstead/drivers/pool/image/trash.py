"""Images that are no shares any more: deleted ones, and those set aside for somebody to ask for.

Deleting is a rename into `trash`, which is quick and final, then an unlink. What was set aside
lies in `kept`, under the name it had: nothing there goes before it is told to.
"""

from pathlib import Path

from roadstead.drivers.host import durable
from roadstead.drivers.pool.image import loop, mounting
from roadstead.drivers.pool.image.layout import Layout, listed
from roadstead.model.errors import Conflict


def discard(layout: Layout, image: Path) -> None:
    """The image is gone, and no loop device stands on it; that there was none is not an error.
    InUse while a device is kept open. Killed between the two steps it is left in the trash."""
    _detach(image)
    if image.exists():
        rubbish = layout.trash / image.name
        durable.rename(image, rubbish)
        durable.remove(rubbish)


def purge(layout: Layout) -> None:
    """The trash is empty. What was set aside is not in it."""
    for _, _, entry in list(listed(layout.trash)):
        durable.remove(Path(entry.path))


def set_aside(layout: Layout, instance_id: str) -> None:
    """The share's image, which is not mounted, is kept under the same name, from now on. InUse
    while a device is kept open; Conflict when one of that name is kept already."""
    image, aside = layout.share(instance_id), layout.aside(instance_id)
    _detach(image)
    if image.exists():
        if aside.exists():
            raise Conflict(f"{aside} is in the way")
        durable.stamp(image)
        durable.rename(image, aside)


def give_back(layout: Layout, instance_id: str) -> bool:
    """True when the share's image had been set aside, and is where it was. The caller knows that
    no other is there."""
    aside = layout.aside(instance_id)
    if not aside.exists():
        return False
    durable.rename(aside, layout.share(instance_id))
    return True


def _detach(image: Path) -> None:
    if not loop.detach(image, patience=mounting.DETACH_SECONDS):
        raise mounting.held(image.name)
