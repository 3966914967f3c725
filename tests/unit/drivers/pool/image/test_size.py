"""Growing and shrinking, from every state that a kill between two commands can leave."""

import os
import subprocess
from pathlib import Path

import pytest

from roadstead.drivers.host import mounts
from roadstead.drivers.pool.image import btrfs, loop
from roadstead.drivers.pool.image.driver import ImagePool
from roadstead.model import world as w
from roadstead.model.errors import DriverError, Transient, Unsupported
from tests.conformance.image_pools import restarted
from tests.unit.drivers.pool.worlds import (
    LARGE,
    MIB,
    SIZE,
    SMALL,
    command,
    device_of,
    filesystem_bytes,
    image_of,
)

pytestmark = pytest.mark.real


def sizes(pool: ImagePool, share: w.ShareOnDisk) -> tuple[int, int, int]:
    """(image, loop device, filesystem)."""
    device = int(command("blockdev", "--getsize64", device_of(pool, share)))
    return image_of(pool, share).stat().st_size, device, filesystem_bytes(share)


def assert_grows_and_shrinks(pool: ImagePool, share: w.ShareOnDisk) -> None:
    for size in (LARGE, SMALL, SIZE):
        assert pool.ensure_size(share.instance_id, size).size_bytes == size
        assert sizes(pool, share) == (size,) * 3
        assert Path(share.path, "file").read_text() == "kept"


def test_all_three_sizes_agree(pool: ImagePool, share: w.ShareOnDisk) -> None:
    assert sizes(pool, share) == (SIZE,) * 3
    assert_grows_and_shrinks(pool, share)
    assert sizes(restarted(pool), share) == (SIZE,) * 3


@pytest.mark.parametrize("wanted", [LARGE, SMALL, SIZE])
@pytest.mark.parametrize("remounted", [False, True])
@pytest.mark.parametrize("steps", [1, 2])
def test_a_grow_killed_half_way(
    pool: ImagePool, share: w.ShareOnDisk, steps: int, remounted: bool, wanted: int
) -> None:
    os.truncate(image_of(pool, share), LARGE)
    if steps > 1:
        loop.ensure_capacity(device_of(pool, share))
    assert sizes(pool, share) == (LARGE, LARGE if steps > 1 else SIZE, SIZE)
    if remounted:
        pool.ensure_unmounted()
        pool = restarted(pool)
        assert sizes(pool, share) == (LARGE,) * 3  # a filesystem fills its image once mounted
    pool.ensure_size(share.instance_id, wanted)
    assert sizes(pool, share) == (wanted,) * 3
    assert_grows_and_shrinks(pool, share)


@pytest.mark.parametrize("wanted", [LARGE, SMALL, SIZE])
@pytest.mark.parametrize("remounted", [False, True])
@pytest.mark.parametrize("steps", [1, 2])
def test_a_shrink_killed_half_way(
    pool: ImagePool, share: w.ShareOnDisk, steps: int, remounted: bool, wanted: int
) -> None:
    command("btrfs", "filesystem", "resize", str(SMALL), share.path)
    if steps > 1:
        os.truncate(image_of(pool, share), SMALL)
    image = SMALL if steps > 1 else SIZE
    assert sizes(pool, share) == (image, SIZE, SMALL)
    if remounted:
        pool.ensure_unmounted()
        pool = restarted(pool)
        assert sizes(pool, share) == (image,) * 3
    pool.ensure_size(share.instance_id, wanted)
    assert sizes(pool, share) == (wanted,) * 3
    assert_grows_and_shrinks(pool, share)


@pytest.mark.parametrize("used", [240, 300])  # only the kernel, or our count too, says no
def test_a_failed_shrink_leaves_the_share_alone(
    pool: ImagePool, share: w.ShareOnDisk, used: int
) -> None:
    big = Path(share.path, "big")
    big.write_bytes(os.urandom(MIB) * used)
    before = subprocess.check_output(["sha256sum", big])
    with pytest.raises(DriverError) as refused:
        pool.ensure_size(share.instance_id, SMALL)
    assert refused.value.detail_id == "018"
    assert sizes(pool, share) == (SIZE,) * 3
    assert os.statvfs(share.path).f_bavail > 0
    pool.ensure_unmounted()
    pool = restarted(pool)
    assert subprocess.check_output(["sha256sum", big]) == before
    big.unlink()
    assert_grows_and_shrinks(pool, share)


def test_what_was_written_and_not_synced_survives_a_shrink(
    pool: ImagePool, share: w.ShareOnDisk
) -> None:
    big = Path(share.path, "big")
    big.write_bytes(os.urandom(MIB) * 100)
    before = subprocess.check_output(["sha256sum", big])
    pool.ensure_size(share.instance_id, SMALL)
    pool.ensure_unmounted()
    restarted(pool)
    assert subprocess.check_output(["sha256sum", big]) == before


@pytest.mark.parametrize("size", [0, 1, btrfs.MIN_SHRUNK_BYTES - 1])
def test_nothing_shrinks_below_what_btrfs_allows(
    pool: ImagePool, share: w.ShareOnDisk, size: int
) -> None:
    with pytest.raises(Unsupported):
        pool.ensure_size(share.instance_id, size)
    assert sizes(pool, share) == (SIZE,) * 3


def test_a_share_that_lost_its_mount_is_mounted_and_resized(
    pool: ImagePool, share: w.ShareOnDisk
) -> None:
    mounts.unmount(Path(share.path))
    pool.ensure_size(share.instance_id, LARGE)
    assert sizes(pool, share) == (LARGE,) * 3


def test_a_balance_under_way_is_transient(
    pool: ImagePool, share: w.ShareOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(btrfs.fcntl, "ioctl", lambda *_: 1)
    with pytest.raises(Transient, match="exclusive"):
        btrfs.fill(0)


def test_an_odd_size_is_rounded_inside_only(pool: ImagePool, share: w.ShareOnDisk) -> None:
    odd = LARGE + 513
    assert pool.ensure_size(share.instance_id, odd).size_bytes == odd
    assert pool.find_share(share.instance_id) == pool.ensure_size(share.instance_id, odd)
    assert filesystem_bytes(share) == LARGE
