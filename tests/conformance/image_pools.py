"""An image pool in a temporary directory, for one test."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roadstead.drivers.pool.image.driver import ImagePool
from tests.lab.requirements import require


@contextmanager
def image_pool(directory: Path, *, backing_gib: int = 16) -> Iterator[ImagePool]:
    """A ready pool; afterwards neither mount, loop device nor file of it is left.

    A machine that cannot run it is an error, never a skip.
    """
    require(
        "mkfs.btrfs", "btrfstune", "mkfs.xfs", devices=("/dev/loop-control",), root=True
    )  # fmt: skip
    pool = ImagePool(
        ImagePool.Options(directory=str(directory), backing_gib=backing_gib), name="test"
    )
    try:
        pool.ensure_pool()
        yield pool
    finally:
        pool.ensure_unmounted()
        shutil.rmtree(directory)


def restarted(pool: ImagePool) -> ImagePool:
    """The pool as the next agent has it: nothing remembered, `ensure_pool` called."""
    successor = ImagePool(ImagePool.Options(directory=str(pool.layout.directory)), name=pool.name)
    successor.ensure_pool()
    return successor
