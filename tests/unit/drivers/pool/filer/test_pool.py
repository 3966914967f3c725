"""A pool on a filer's directory: it is the filer's or nothing; and what sizes mean there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roadstead.drivers.filer.memory import MemoryFiler
from roadstead.drivers.pool.filer.driver import FilerPool
from roadstead.model import ids
from roadstead.model import world as w
from roadstead.model.errors import DriverError, Transient, Unsupported
from tests.unit.drivers.pool.filers import (
    GIB,
    directory,
    mounted_tree,
    pool_at,
    spec,
)

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.real


def test_a_share_is_where_the_filer_says(filer_pool: FilerPool) -> None:
    share = filer_pool.ensure_share(spec())
    assert share.path == f"/vol/0/roadstead/shares/{share.instance_id}"
    there = directory(filer_pool, share).stat()
    assert (there.st_mode & 0o7777, there.st_uid, there.st_gid) == (0o755, 0, 0)


def test_a_share_is_the_same_under_any_umask(filer_pool: FilerPool) -> None:
    before = os.umask(0o077)
    try:
        share = filer_pool.ensure_share(spec())
    finally:
        os.umask(before)
    assert directory(filer_pool, share).stat().st_mode & 0o7777 == 0o755


def test_an_unmounted_directory_takes_nothing(tmp_path: Path) -> None:
    """It would be on this host's own disk."""
    pool = pool_at(tmp_path)
    with pytest.raises(DriverError, match="not mounted"):
        pool.ensure_pool()
    with pytest.raises(Transient, match="not mounted"):
        pool.ensure_share(spec())
    assert os.listdir(tmp_path) == []


def test_a_plain_directory_if_that_is_meant(tmp_path: Path) -> None:
    pool = pool_at(tmp_path, allow_local=True)
    pool.ensure_pool()
    share = pool.ensure_share(spec())
    # Made once by a pool, it is known.
    again = pool_at(tmp_path)
    again.ensure_pool()
    assert again.find_share(share.instance_id) == share


def test_a_filesystem_unmounted_while_the_agent_runs(tmp_path: Path) -> None:
    pool = pool_at(tmp_path / "tree")
    with mounted_tree(tmp_path / "tree"):
        pool.ensure_pool()
        share = pool.ensure_share(spec())
    for call in (
        lambda: pool.ensure_share(spec()),
        lambda: pool.ensure_share_absent(share.instance_id),
        lambda: pool.find_share(share.instance_id),
        lambda: list(pool.inventory()),
        pool.stats,
    ):
        with pytest.raises(Transient, match="not mounted"):
            call()
    assert os.listdir(tmp_path / "tree") == []


def test_another_filesystem_in_its_place_is_not_taken_for_it(tmp_path: Path) -> None:
    pool = pool_at(tmp_path / "tree")
    with mounted_tree(tmp_path / "tree") as tree:
        pool.ensure_pool()
        subprocess.run(["mount", "-t", "tmpfs", "other", tree], check=True)
        try:
            pool_at(tree).ensure_pool()
            with pytest.raises(Transient, match="not mounted"):
                pool.ensure_share(spec())
        finally:
            subprocess.run(["umount", tree], check=True)
        pool.ensure_share(spec())


# The pool says whether a size is more than a number.
def test_sizes_are_kept_to_where_the_filer_can(filer_pool: FilerPool, control: MemoryFiler) -> None:
    assert filer_pool.info.enforces_size
    share = filer_pool.ensure_share(spec())
    assert control.sizes == {share.path: GIB}
    filer_pool.ensure_size(share.instance_id, 2 * GIB)
    assert control.sizes == {share.path: 2 * GIB}


def test_sizes_are_numbers_where_it_cannot(tmp_path: Path) -> None:
    with mounted_tree(tmp_path / "tree") as tree:
        pool = pool_at(tree)
        pool.ensure_pool()
        assert not pool.info.enforces_size
        share = pool.ensure_share(spec())
        (directory(pool, share) / "file").write_bytes(bytes(8192))
        assert pool.ensure_size(share.instance_id, 4096).size_bytes == 4096


def test_a_filer_that_refuses_the_size_is_asked_again(
    filer_pool: FilerPool, control: MemoryFiler
) -> None:
    wanted = spec()
    control.fail["ensure_size"] = Transient("not now")
    with pytest.raises(Transient):
        filer_pool.ensure_share(wanted)
    control.fail.clear()
    share = filer_pool.ensure_share(wanted)
    assert control.sizes == {share.path: GIB}
    control.fail["ensure_size"] = DriverError("more in it", detail_id="018")
    with pytest.raises(DriverError):
        filer_pool.ensure_size(share.instance_id, 1)
    assert filer_pool.find_share(share.instance_id) == share


def test_a_share_whose_size_was_lost(filer_pool: FilerPool) -> None:
    share = filer_pool.ensure_share(spec())
    (directory(filer_pool, share) / "file").write_text("kept")
    for damage in (
        Path.unlink,
        lambda file: file.write_text("{"),
        lambda file: file.write_text(""),
    ):
        damage(filer_pool.layout.sizes / share.instance_id)
        (mark,) = filer_pool.inventory()
        assert mark.broken
        assert filer_pool.find_share(share.instance_id) is None
        wanted = w.ShareSpec(instance_id=share.instance_id, size_bytes=GIB)
        assert filer_pool.ensure_share(wanted) == share
        assert (directory(filer_pool, share) / "file").read_text() == "kept"


def test_no_snapshots(filer_pool: FilerPool) -> None:
    share = filer_pool.ensure_share(spec())
    ref = w.SnapshotRef(instance_id=share.instance_id, snapshot_id=ids.new_id())
    for call in (
        lambda: filer_pool.ensure_snapshot(ref),
        lambda: filer_pool.ensure_clone(spec(), ref),
        lambda: filer_pool.ensure_reverted(ref),
    ):
        with pytest.raises(Unsupported):
            call()
