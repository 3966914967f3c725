"""A compute host's mounts in a temporary directory, and shares to mount: filesystems in memory."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from roadstead.drivers.compute.local import LocalMounts
from roadstead.drivers.host import mounts
from roadstead.drivers.host.nfs import fuse_process
from roadstead.model.ids import new_id
from tests.lab.requirements import require


class Shares:
    """Each a filesystem of its own, as those of the image pool are."""

    def __init__(self, directory: Path) -> None:
        require("mount", "umount", root=True)
        self.directory = directory
        self._made: list[Path] = []

    def __enter__(self) -> Self:
        self.directory.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        for path in self._made:
            # Lazily: a failed test may have left somebody in it.
            subprocess.run(["umount", "--lazy", path], check=True)

    def make(self, size: str = "64m") -> Path:
        """A new, empty share."""
        path = self.directory / new_id()
        path.mkdir()
        argv = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "share", str(path)]
        subprocess.run(argv, check=True)
        self._made.append(path)
        return path


@contextmanager
def local_mounts(directory: Path) -> Iterator[LocalMounts]:
    """A ready driver; afterwards neither mount nor process of it is left."""
    driver = LocalMounts(LocalMounts.Options(directory=str(directory)))
    driver.ensure_ready()
    try:
        yield driver
    finally:
        below = [point for point in mounts.table() if point.startswith(f"{directory}/")]
        for point in sorted(below, reverse=True):
            subprocess.run(["umount", "--lazy", point], check=True)
            fuse_process.end(Path(point))
        mounts.ensure_shared_no_more(directory)
