"""Shares that somebody holds open cannot be taken away, and are whole when it was tried."""

from pathlib import Path

import pytest

from roadstead.drivers.pool.image.driver import ImagePool
from roadstead.model import world as w
from roadstead.model.errors import InUse
from tests.unit.drivers.pool.worlds import (
    assert_exactly,
    command,
    device_of,
    image_of,
    mount_namespace,
    snapshot_of,
)

pytestmark = pytest.mark.real


def test_an_open_file_keeps_the_share(pool: ImagePool, share: w.ShareOnDisk) -> None:
    ref = snapshot_of(share)
    pool.ensure_snapshot(ref)
    with Path(share.path, "file").open("w") as file:
        file.write("now")
        file.flush()
        with pytest.raises(InUse):
            pool.ensure_share_absent(share.instance_id)
        with pytest.raises(InUse):
            pool.ensure_reverted(ref)
        with pytest.raises(InUse):
            pool.ensure_unmounted()
        assert Path(share.path, "file").read_text() == "now"
        assert_exactly(pool, {share.instance_id}, {ref.snapshot_id})
        pool.ensure_size(share.instance_id, 2 * share.size_bytes)  # online
    pool.ensure_reverted(ref)
    assert Path(share.path, "file").read_text() == "kept"
    pool.ensure_share_absent(share.instance_id)
    assert_exactly(pool, set(), {ref.snapshot_id})


def test_another_mount_namespace_keeps_the_share(pool: ImagePool, share: w.ShareOnDisk) -> None:
    ref = snapshot_of(share)
    pool.ensure_snapshot(ref)
    device = device_of(pool, share)
    with mount_namespace(keeping=pool.layout.directory):
        for _ in range(2):
            with pytest.raises(InUse, match="elsewhere"):
                pool.ensure_share_absent(share.instance_id)
            with pytest.raises(InUse, match="elsewhere"):
                pool.ensure_reverted(ref)
            # One device only: two on one file would be two filesystems writing the same bytes.
            assert device_of(pool, share) == device
            assert Path(share.path, "file").read_text() == "kept"
            assert_exactly(pool, {share.instance_id}, {ref.snapshot_id})
    pool.ensure_share_absent(share.instance_id)
    assert_exactly(pool, set(), {ref.snapshot_id})


def test_a_mounted_snapshot_is_kept(pool: ImagePool, share: w.ShareOnDisk, tmp_path: Path) -> None:
    ref = snapshot_of(share)
    pool.ensure_snapshot(ref)
    point = tmp_path / "snapshot"
    point.mkdir()
    command("mount", "-o", "loop,ro", pool.layout.snapshot(ref.snapshot_id), point)
    try:
        assert (point / "file").read_text() == "kept"
        with pytest.raises(InUse):
            pool.ensure_snapshot_absent(ref)
    finally:
        command("umount", point)
    pool.ensure_snapshot_absent(ref)
    assert_exactly(pool, {share.instance_id})


def test_a_device_somebody_holds_open_keeps_the_image(
    pool: ImagePool, share: w.ShareOnDisk
) -> None:
    with open(device_of(pool, share), "rb"), pytest.raises(InUse):
        pool.ensure_share_absent(share.instance_id)
    assert image_of(pool, share).exists()
    pool.ensure_share_absent(share.instance_id)
    assert_exactly(pool, set())
