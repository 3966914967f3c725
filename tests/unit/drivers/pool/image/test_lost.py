"""Worlds in which image, loop device and mount do not belong together."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from roadstead.drivers.host import mounts
from roadstead.drivers.pool.image import loop
from roadstead.drivers.pool.image.driver import ImagePool
from roadstead.model import world as w
from roadstead.model.errors import Conflict, DriverError, InUse
from tests.conformance.image_pools import restarted
from tests.unit.drivers.pool.worlds import (
    LARGE,
    SIZE,
    assert_exactly,
    broken,
    command,
    image_of,
    loops_of,
    snapshot_of,
    spec,
)

pytestmark = pytest.mark.real


def same(share: w.ShareOnDisk, size_bytes: int = SIZE) -> w.ShareSpec:
    return w.ShareSpec(instance_id=share.instance_id, size_bytes=size_bytes)


@contextlib.contextmanager
def hidden(path: str | Path) -> Iterator[None]:
    """Something else is mounted there."""
    command("mount", "-t", "tmpfs", "tmpfs", path)
    try:
        yield
    finally:
        command("umount", path)


# --- the mount is lost ------------------------------------------------------------------------


def test_a_lost_mount_is_told_and_made_again(pool: ImagePool, share: w.ShareOnDisk) -> None:
    for repair in (
        lambda: pool.ensure_share(same(share)),
        pool.ensure_pool,
        lambda: pool.ensure_snapshot(snapshot_of(share)),
    ):
        mounts.unmount(Path(share.path))
        assert pool.find_share(share.instance_id) is None
        assert broken(pool) == {share.instance_id: "not mounted"}
        repair()
        assert pool.find_share(share.instance_id) == share
        assert Path(share.path, "file").read_text() == "kept"


def test_a_lost_mount_of_another_size_conflicts(pool: ImagePool, share: w.ShareOnDisk) -> None:
    mounts.unmount(Path(share.path))
    with pytest.raises(Conflict):
        pool.ensure_share(same(share, LARGE))


def test_a_share_without_mount_can_be_deleted(pool: ImagePool, share: w.ShareOnDisk) -> None:
    mounts.unmount(Path(share.path))
    os.rmdir(share.path)
    pool.ensure_share_absent(share.instance_id)
    assert_exactly(pool, set())


def test_a_share_mounted_twice_is_unmounted_twice(pool: ImagePool, share: w.ShareOnDisk) -> None:
    command("mount", "--bind", share.path, share.path)
    assert pool.find_share(share.instance_id) == share
    pool.ensure_share_absent(share.instance_id)
    assert_exactly(pool, set())


# --- the mount is hidden ----------------------------------------------------------------------


def test_a_hidden_mount_is_told_and_nothing_is_touched(
    pool: ImagePool, share: w.ShareOnDisk
) -> None:
    ref = snapshot_of(share)
    pool.ensure_snapshot(ref)
    with hidden(share.path):
        assert pool.find_share(share.instance_id) is None
        (what,) = broken(pool).values()
        assert what == "something else is mounted over it"
        with pytest.raises(Conflict):
            pool.ensure_share(same(share))
        with pytest.raises(InUse):
            pool.ensure_share_absent(share.instance_id)
        with pytest.raises(InUse):
            pool.ensure_reverted(ref)
        with pytest.raises(DriverError):
            pool.ensure_size(share.instance_id, LARGE)
        with pytest.raises(DriverError):
            pool.ensure_snapshot(snapshot_of(share))
        pool.ensure_pool()
        assert os.path.ismount(share.path)
        assert not Path(share.path, "file").exists()
    assert pool.find_share(share.instance_id) == share
    assert Path(share.path, "file").read_text() == "kept"
    assert_exactly(pool, {share.instance_id}, {ref.snapshot_id})


def test_something_else_mounted_where_a_share_would_be(pool: ImagePool) -> None:
    wanted = spec()
    point = pool.layout.point(wanted.instance_id)
    point.mkdir()
    with hidden(point):
        with pytest.raises(Conflict):
            pool.ensure_share(wanted)
        assert os.listdir(pool.layout.images) == []


def test_the_root_of_all_mounts_is_hidden(pool: ImagePool, share: w.ShareOnDisk) -> None:
    with hidden(pool.layout.mounts):
        assert pool.find_share(share.instance_id) is None
        assert broken(pool) == {share.instance_id: "something else is mounted over it"}
        with pytest.raises(InUse):
            pool.ensure_share_absent(share.instance_id)
    assert pool.find_share(share.instance_id) == share


# --- the image is lost ------------------------------------------------------------------------


def test_an_image_missing_while_mounted(pool: ImagePool, share: w.ShareOnDisk) -> None:
    image_of(pool, share).unlink()
    assert pool.find_share(share.instance_id) is None
    for _ in range(2):
        assert broken(pool) == {share.instance_id: "image missing"}
        assert Path(share.path, "file").read_text() == "kept"  # it can still be rescued
        with pytest.raises(Conflict):  # rather than an empty share under the same name
            pool.ensure_share(same(share))
        with pytest.raises(DriverError):
            pool.ensure_snapshot(snapshot_of(share))
        pool = restarted(pool)
    pool.ensure_share_absent(share.instance_id)
    assert_exactly(pool, set())


def test_an_image_replaced_while_mounted(pool: ImagePool, share: w.ShareOnDisk) -> None:
    image = image_of(pool, share)
    stranger = image.with_name("stranger")
    stranger.write_bytes(b"")
    os.truncate(stranger, SIZE)
    stranger.rename(image)
    assert broken(pool) == {share.instance_id: "another file is mounted"}
    with pytest.raises(Conflict):
        pool.ensure_share(same(share))
    with pytest.raises(DriverError):
        pool.ensure_size(share.instance_id, LARGE)
    pool.ensure_share_absent(share.instance_id)
    assert_exactly(pool, set())


@pytest.mark.parametrize("damage", ["superblock", "truncated"])
def test_a_damaged_image_harms_no_other_share(
    pool: ImagePool, share: w.ShareOnDisk, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = pool.ensure_share(spec())
    pool.ensure_unmounted()
    command("mount", "-o", "loop", pool.layout.backing, pool.layout.pool)
    if damage == "truncated":
        os.truncate(image_of(pool, share), SIZE // 2)
    else:
        with image_of(pool, share).open("r+b") as file:
            file.write(bytes(1 << 20))
    command("umount", pool.layout.pool)
    pool = restarted(pool)
    assert "cannot be mounted" in caplog.text
    assert broken(pool) == {share.instance_id: "not mounted", other.instance_id: None}
    assert pool.find_share(share.instance_id) is None
    size = image_of(pool, share).stat().st_size
    with pytest.raises(DriverError, match="cannot be mounted"):
        pool.ensure_share(same(share, size))
    assert len(loops_of(pool)) == 1
    pool.ensure_share_absent(share.instance_id)
    assert_exactly(pool, {other.instance_id})


# --- a loop device is left over ---------------------------------------------------------------


def test_a_stale_loop_on_an_unmounted_image(pool: ImagePool, share: w.ShareOnDisk) -> None:
    for repair in (lambda: pool.ensure_share(same(share)), pool.ensure_pool):
        mounts.unmount(Path(share.path))
        command("losetup", "-f", image_of(pool, share))
        repair()
        assert Path(share.path, "file").read_text() == "kept"
        assert_exactly(pool, {share.instance_id})
    mounts.unmount(Path(share.path))
    command("losetup", "-f", image_of(pool, share))
    pool.ensure_share_absent(share.instance_id)
    assert_exactly(pool, set())


def test_a_stale_loop_held_open_is_used_again(pool: ImagePool, share: w.ShareOnDisk) -> None:
    mounts.unmount(Path(share.path))
    device = command("losetup", "--show", "-f", image_of(pool, share))
    with open(device, "rb"):
        pool.ensure_share(same(share))
        assert loop.devices_of(image_of(pool, share)) == [device]
    pool.ensure_share_absent(share.instance_id)
    assert_exactly(pool, set())


def test_a_stale_loop_on_a_removed_image(pool: ImagePool, share: w.ShareOnDisk) -> None:
    for repair in (
        pool.ensure_pool,
        lambda: pool.ensure_share(same(share)),
        lambda: pool.ensure_share_absent(share.instance_id),
    ):
        if pool.layout.point(share.instance_id).is_dir():
            mounts.unmount(Path(share.path))
        pool.ensure_share(same(share))
        mounts.unmount(Path(share.path))
        command("losetup", "-f", image_of(pool, share))
        image_of(pool, share).unlink()
        assert len(loops_of(pool)) == 1
        repair()
        found = pool.find_share(share.instance_id)
        assert len(loops_of(pool)) == (1 if found else 0)
    pool.ensure_pool()
    assert_exactly(pool, set())


def test_loops_of_others_are_left_alone(
    pool: ImagePool, share: w.ShareOnDisk, tmp_path: Path
) -> None:
    theirs = tmp_path / image_of(pool, share).name  # even under the same file name
    theirs.write_bytes(bytes(1 << 20))
    device = command("losetup", "--show", "-f", theirs)
    try:
        pool.ensure_pool()
        pool.ensure_share_absent(share.instance_id)
        pool.ensure_pool()
        assert loop.backing_file(device) == str(theirs)
    finally:
        command("losetup", "-d", device)
