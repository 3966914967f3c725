"""A pool without room refuses what is new, and leaves nothing of it."""

import os
from pathlib import Path

import pytest

from roadstead.drivers.pool.image import backing, btrfs
from roadstead.drivers.pool.image.driver import ImagePool
from roadstead.model.errors import DriverError
from tests.conformance.image_pools import image_pool
from tests.unit.drivers.pool.filling import fill_pool
from tests.unit.drivers.pool.worlds import LARGE, SMALL, assert_exactly, snapshot_of, spec

pytestmark = pytest.mark.real


@pytest.mark.parametrize("by_margin", [True, False])
def test_nothing_new_is_left_of_what_did_not_fit(
    tmp_path: Path, by_margin: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with image_pool(tmp_path / "pool", backing_gib=1) as pool:
        share = pool.ensure_share(spec(SMALL))
        Path(share.path, "file").write_text("kept")
        ref = snapshot_of(share)
        pool.ensure_snapshot(ref)
        if not by_margin:
            monkeypatch.setattr(backing, "ROOM_BYTES", 0)
        ballast = fill_pool(pool, leave=32 << 20 if by_margin else 0)
        with pytest.raises(DriverError, match="pool test is full") as refused:
            pool.ensure_share(spec())
        assert refused.value.detail_id == "009"
        if by_margin:
            with pytest.raises(DriverError, match="pool test is full"):
                pool.ensure_snapshot(snapshot_of(share))
            with pytest.raises(DriverError, match="pool test is full"):
                pool.ensure_clone(spec(), ref)
        assert_exactly(pool, {share.instance_id}, {ref.snapshot_id})
        ballast.unlink()
        assert Path(share.path, "file").read_text() == "kept"
        pool.ensure_share(spec())


def test_a_share_may_be_larger_than_the_pool(tmp_path: Path) -> None:
    with image_pool(tmp_path / "pool", backing_gib=1) as pool:
        pool.ensure_share(spec(2 * LARGE))
        stats = pool.stats()
        assert stats.provisioned > stats.total


def test_free_is_not_more_than_the_disk_below_has(
    pool: ImagePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = backing.shutil.disk_usage

    def disk_usage(path: Path) -> object:
        usage = real(path)
        return usage if path == pool.layout.pool else usage._replace(free=12345)

    monkeypatch.setattr(backing.shutil, "disk_usage", disk_usage)
    assert pool.stats().free == 12345


def test_a_new_share_that_cannot_be_mounted_is_gone_again(
    pool: ImagePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    wanted = spec()
    with monkeypatch.context() as world:
        world.setattr(btrfs, "ensure_filling", fail)
        with pytest.raises(DriverError):
            pool.ensure_share(wanted)
    assert os.listdir(pool.layout.images) == []
    assert pool.find_share(wanted.instance_id) is None
    pool.ensure_share(wanted)
    assert_exactly(pool, {wanted.instance_id})
