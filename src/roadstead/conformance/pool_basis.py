"""What the suites of a pool have in common: the pool under test, and how its files are written."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from roadstead.drivers.base.pool import Pool
from roadstead.model import ids
from roadstead.model import world as w

GIB = 1 << 30
LONGEST_IDS = ("ffffffff-ffff-ffff-ffff-ffffffffffff", "00000000-0000-0000-0000-000000000000")
NOT_IDS = ("", "x", "../../etc", "..", "/etc", LONGEST_IDS[0].upper(), LONGEST_IDS[0] + "\n")


def needs(pool: Pool, *capabilities: str) -> None:
    """Go on only if the driver's `info` promises all of it."""
    for capability in capabilities:
        if not getattr(pool.info, capability):
            pytest.skip(f"{pool.info.kind}: its info does not promise {capability!r}")


def marks(pool: Pool, kind: str) -> dict[str, w.Mark]:
    """The inventory's marks of one kind by id; fails when an id is listed twice."""
    found = [mark for mark in pool.inventory() if mark.kind == kind]
    by_id = {mark.id: mark for mark in found}
    assert len(by_id) == len(found)
    return by_id


def snapshot_of(share: w.ShareOnDisk) -> w.SnapshotRef:
    """A fresh snapshot's identity."""
    return w.SnapshotRef(instance_id=share.instance_id, snapshot_id=ids.new_id())


class PoolSuite:
    """A pool, and files in its shares."""

    small = GIB
    size = 2 * GIB
    large = 3 * GIB

    @pytest.fixture
    def pool(self) -> Iterable[Pool]:
        raise NotImplementedError("override this fixture with one that yields an empty pool")

    def write(self, share: w.ShareOnDisk, name: str, data: bytes) -> None:
        """The share's file `name` holds the data."""
        Path(share.path, name).write_bytes(data)

    def read(self, share: w.ShareOnDisk, name: str) -> bytes | None:
        """What the share's file `name` holds; None when it has no such file."""
        path = Path(share.path, name)
        return path.read_bytes() if path.exists() else None

    def spec(self, size_bytes: int | None = None, id_: str | None = None) -> w.ShareSpec:
        """A share wanted, by default of a new id and the usual size."""
        return w.ShareSpec(instance_id=id_ or ids.new_id(), size_bytes=size_bytes or self.size)

    def make(self, pool: Pool, size_bytes: int | None = None) -> w.ShareOnDisk:
        """A new share."""
        return pool.ensure_share(self.spec(size_bytes))
