"""The pool as a whole: its backing, its start, many threads."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from roadstead.drivers.host import mounts
from roadstead.drivers.pool.image.driver import ImagePool
from roadstead.model import world as w
from roadstead.model.errors import Transient
from tests.conformance.image_pools import image_pool, restarted
from tests.unit.drivers.pool.worlds import (
    LARGE,
    SIZE,
    SMALL,
    assert_exactly,
    broken,
    command,
    device_of,
    filesystem_bytes,
    image_of,
    mount_namespace,
    snapshot_of,
    spec,
    uuid_of,
)

pytestmark = pytest.mark.real


def test_a_directory_that_can_reflink_is_used_as_it_is(pool: ImagePool) -> None:
    with image_pool(pool.layout.pool / "inner") as inner:
        assert not inner.layout.backing.exists()
        share = inner.ensure_share(spec())
        inner.ensure_snapshot(snapshot_of(share))
        assert inner.stats().provisioned == SIZE


def test_a_share_is_as_large_as_df_says(pool: ImagePool, share: w.ShareOnDisk) -> None:
    assert filesystem_bytes(share) == SIZE
    options = command("findmnt", "-no", "OPTIONS", share.path).split(",")
    assert {"nosuid", "nodev", "discard"} <= set(options)
    assert image_of(pool, share).stat().st_blocks * 512 < SIZE // 20


def test_deleted_files_give_their_space_back(pool: ImagePool, share: w.ShareOnDisk) -> None:
    file = Path(share.path, "big")
    file.write_bytes(os.urandom(1 << 20) * 64)
    os.sync()
    used = pool.stats().allocated
    file.unlink()
    command("btrfs", "filesystem", "sync", share.path)
    os.sync()
    assert pool.stats().allocated < used - (32 << 20)


def test_shares_and_clones_have_uuids_of_their_own(pool: ImagePool, share: w.ShareOnDisk) -> None:
    ref = snapshot_of(share)
    pool.ensure_snapshot(ref)
    clones = [pool.ensure_clone(spec(), ref) for _ in range(2)]
    shares = (share, pool.ensure_share(spec()), *clones)
    uuids = [uuid_of(image_of(pool, one)) for one in shares]
    assert len(set(uuids)) == 4
    for one, uuid in zip(shares, uuids, strict=True):  # the kernel did not have to invent one
        device = Path(device_of(pool, one)).name
        assert Path("/sys/fs/btrfs", uuid, "devices", device).exists()


def test_a_clone_fills_its_size(pool: ImagePool, share: w.ShareOnDisk) -> None:
    ref = snapshot_of(share)
    pool.ensure_snapshot(ref)
    assert filesystem_bytes(pool.ensure_clone(spec(LARGE), ref)) == LARGE


def test_after_a_reboot_every_share_is_mounted_again(pool: ImagePool, share: w.ShareOnDisk) -> None:
    other = pool.ensure_share(spec(LARGE))
    pool.ensure_unmounted()
    with pytest.raises(Transient, match="not mounted"):
        list(pool.inventory())
    with pytest.raises(Transient, match="not mounted"):
        pool.stats()
    with pytest.raises(Transient, match="not mounted"):
        pool.ensure_share_absent(share.instance_id)
    successor = restarted(pool)
    assert successor.find_share(other.instance_id) == other
    assert Path(share.path, "file").read_text() == "kept"
    assert_exactly(successor, {share.instance_id, other.instance_id})


def test_a_start_with_nothing_to_do_starts_no_program(
    pool: ImagePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        pool.ensure_share(spec())
    monkeypatch.setenv("PATH", "")  # one that was looked for would not be found
    restarted(pool)


def test_other_mount_namespaces_see_later_shares_and_let_them_go(pool: ImagePool) -> None:
    with mount_namespace() as pid:
        share = pool.ensure_share(spec())
        theirs = mounts.parse(Path(f"/proc/{pid}/mountinfo").read_text())
        assert share.path in theirs
        pool.ensure_share_absent(share.instance_id)
        theirs = mounts.parse(Path(f"/proc/{pid}/mountinfo").read_text())
        assert share.path not in theirs
        assert_exactly(pool, set())


def test_a_filesystem_mounted_for_the_pool_stays_mounted(tmp_path: Path) -> None:
    real, directory = tmp_path / "real", tmp_path / "pool"
    real.mkdir()
    directory.mkdir()
    command("mount", "--bind", real, directory)
    try:
        pool = ImagePool(ImagePool.Options(directory=str(directory), backing_gib=1), name="test")
        pool.ensure_pool()
        pool.ensure_share(spec())
        with mount_namespace() as pid:
            pool.ensure_unmounted()
            assert str(pool.layout.pool) not in Path(f"/proc/{pid}/mounts").read_text()
        assert f" {directory} " in Path("/proc/self/mounts").read_text()
        assert pool.layout.backing.exists()
    finally:
        command("umount", "--recursive", directory)
    (real / "pool.img").unlink()


def test_a_mount_root_elsewhere(tmp_path: Path) -> None:
    directory, root = str(tmp_path / "pool"), str(tmp_path / "shares")
    pool = ImagePool(
        ImagePool.Options(directory=directory, backing_gib=1, mount_root=root), name="test"
    )
    try:
        pool.ensure_pool()
        share = pool.ensure_share(spec())
        assert share.path == str(tmp_path / "shares" / share.instance_id)
        with mount_namespace() as pid:
            other = pool.ensure_share(spec())
            assert other.path in Path(f"/proc/{pid}/mounts").read_text()
            pool.ensure_share_absent(share.instance_id)
    finally:
        pool.ensure_unmounted()
        pool.layout.backing.unlink()
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


def test_many_threads_at_once(pool: ImagePool) -> None:
    def life(number: int) -> None:
        wanted = spec()
        share = pool.ensure_share(wanted)
        Path(share.path, "file").write_text(str(number))
        ref = snapshot_of(share)
        pool.ensure_size(wanted.instance_id, LARGE)
        pool.ensure_snapshot(ref)
        pool.ensure_size(wanted.instance_id, SMALL)
        clone = pool.ensure_clone(spec(LARGE), ref)
        assert Path(clone.path, "file").read_text() == str(number)
        pool.ensure_reverted(ref)
        for one in (share, clone):
            pool.ensure_share_absent(one.instance_id)
        pool.ensure_snapshot_absent(ref)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(life, range(12)))
    assert_exactly(pool, set())


def test_snapshots_of_one_share_at_once(pool: ImagePool, share: w.ShareOnDisk) -> None:
    refs = [snapshot_of(share) for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(pool.ensure_snapshot, refs))
    Path(share.path, "file").write_text("not frozen")
    assert_exactly(pool, {share.instance_id}, {ref.snapshot_id for ref in refs})


def test_a_start_does_not_disturb_work_under_way(pool: ImagePool) -> None:
    def live() -> None:
        for _ in range(4):
            share = pool.ensure_share(spec())
            ref = snapshot_of(share)
            pool.ensure_snapshot(ref)
            pool.ensure_reverted(ref)
            pool.ensure_snapshot_absent(ref)
            pool.ensure_share_absent(share.instance_id)

    with ThreadPoolExecutor(2) as threads:
        lives = [threads.submit(live) for _ in range(2)]
        while not all(life.done() for life in lives):
            pool.ensure_pool()
        for life in lives:
            life.result()
    assert_exactly(pool, set())


def test_files_of_others_are_left_alone(pool: ImagePool, share: w.ShareOnDisk) -> None:
    strange = [pool.layout.images / "share-x", pool.layout.trash / "note", pool.layout.pool / "z"]
    for path in strange:
        path.write_text("somebody's")
    restarted(pool)
    assert [path.read_text() for path in strange] == ["somebody's"] * 3
    assert list(broken(pool)) == [share.instance_id]
