"""A pool that ran full makes a share read-only; it is told, and mended when there is room again."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from roadstead.drivers.host import mounts
from roadstead.drivers.pool.image import backing
from roadstead.drivers.pool.image.driver import ImagePool
from roadstead.model import world as w
from roadstead.model.errors import DriverError, InUse
from tests.conformance.image_pools import image_pool, restarted
from tests.unit.drivers.pool.filling import fill_pool
from tests.unit.drivers.pool.worlds import assert_exactly, broken, command, snapshot_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(60)]


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[ImagePool]:
    with image_pool(tmp_path / "pool", backing_gib=1) as pool:
        yield pool


@pytest.fixture
def ballast(pool: ImagePool, share: w.ShareOnDisk) -> Path:
    """What fills the pool; the share, in which `file` was kept, has become read-only by it."""
    os.sync()
    ballast = fill_pool(pool, leave=0)
    root = os.open(share.path, os.O_RDONLY | os.O_DIRECTORY)
    for number in range(1000):  # a failed write of data alone is ENOSPC, one of metadata is fatal
        with contextlib.suppress(OSError):
            Path(share.path, str(number)).touch()
            mounts.sync(root)
        if os.fstatvfs(root).f_flag & os.ST_RDONLY:
            break
    os.close(root)
    return ballast


def make_room(pool: ImagePool, ballast: Path) -> None:
    ballast.unlink()
    assert backing.has_room(pool.layout, backing.ROOM_BYTES)


def test_it_is_told_and_still_read(pool: ImagePool, share: w.ShareOnDisk, ballast: Path) -> None:
    assert broken(pool) == {share.instance_id: "read-only"}
    assert pool.find_share(share.instance_id) == share
    pool.ensure_pool()
    with pytest.raises(DriverError, match="pool is full") as refused:
        pool.ensure_share(w.ShareSpec(instance_id=share.instance_id, size_bytes=share.size_bytes))
    assert refused.value.detail_id == "009"
    assert Path(share.path, "file").read_text() == "kept"


def test_it_is_mended_by_whoever_comes_first_once_there_is_room(
    pool: ImagePool, share: w.ShareOnDisk, ballast: Path
) -> None:
    make_room(pool, ballast)
    pool.ensure_share(w.ShareSpec(instance_id=share.instance_id, size_bytes=share.size_bytes))
    assert pool.find_share(share.instance_id) == share
    assert Path(share.path, "file").read_text() == "kept"
    assert Path(share.path, "new").write_text("can be written")
    os.sync()
    assert_exactly(pool, {share.instance_id})


def test_it_is_mended_by_the_next_sweep_once_nobody_has_it_open(
    pool: ImagePool, share: w.ShareOnDisk, ballast: Path
) -> None:
    make_room(pool, ballast)
    with Path(share.path, "file").open():
        pool.ensure_pool()
        assert broken(pool) == {share.instance_id: "read-only"}
        with pytest.raises(InUse):
            pool.ensure_snapshot(snapshot_of(share))
        assert Path(share.path, "file").read_text() == "kept"
    pool = restarted(pool)
    assert Path(share.path, "new").write_text("can be written")
    assert_exactly(pool, {share.instance_id})


def test_a_share_made_read_only_by_hand_is_made_writable_again(
    pool: ImagePool, share: w.ShareOnDisk
) -> None:
    command("mount", "-o", "remount,ro", share.path)
    assert broken(pool) == {share.instance_id: "read-only"}
    pool.ensure_pool()
    assert Path(share.path, "file").write_text("can be written")
    assert_exactly(pool, {share.instance_id})


def test_it_can_be_deleted(pool: ImagePool, share: w.ShareOnDisk, ballast: Path) -> None:
    pool.ensure_share_absent(share.instance_id)
    assert_exactly(pool, set())
