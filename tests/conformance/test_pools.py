"""The pool suite on our own drivers."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from roadstead.conformance.pools import PoolConformance
from roadstead.drivers.base.pool import Pool
from roadstead.drivers.filer.fixed import FixedExport, FixedFiler
from roadstead.drivers.filer.memory import MemoryFiler
from roadstead.drivers.pool.filer.driver import FilerPool
from roadstead.drivers.pool.filer.fixed import FixedFilerPool
from roadstead.drivers.pool.memory import MemoryPool
from roadstead.model import ids
from roadstead.model.errors import DriverError, Transient
from roadstead.model.world import ShareSpec
from tests.conformance.image_pools import image_pool
from tests.unit.drivers.pool.filers import mounted_tree

MIB = 1 << 20


class TestMemoryPool(PoolConformance):
    small, size, large = 64 * MIB, 128 * MIB, 256 * MIB

    @pytest.fixture
    def pool(self, tmp_path: Path) -> Iterator[Pool]:
        pool = MemoryPool(MemoryPool.Options(path=str(tmp_path / "shares")), name="test")
        pool.ensure_pool()
        yield pool
        shutil.rmtree(tmp_path / "shares")


class TestMemoryPoolFaults:
    def test_a_fault_lasts_until_it_is_taken_away(self) -> None:
        pool = MemoryPool(MemoryPool.Options(total_gib=1), name="test")
        pool.fail["stats"] = Transient("not now")
        for _ in range(2):
            with pytest.raises(Transient, match="not now"):
                pool.stats()
        del pool.fail["stats"]
        assert pool.stats().total == 1 << 30

    def test_without_a_path_nothing_is_on_the_disk(self) -> None:
        pool = MemoryPool(MemoryPool.Options(total_gib=1), name="test")
        share = pool.ensure_share(ShareSpec(instance_id=ids.new_id(), size_bytes=1 << 30))
        assert not Path(share.path).exists()
        with pytest.raises(DriverError, match="full"):
            pool.ensure_share(ShareSpec(instance_id=ids.new_id(), size_bytes=1))


@pytest.mark.real
class TestImagePool(PoolConformance):
    small, size, large = 256 * MIB, 512 * MIB, 1024 * MIB

    @pytest.fixture
    def pool(self, tmp_path: Path) -> Iterator[Pool]:
        with image_pool(tmp_path / "pool") as pool:
            yield pool


@pytest.mark.real
class TestFilerPool(PoolConformance):
    """Where the filer keeps to no sizes."""

    small, size, large = 64 * MIB, 128 * MIB, 256 * MIB
    limits_size = False

    @pytest.fixture
    def pool(self, tmp_path: Path) -> Iterator[Pool]:
        with mounted_tree(tmp_path / "tree") as tree:
            control = MemoryFiler(MemoryFiler.Options(limits_size=self.limits_size))
            pool = FilerPool(
                FilerPool.Options(log_directory=str(tmp_path)),
                name="test",
                tree=str(tree),
                path=str(tree),
                control=control,
            )
            pool.ensure_pool()
            yield pool


@pytest.mark.real
class TestFilerPoolWithLimits(TestFilerPool):
    """Where it does."""

    limits_size = True


class TestFixedFilerPool(PoolConformance):
    small, size, large = 64 * MIB, 128 * MIB, 256 * MIB

    @pytest.fixture
    def pool(self, tmp_path: Path) -> Pool:
        directories = [tmp_path / f"export-{number}" for number in range(16)]
        for directory in directories:
            directory.mkdir()
        exports = tuple(
            FixedExport(path=str(d), name=f"/{d.name}", size_gib=1) for d in directories
        )
        control = FixedFiler(
            FixedFiler.Options(exports=exports, state_directory=str(tmp_path / "state"))
        )
        pool = FixedFilerPool(FixedFilerPool.Options(), name="test", control=control)
        pool.ensure_pool()
        return pool
