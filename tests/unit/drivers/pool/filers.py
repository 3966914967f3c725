"""A filer's directory as a filesystem of its own, and looking at it behind a pool's back."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from roadstead.drivers.pool.filer import FilerPool

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from roadstead.drivers.base_filer import FilerControl


@contextlib.contextmanager
def mounted_tree(tree: Path) -> Iterator[Path]:
    """A filesystem is mounted there; afterwards it is gone, and its bytes with it."""
    tree.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1G", "filer", tree], check=True)
    try:
        yield tree
    finally:
        subprocess.run(["umount", tree], check=True)


def restarted(pool: FilerPool, control: FilerControl) -> FilerPool:
    """A newly started agent's pool on the same tree."""
    tree = str(pool.layout.tree)
    again = FilerPool(name=pool.name, tree=tree, path=pool._path, control=control)
    again.ensure_pool()
    return again


def assert_exactly(pool: FilerPool, shares: Collection[str]) -> None:
    """These are there and whole, and no other file of the pool is."""
    found = list(pool.inventory())
    assert [mark for mark in found if mark.broken or mark.kind != "share"] == []
    assert {mark.id for mark in found} == set(shares)
    layout = pool.layout
    for directory in (layout.shares, layout.sizes):
        assert set(os.listdir(directory)) == set(shares)
    assert os.listdir(layout.trash) == []
