"""A real image pool, and a share in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from roadstead.drivers.filer.memory import MemoryFiler
from roadstead.drivers.pool.filer.driver import FilerPool
from roadstead.drivers.pool.image.driver import ImagePool
from roadstead.model import ids
from roadstead.model import world as w
from tests.conformance.image_pools import image_pool
from tests.unit.drivers.pool.filers import mounted_tree, pool_at
from tests.unit.drivers.pool.worlds import SIZE


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[ImagePool]:
    with image_pool(tmp_path / "pool") as pool:
        yield pool


@pytest.fixture
def share(pool: ImagePool) -> w.ShareOnDisk:
    """A share with one file in it."""
    share = pool.ensure_share(w.ShareSpec(instance_id=ids.new_id(), size_bytes=SIZE))
    Path(share.path, "file").write_text("kept")
    return share


@pytest.fixture
def control() -> MemoryFiler:
    """A filer that keeps to sizes."""
    return MemoryFiler(MemoryFiler.Options(limits_size=True))


@pytest.fixture
def filer_pool(tmp_path: Path, control: MemoryFiler) -> Iterator[FilerPool]:
    with mounted_tree(tmp_path / "tree") as tree:
        pool = pool_at(tree, control)
        pool.ensure_pool()
        yield pool
