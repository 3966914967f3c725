"""A filer's directory as a filesystem of its own, and looking at it behind a pool's back."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from roadstead.drivers.filer.memory import MemoryFiler
from roadstead.drivers.pool.filer.driver import FilerPool
from roadstead.model import ids
from roadstead.model import world as w

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from roadstead.drivers.base.filer import FilerControl

GIB = 1 << 30
NO_LOGS = "/nowhere"  # of a pool that does not mount its tree itself


def spec(size_bytes: int = GIB) -> w.ShareSpec:
    return w.ShareSpec(instance_id=ids.new_id(), size_bytes=size_bytes)


def pool_at(
    tree: Path, control: MemoryFiler | None = None, *, allow_local: bool = False
) -> FilerPool:
    """Not yet ready."""
    return FilerPool(
        FilerPool.Options(allow_local=allow_local, log_directory=NO_LOGS),
        name="test",
        tree=str(tree),
        path="/vol/0/",
        control=control or MemoryFiler(MemoryFiler.Options()),
    )


def directory(pool: FilerPool, share: w.ShareOnDisk) -> Path:
    """The share's root directory, as this host sees it."""
    return pool.layout.tree / "roadstead/shares" / share.instance_id


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
    again = FilerPool(
        FilerPool.Options(log_directory=NO_LOGS),
        name=pool.name,
        tree=str(pool.layout.tree),
        path=pool._path,
        control=control,
    )
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
    assert os.listdir(layout.trash) == os.listdir(layout.kept) == []


def fill(root: Path, outside: Path) -> None:
    """What a tenant could think of."""
    (root / "link-out").symlink_to(outside)
    (root / ".moved-0").symlink_to(outside)
    (root / ".moved-1").mkdir()
    (root / ".moved-1/full").mkdir()
    (root / ".moved-2").write_text("a file of that name")
    os.mkfifo(root / "fifo")
    (root / "locked").mkdir()
    (root / "locked/inside").write_text("x")
    (root / "locked").chmod(0)
    for name in (b"\xff\xfe", b"-rf", b"new\nline", b"\\", b"x" * 255):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).mkdir()
    (root / "dir").mkdir()
    (root / "dir/deeper").symlink_to(outside)
    os.link(root / ".moved-2", root / "dir/hard")
