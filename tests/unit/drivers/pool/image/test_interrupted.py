"""Agents killed in the middle: every state they leave is put right by the next start and retry."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from roadstead.drivers.host import durable
from roadstead.drivers.pool.image import layout
from roadstead.drivers.pool.image.driver import ImagePool
from roadstead.drivers.pool.image.freeze import frozen
from roadstead.model import ids
from roadstead.model import world as w
from tests.conformance.image_pools import restarted
from tests.unit.drivers.pool.killing import killed_at
from tests.unit.drivers.pool.worlds import (
    LARGE,
    SIZE,
    SMALL,
    assert_exactly,
    broken,
    command,
    filesystem_bytes,
    image_of,
    snapshot_of,
    spec,
)

pytestmark = [pytest.mark.crash, pytest.mark.real]
FIFREEZE = 0xC0045877


def freeze(share: w.ShareOnDisk) -> None:
    fd = os.open(share.path, os.O_RDONLY)
    fcntl.ioctl(fd, FIFREEZE, 0)
    os.close(fd)


@pytest.mark.timeout(30)
def test_a_share_left_frozen_is_thawed_at_the_start(
    pool: ImagePool, share: w.ShareOnDisk, caplog: pytest.LogCaptureFixture
) -> None:
    freeze(share)
    pool = restarted(pool)
    assert "thawed" in caplog.text
    Path(share.path, "file").write_text("can be written")
    pool.ensure_share_absent(share.instance_id)
    assert_exactly(pool, set())


@pytest.mark.timeout(30)
def test_a_snapshot_of_a_share_left_frozen_thaws_it(pool: ImagePool, share: w.ShareOnDisk) -> None:
    freeze(share)
    pool.ensure_snapshot(snapshot_of(share))
    Path(share.path, "file").write_text("can be written")


@pytest.mark.timeout(30)
def test_a_snapshot_that_fails_thaws(
    pool: ImagePool, share: w.ShareOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(durable, "reflink", fail)
    with pytest.raises(KeyboardInterrupt):
        pool.ensure_snapshot(snapshot_of(share))
    Path(share.path, "file").write_text("can be written")
    assert_exactly(pool, {share.instance_id})


@pytest.mark.timeout(30)
def test_frozen_holds_writers_back(share: w.ShareOnDisk) -> None:
    """That the freeze is one: creating a file would hang, so a child tries."""
    fd = os.open(share.path, os.O_RDONLY)
    with frozen(fd):
        child = os.fork()
        if child == 0:
            Path(share.path, "child").touch()
            os._exit(0)
        for _ in range(20):
            assert os.waitpid(child, os.WNOHANG) == (0, 0)
    os.close(fd)
    assert os.waitpid(child, 0) == (child, 0)


def test_temporary_names_are_removed_at_the_start(pool: ImagePool, share: w.ShareOnDisk) -> None:
    for image in (pool.layout.share(ids.new_id()), pool.layout.snapshot(ids.new_id())):
        layout.temporary(image).write_bytes(b"half")
    assert list(broken(pool)) == [share.instance_id]
    assert_exactly(restarted(pool), {share.instance_id})


def test_a_half_made_image_is_overwritten(pool: ImagePool) -> None:
    """By a new file: the killed agent's mkfs may still be writing to the old one."""
    wanted = spec()
    temporary = layout.temporary(pool.layout.share(wanted.instance_id))
    with temporary.open("wb") as orphan:
        orphan.write(b"\xff" * (1 << 20))
        share = pool.ensure_share(wanted)
        orphan.seek(0)
        orphan.write(b"\xff" * (32 << 20))
    Path(share.path, "file").write_text("kept")
    pool.ensure_unmounted()
    assert_exactly(restarted(pool), {share.instance_id})
    assert Path(share.path, "file").read_text() == "kept"
    image = image_of(pool, share)
    pool.ensure_unmounted()
    command("mount", "-o", "loop", pool.layout.backing, pool.layout.pool)
    command("btrfs", "check", image)


def test_the_trash_is_listed_and_purged(pool: ImagePool, share: w.ShareOnDisk) -> None:
    ref = snapshot_of(share)
    pool.ensure_snapshot(ref)
    for purge in (pool.purge_trash, pool.ensure_pool):
        pool.ensure_share(w.ShareSpec(instance_id=share.instance_id, size_bytes=SIZE))
        command("umount", share.path)
        os.rename(image_of(pool, share), pool.layout.trash / image_of(pool, share).name)
        (mark,) = [mark for mark in pool.inventory() if mark.kind == "trash"]
        assert mark.id == share.instance_id
        assert mark.facts["size_bytes"] == SIZE
        pool.ensure_share_absent(share.instance_id)
        purge()
        assert_exactly(pool, set(), {ref.snapshot_id})


# --- kill -9 at every step of every operation ----------------------------------------------------


class Life:
    """One operation: how its world is prepared, the call, and what must hold once it was repeated
    by the next agent."""

    def __init__(self, pool: ImagePool) -> None:
        self.wanted = spec()
        self.origin = pool.ensure_share(self.wanted)
        Path(self.origin.path, "file").write_text("then")
        self.ref = snapshot_of(self.origin)
        pool.ensure_snapshot(self.ref)
        Path(self.origin.path, "file").write_text("now")
        os.sync()
        self.fresh = spec(LARGE)
        self.shares, self.snapshots = {self.origin.instance_id}, {self.ref.snapshot_id}

    def content(self) -> str:
        return Path(self.origin.path, "file").read_text()

    def forget(self, pool: ImagePool) -> None:
        for id_ in self.shares:
            pool.ensure_share_absent(id_)
        for id_ in self.snapshots:
            pool.ensure_snapshot_absent(
                w.SnapshotRef(instance_id=self.origin.instance_id, snapshot_id=id_)
            )


def create(pool: ImagePool, life: Life) -> None:
    share = pool.ensure_share(life.fresh)
    life.shares.add(share.instance_id)
    assert filesystem_bytes(share) == LARGE


def delete(pool: ImagePool, life: Life) -> None:
    pool.ensure_share_absent(life.origin.instance_id)
    life.shares.clear()


def set_aside(pool: ImagePool, life: Life) -> None:
    """Nothing of it was lost on the way there, nor is on the way back."""
    kept = pool.ensure_share_aside(life.origin.instance_id)
    assert kept is not None
    assert [mark.id for mark in pool.inventory() if mark.kind == "trash"] == [kept.id]
    give_back(pool, life)


def give_back(pool: ImagePool, life: Life) -> None:
    pool.ensure_share(life.wanted)
    assert life.content() == "now"


def empty_trash(pool: ImagePool, life: Life) -> None:
    pool.ensure_share_aside(life.origin.instance_id)
    pool.ensure_trash_absent(life.origin.instance_id)
    life.shares.clear()


def grow(pool: ImagePool, life: Life) -> None:
    pool.ensure_size(life.origin.instance_id, LARGE)
    assert filesystem_bytes(life.origin) == LARGE
    assert life.content() == "now"


def shrink(pool: ImagePool, life: Life) -> None:
    pool.ensure_size(life.origin.instance_id, SMALL)
    assert filesystem_bytes(life.origin) == SMALL
    assert life.content() == "now"


def snapshot(pool: ImagePool, life: Life) -> None:
    ref = w.SnapshotRef(instance_id=life.origin.instance_id, snapshot_id=life.fresh.instance_id)
    pool.ensure_snapshot(ref)
    life.snapshots.add(ref.snapshot_id)
    assert life.content() == "now"
    Path(life.origin.path, "more").write_text("not frozen")


def delete_snapshot(pool: ImagePool, life: Life) -> None:
    pool.ensure_snapshot_absent(life.ref)
    life.snapshots.clear()
    assert life.content() == "now"


def clone(pool: ImagePool, life: Life) -> None:
    share = pool.ensure_clone(life.fresh, life.ref)
    life.shares.add(share.instance_id)
    assert Path(share.path, "file").read_text() == "then"
    assert filesystem_bytes(share) == LARGE
    assert life.content() == "now"


def revert(pool: ImagePool, life: Life) -> None:
    pool.ensure_reverted(life.ref)
    assert life.content() == "then"


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "operation",
    [
        create,
        delete,
        set_aside,
        empty_trash,
        grow,
        shrink,
        snapshot,
        delete_snapshot,
        clone,
        revert,
    ],
    ids=lambda operation: operation.__name__,
)
def test_killed_at_every_step(
    pool: ImagePool, operation: Callable[[ImagePool, Life], None]
) -> None:
    for step in range(1, 200):
        life = Life(pool)
        killed = killed_at(step, lambda life=life: operation(pool, life))
        successor = restarted(pool)
        operation(successor, life)
        assert_exactly(successor, life.shares, life.snapshots)
        life.forget(successor)
        assert_exactly(successor, set())
        if not killed:
            break
    assert not killed
    assert step > 5
