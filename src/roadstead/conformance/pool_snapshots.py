"""What every pool driver must do whose `info` promises snapshots, clones or reverting."""

import pytest

from roadstead.conformance.pool_basis import PoolSuite, marks, needs, snapshot_of
from roadstead.drivers.base.pool import Pool
from roadstead.model import ids
from roadstead.model import world as w
from roadstead.model.errors import Conflict, NotFound, RoadsteadError, Unsupported


class SnapshotConformance(PoolSuite):
    """Part of PoolConformance."""

    def test_snapshot_twice_and_delete_twice(self, pool: Pool) -> None:
        needs(pool, "snapshot")
        ref = snapshot_of(self.make(pool))
        for _ in range(2):
            pool.ensure_snapshot(ref)
            assert list(marks(pool, "snapshot")) == [ref.snapshot_id]
        for _ in range(2):
            pool.ensure_snapshot_absent(ref)
            assert not marks(pool, "snapshot")

    def test_snapshot_of_nothing(self, pool: Pool) -> None:
        needs(pool, "snapshot")
        with pytest.raises(NotFound):
            pool.ensure_snapshot(w.SnapshotRef(instance_id=ids.new_id(), snapshot_id=ids.new_id()))
        assert not list(pool.inventory())

    def test_a_clone_has_the_contents_of_the_snapshot_and_its_own_life(self, pool: Pool) -> None:
        needs(pool, "snapshot", "clone")
        origin = self.make(pool)
        ref = snapshot_of(origin)
        self.write(origin, "file", b"then")
        pool.ensure_snapshot(ref)
        self.write(origin, "file", b"now")
        specs = [self.spec(), self.spec(self.large)]
        clones = [pool.ensure_clone(spec, ref) for spec in specs]
        assert [clone.size_bytes for clone in clones] == [self.size, self.large]
        assert [self.read(clone, "file") for clone in clones] == [b"then", b"then"]
        self.write(clones[0], "file", b"mine")
        assert pool.ensure_clone(specs[0], ref) == clones[0]
        assert self.read(clones[0], "file") == b"mine"
        assert self.read(clones[1], "file") == b"then"
        assert self.read(origin, "file") == b"now"

    def test_a_clone_outlives_snapshot_and_origin(self, pool: Pool) -> None:
        needs(pool, "snapshot", "clone")
        origin = self.make(pool)
        ref = snapshot_of(origin)
        self.write(origin, "file", b"then")
        pool.ensure_snapshot(ref)
        clone = pool.ensure_clone(self.spec(), ref)
        pool.ensure_snapshot_absent(ref)
        pool.ensure_share_absent(origin.instance_id)
        assert self.read(clone, "file") == b"then"
        second = snapshot_of(clone)
        pool.ensure_snapshot(second)
        assert self.read(pool.ensure_clone(self.spec(), second), "file") == b"then"

    def test_a_clone_of_nothing_too_small_or_of_another_size(self, pool: Pool) -> None:
        needs(pool, "snapshot", "clone")
        origin = self.make(pool)
        ref = snapshot_of(origin)
        with pytest.raises(NotFound):
            pool.ensure_clone(self.spec(), ref)
        pool.ensure_snapshot(ref)
        with pytest.raises(Unsupported):
            pool.ensure_clone(self.spec(self.small), ref)
        clone = pool.ensure_clone(self.spec(), ref)
        with pytest.raises(Conflict):
            pool.ensure_clone(self.spec(self.large, clone.instance_id), ref)
        assert set(marks(pool, "share")) == {origin.instance_id, clone.instance_id}

    def test_reverting(self, pool: Pool) -> None:
        needs(pool, "snapshot", "revert")
        origin = self.make(pool)
        ref = snapshot_of(origin)
        self.write(origin, "file", b"then")
        pool.ensure_snapshot(ref)
        self.write(origin, "file", b"now")
        self.write(origin, "new", b"new")
        for _ in range(2):
            assert pool.ensure_reverted(ref) == origin
            assert self.read(origin, "file") == b"then"
            assert self.read(origin, "new") is None
        self.write(origin, "file", b"later")
        assert pool.ensure_reverted(ref) == origin
        assert self.read(origin, "file") == b"then"

    def test_reverting_gives_the_size_back(self, pool: Pool) -> None:
        needs(pool, "snapshot", "revert")
        origin = self.make(pool)
        ref = snapshot_of(origin)
        pool.ensure_snapshot(ref)
        pool.ensure_size(origin.instance_id, self.large)
        assert pool.ensure_reverted(ref) == origin

    def test_reverting_to_nothing(self, pool: Pool) -> None:
        needs(pool, "snapshot", "revert")
        origin = self.make(pool)
        self.write(origin, "file", b"kept")
        with pytest.raises(NotFound):
            pool.ensure_reverted(snapshot_of(origin))
        assert self.read(origin, "file") == b"kept"

    def test_errors_are_of_our_own_kind(self, pool: Pool) -> None:
        needs(pool, "snapshot", "clone")
        nothing = w.SnapshotRef(instance_id=ids.new_id(), snapshot_id=ids.new_id())
        with pytest.raises(RoadsteadError):
            pool.ensure_snapshot(nothing)
        with pytest.raises(RoadsteadError):
            pool.ensure_clone(self.spec(), nothing)
        with pytest.raises(RoadsteadError):
            pool.ensure_reverted(nothing)
