"""A share can be filled: with one file, with many, and with many beside one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from roadstead.drivers.pool.image.driver import ImagePool
from roadstead.model import world as w
from tests.unit.drivers.pool.filling import allocate, assert_full, small_files, write
from tests.unit.drivers.pool.worlds import LARGE, MIB, SIZE, SMALL, broken, snapshot_of, spec

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
GIB = 1 << 30


def made(pool: ImagePool, size_bytes: int) -> w.ShareOnDisk:
    return pool.ensure_share(spec(size_bytes))


def grown(pool: ImagePool, size_bytes: int) -> w.ShareOnDisk:
    return pool.ensure_size(made(pool, SMALL).instance_id, size_bytes)


def shrunk(pool: ImagePool, size_bytes: int) -> w.ShareOnDisk:
    return pool.ensure_size(made(pool, 2 * size_bytes).instance_id, size_bytes)


def cloned(pool: ImagePool, size_bytes: int) -> w.ShareOnDisk:
    ref = snapshot_of(made(pool, SMALL))
    pool.ensure_snapshot(ref)
    return pool.ensure_clone(spec(size_bytes), ref)


@pytest.mark.parametrize("come_by", [made, grown, shrunk, cloned], ids=lambda f: f.__name__)
def test_files_can_be_made_beside_one_that_fills_95_percent(
    pool: ImagePool, come_by: Callable[[ImagePool, int], w.ShareOnDisk]
) -> None:
    share = come_by(pool, LARGE)
    root, big = Path(share.path), LARGE * 95 // 100
    assert write(root / "big", big) == big
    assert small_files(root / "some", 1000, 1000) == 1000
    write(root / "rest", LARGE)
    assert_full(root)
    assert broken(pool)[share.instance_id] is None
    (root / "big").unlink()  # a full share can be emptied
    os.sync()
    assert write(root / "big", LARGE // 2) == LARGE // 2


def test_many_small_files_fill_a_share(pool: ImagePool) -> None:
    share = made(pool, SIZE)
    root, size = Path(share.path), 16 << 10
    count = SIZE * 9 // 10 // size
    assert small_files(root / "many", size, count) == count
    write(root / "rest", SIZE)
    assert_full(root)
    assert broken(pool)[share.instance_id] is None
    (root / "many" / "0").unlink()


@pytest.mark.parametrize("gib", [1, 4, 16, 31, 32, 100])
def test_an_allocated_file_of_95_percent_leaves_room_for_others(pool: ImagePool, gib: int) -> None:
    """Allocated bytes have no checksums, so nothing makes btrfs set metadata aside in time."""
    root = Path(made(pool, gib * GIB).path)
    allocate(root / "disk", gib * GIB * 95 // 100)
    assert small_files(root / "some", 1000, 1000) == 1000


def test_a_small_share_grown_large_has_room_for_both(pool: ImagePool) -> None:
    root = Path(grown(pool, 64 * GIB).path)
    allocate(root / "disk", 60 * GIB)
    assert small_files(root / "some", 1000, 1000) == 1000


def test_the_smallest_share_can_be_filled(pool: ImagePool) -> None:
    root = Path(made(pool, pool.info.min_bytes).path)
    big = pool.info.min_bytes * 9 // 10
    assert write(root / "big", big) == big
    assert small_files(root / "some", 1000, 100) == 100
    assert write(root / "rest", 64 * MIB) < 64 * MIB
