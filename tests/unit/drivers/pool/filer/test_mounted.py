"""A filer's export that the pool mounts itself: a filer that is away is an error, never a hang."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from roadstead.drivers.filer.memory import MemoryFiler
from roadstead.drivers.pool.filer.driver import FilerPool
from roadstead.model.errors import Transient
from tests.lab.filer import LegacyFiler
from tests.lab.segment import Segment
from tests.unit.drivers.pool.filers import (
    GIB,
    assert_exactly,
    fill,
    spec,
)
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.real


@pytest.fixture
def network() -> Iterator[Segment]:
    """The test's own namespace has the server's address."""
    with Segment(service_netns=False) as network:
        yield network


def pool_of(filer: LegacyFiler, tree: Path, *, logs: Path) -> FilerPool:
    """Not yet ready."""
    return FilerPool(
        FilerPool.Options(log_directory=str(logs)),
        name="test",
        tree=str(tree),
        path=filer.path,
        control=MemoryFiler(MemoryFiler.Options()),
        mount=filer.mount,
    )


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_mounted_by_the_pool_itself(network: Segment, tmp_path: Path) -> None:
    """By whichever NFS client this kernel has. No state of the filer hangs the agent for ever."""
    host = network.client_ns()
    tree = Path(f"/tmp/rs-tree-{secrets.token_hex(3)}")
    with LegacyFiler(host.netns, [host.ip], admin=[network.server], grace=False) as filer:
        pool = pool_of(filer, tree, logs=tmp_path)
        try:
            pool.ensure_pool()
            pool.ensure_pool()
            share = pool.ensure_share(spec())
            fill(Path(share.path), tmp_path)
            assert next(iter(pool.inventory())).facts["path"] == share.path
            filer.kill()
            with pytest.raises(Transient):
                pool.ensure_size(share.instance_id, 2 * GIB)
            filer.start()
            assert pool.ensure_size(share.instance_id, 2 * GIB).size_bytes == 2 * GIB
            filer.pause()
            try:
                with pytest.raises(Transient):
                    pool.ensure_share(spec())
            finally:
                filer.go_on()
            until(lambda: works(pool, share.instance_id), "the pool works again")
            pool.ensure_share_absent(share.instance_id)
            assert os.listdir(filer.tree / "roadstead/shares") == []
            assert_exactly(pool, set())
        finally:
            if not filer.runs:
                filer.start()
            pool.ensure_unmounted()
        assert not os.path.ismount(tree)
        pool.ensure_unmounted()
    tree.rmdir()


def works(pool: FilerPool, instance_id: str) -> bool:
    """Whether the filer answers; then it has the share."""
    try:
        assert pool.find_share(instance_id)
    except Transient:
        return False
    return True


def test_a_filer_that_does_not_admit_us(network: Segment, tmp_path: Path) -> None:
    host = network.client_ns()
    tree = Path(f"/tmp/rs-tree-{secrets.token_hex(3)}")
    with LegacyFiler(host.netns, [host.ip]) as filer:
        pool = pool_of(filer, tree, logs=tmp_path)
        with pytest.raises(Transient):
            pool.ensure_pool()
        assert os.listdir(tree) == []
        pool.ensure_unmounted()
    tree.rmdir()
