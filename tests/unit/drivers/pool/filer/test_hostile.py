"""Tenants' bytes are hostile: no link, name or depth leads the agent out of a share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roadstead.drivers.pool.filer.driver import FilerPool
from roadstead.drivers.pool.filer.trash import remove_tree
from roadstead.model import world as w
from roadstead.model.errors import DriverError
from tests.unit.drivers.pool.filers import (
    GIB,
    assert_exactly,
    directory,
    fill,
    spec,
)

if TYPE_CHECKING:
    pass

pytestmark = [pytest.mark.isolation, pytest.mark.real]


# D-S6: the agent is root; nothing of a tenant's may lead it out of the share
def test_deleting_follows_no_link(filer_pool: FilerPool, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    share = filer_pool.ensure_share(spec())
    fill(directory(filer_pool, share), outside)
    filer_pool.ensure_share_absent(share.instance_id)
    assert (outside / "precious").read_text() == "kept"
    assert_exactly(filer_pool, set())


def test_deleting_any_depth(filer_pool: FilerPool) -> None:
    """Deeper than any path, any stack and any number of open files."""
    share = filer_pool.ensure_share(spec())
    fd = os.open(directory(filer_pool, share), os.O_RDONLY)
    for _ in range(5000):
        os.mkdir("d" * 100, dir_fd=fd)
        below = os.open("d" * 100, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    filer_pool.ensure_share_absent(share.instance_id)
    assert_exactly(filer_pool, set())


def test_deleting_many_of_one_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roadstead.drivers.pool.filer.trash._BATCH", 7)
    for number in range(50):
        (tmp_path / f"tree/{number}/{number}").mkdir(parents=True)
        (tmp_path / f"tree/file-{number}").touch()
    remove_tree(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


# D-S6: a forged handle reaches our own directories; they must not lead the agent elsewhere
@pytest.mark.parametrize("which", ["shares", "sizes", "trash", "kept"])
def test_our_directories_replaced_by_links(
    filer_pool: FilerPool, tmp_path: Path, which: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    share = filer_pool.ensure_share(spec())
    ours = filer_pool.layout.root / which
    ours.rename(filer_pool.layout.root / "moved")
    ours.symlink_to(outside)
    for call in (
        lambda: filer_pool.ensure_share(spec()),
        lambda: filer_pool.ensure_share_absent(share.instance_id),
        lambda: filer_pool.ensure_size(share.instance_id, 2 * GIB),
        lambda: list(filer_pool.inventory()),
    ):
        with pytest.raises(DriverError):
            call()
    assert os.listdir(outside) == []


@pytest.mark.timeout(20)
def test_our_files_replaced_by_others(filer_pool: FilerPool, tmp_path: Path) -> None:
    shares = [filer_pool.ensure_share(spec()) for _ in range(3)]
    files = [filer_pool.layout.sizes / share.instance_id for share in shares]
    secret = tmp_path / "secret"
    secret.write_text('{"size_bytes": 7}')
    for file in files:
        file.unlink()
    files[0].symlink_to(secret)
    os.mkfifo(files[1])
    files[2].write_bytes(b"[" * (8 << 20))
    assert all(mark.broken for mark in filer_pool.inventory())
    for share in shares:
        again = w.ShareSpec(instance_id=share.instance_id, size_bytes=GIB)
        assert filer_pool.ensure_share(again) == share
    assert secret.read_text() == '{"size_bytes": 7}'
    assert_exactly(filer_pool, {share.instance_id for share in shares})


def test_a_share_replaced_by_a_link(filer_pool: FilerPool, tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    share = filer_pool.ensure_share(spec())
    directory(filer_pool, share).rmdir()
    directory(filer_pool, share).symlink_to(tmp_path)
    assert filer_pool.find_share(share.instance_id) is None
    filer_pool.ensure_share_absent(share.instance_id)
    assert (tmp_path / "precious").exists()
    assert_exactly(filer_pool, set())
