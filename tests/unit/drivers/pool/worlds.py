"""Looking at the machine behind an image pool's back, and changing it."""

import os
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from roadstead.drivers.pool.image import loop
from roadstead.drivers.pool.image.driver import ImagePool
from roadstead.model import ids
from roadstead.model import world as w

MIB = 1 << 20
SIZE, LARGE, SMALL = 512 * MIB, 1024 * MIB, 256 * MIB


def command(*argv: str | Path) -> str:
    """What the program printed; it must succeed."""
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30)
    return done.stdout.strip()


def spec(size_bytes: int = SIZE) -> w.ShareSpec:
    return w.ShareSpec(instance_id=ids.new_id(), size_bytes=size_bytes)


def snapshot_of(share: w.ShareOnDisk) -> w.SnapshotRef:
    return w.SnapshotRef(instance_id=share.instance_id, snapshot_id=ids.new_id())


def image_of(pool: ImagePool, share: w.ShareOnDisk) -> Path:
    return pool.layout.share(share.instance_id)


def device_of(pool: ImagePool, share: w.ShareOnDisk) -> str:
    (device,) = loop.devices_of(image_of(pool, share))
    return device


def filesystem_bytes(share: w.ShareOnDisk) -> int:
    """What `df` says."""
    stat = os.statvfs(share.path)
    return stat.f_blocks * stat.f_frsize


def uuid_of(image: Path) -> str:
    return command("blkid", "-p", "-s", "UUID", "-o", "value", image)


def broken(pool: ImagePool) -> dict[str, str | None]:
    """What the inventory says about each share."""
    return {mark.id: mark.broken for mark in pool.inventory() if mark.kind == "share"}


def loops_of(pool: ImagePool) -> list[str]:
    """Every loop device on a file of the pool, removed or not."""
    inside = f"{pool.layout.pool}/"
    return [device for device, path in loop.in_use().items() if path.startswith(inside)]


def assert_exactly(
    pool: ImagePool, shares: Collection[str], snapshots: Collection[str] = ()
) -> None:
    """These are there and whole; no other file, mount point or loop device of the pool is."""
    found = list(pool.inventory())
    assert [mark for mark in found if mark.broken or mark.kind == "trash"] == []
    assert {mark.id for mark in found if mark.kind == "share"} == set(shares)
    assert {mark.id for mark in found if mark.kind == "snapshot"} == set(snapshots)
    assert len(os.listdir(pool.layout.images)) == len(shares) + len(snapshots)
    assert os.listdir(pool.layout.trash) == os.listdir(pool.layout.kept) == []
    assert set(os.listdir(pool.layout.mounts)) == set(shares)
    assert len(loops_of(pool)) == len(shares)


@contextmanager
def mount_namespace(*, keeping: Path | None = None) -> Iterator[int]:
    """The pid of a process in a mount namespace copied from ours, as `ip netns exec` makes it.

    What is unmounted below `keeping` stays mounted in it.
    """
    private = f"mount --make-private {keeping}" if keeping else ":"
    argv = ["unshare", "--mount", "--propagation", "slave", "sh", "-c"]
    process = subprocess.Popen(
        [*argv, f"{private} && echo ready && exec sleep 60"], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
    finally:
        process.kill()
        process.communicate()
