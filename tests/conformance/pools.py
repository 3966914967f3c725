"""What every pool driver must do: `roadstead.drivers.base.pool.Pool` as tests.

To try a driver of your own, in a test file of your own package:

    from tests.conformance.pools import PoolConformance

    class TestMyPool(PoolConformance):
        @pytest.fixture
        def pool(self, tmp_path):
            pool = MyPool(name="test", ...)
            pool.ensure_pool()
            yield pool
            ...  # leave nothing behind

The pool must be empty at the start of each test. `small < size < large` may be overridden; the
test of a shrink below use writes a little more than `small` bytes. What the driver's `info` does
not promise is skipped, and the skip names the capability. Contents are written and read as plain
files below `ShareOnDisk.path`; override `write` and `read` where that is not possible.
"""

import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from roadstead.drivers.base.pool import Pool
from roadstead.model import ids
from roadstead.model import world as w
from roadstead.model.errors import (
    BadRequest,
    Conflict,
    DriverError,
    NotFound,
    RoadsteadError,
    Unsupported,
)

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


class PoolConformance:
    """Inherit, and override the fixture `pool`."""

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

    # --- shares -------------------------------------------------------------------------------

    def test_a_new_share_is_as_specified(self, pool: Pool) -> None:
        spec = self.spec()
        share = pool.ensure_share(spec)
        assert (share.instance_id, share.size_bytes) == (spec.instance_id, spec.size_bytes)
        self.write(share, "file", b"hello")
        assert self.read(share, "file") == b"hello"

    def test_creating_twice_gives_the_same(self, pool: Pool) -> None:
        spec = self.spec()
        first = pool.ensure_share(spec)
        self.write(first, "file", b"kept")
        second = pool.ensure_share(spec)
        assert second == first
        assert self.read(second, "file") == b"kept"
        assert len(marks(pool, "share")) == 1

    def test_creating_twice_with_another_size_conflicts(self, pool: Pool) -> None:
        share = self.make(pool)
        self.write(share, "file", b"kept")
        with pytest.raises(Conflict):
            pool.ensure_share(self.spec(self.large, share.instance_id))
        assert pool.find_share(share.instance_id) == share
        assert self.read(share, "file") == b"kept"

    def test_too_small_is_unsupported(self, pool: Pool) -> None:
        if pool.info.min_bytes < 2:
            pytest.skip(f"{pool.info.kind}: its info does not promise 'min_bytes'")
        with pytest.raises(Unsupported):
            self.make(pool, pool.info.min_bytes - 1)
        assert not list(pool.inventory())
        assert self.make(pool, pool.info.min_bytes).size_bytes == pool.info.min_bytes

    def test_find_share(self, pool: Pool) -> None:
        share = self.make(pool)
        assert pool.find_share(share.instance_id) == share
        assert pool.find_share(ids.new_id()) is None

    def test_shares_are_separate(self, pool: Pool) -> None:
        one, two = self.make(pool), self.make(pool)
        self.write(one, "file", b"one")
        assert self.read(two, "file") is None
        pool.ensure_share_absent(one.instance_id)
        assert pool.find_share(two.instance_id) == two

    def test_deleting_the_unknown_is_success(self, pool: Pool) -> None:
        pool.ensure_share_absent(ids.new_id())
        pool.ensure_snapshot_absent(
            w.SnapshotRef(instance_id=ids.new_id(), snapshot_id=ids.new_id())
        )

    def test_deleting_twice_is_success(self, pool: Pool) -> None:
        share = self.make(pool)
        pool.ensure_share_absent(share.instance_id)
        pool.ensure_share_absent(share.instance_id)
        assert pool.find_share(share.instance_id) is None
        assert not list(pool.inventory())

    def test_a_deleted_share_leaves_nothing_to_its_successor(self, pool: Pool) -> None:
        spec = self.spec()
        self.write(pool.ensure_share(spec), "file", b"secret")
        pool.ensure_share_absent(spec.instance_id)
        assert self.read(pool.ensure_share(spec), "file") is None

    @pytest.mark.parametrize("id_", LONGEST_IDS)
    def test_every_valid_id_will_do(self, pool: Pool, id_: str) -> None:
        share = pool.ensure_share(self.spec(id_=id_))
        assert pool.find_share(id_) == share
        assert list(marks(pool, "share")) == [id_]
        pool.ensure_share_absent(id_)

    @pytest.mark.parametrize("id_", NOT_IDS)
    def test_what_is_no_id_is_refused(self, pool: Pool, id_: str) -> None:
        ref = w.SnapshotRef(instance_id=ids.new_id(), snapshot_id=id_)
        with pytest.raises(BadRequest):
            pool.ensure_share(w.ShareSpec(instance_id=id_, size_bytes=self.size))
        with pytest.raises(BadRequest):
            pool.find_share(id_)
        with pytest.raises(BadRequest):
            pool.ensure_share_absent(id_)
        with pytest.raises(BadRequest):
            pool.ensure_share_aside(id_)
        with pytest.raises(BadRequest):
            pool.ensure_trash_absent(id_)
        with pytest.raises(BadRequest):
            pool.ensure_size(id_, self.size)
        with pytest.raises(BadRequest):
            pool.ensure_snapshot_absent(ref)

    def test_a_ready_pool_made_ready_again_keeps_everything(self, pool: Pool) -> None:
        share = self.make(pool)
        self.write(share, "file", b"kept")
        pool.ensure_pool()
        assert pool.find_share(share.instance_id) == share
        assert self.read(share, "file") == b"kept"

    # --- sizes --------------------------------------------------------------------------------

    def test_growing(self, pool: Pool) -> None:
        share = self.make(pool)
        self.write(share, "file", b"kept")
        for _ in range(2):
            grown = pool.ensure_size(share.instance_id, self.large)
            assert grown.size_bytes == self.large
            assert pool.find_share(share.instance_id) == grown
        assert self.read(grown, "file") == b"kept"
        assert pool.ensure_share(self.spec(self.large, share.instance_id)) == grown

    def test_the_same_size_changes_nothing(self, pool: Pool) -> None:
        share = self.make(pool)
        assert pool.ensure_size(share.instance_id, self.size) == share

    def test_shrinking(self, pool: Pool) -> None:
        share = self.make(pool)
        if not pool.info.shrink:
            with pytest.raises(DriverError) as refused:
                pool.ensure_size(share.instance_id, self.small)
            assert refused.value.detail_id == "019"
            needs(pool, "shrink")
        self.write(share, "file", b"kept")
        for _ in range(2):
            shrunk = pool.ensure_size(share.instance_id, self.small)
            assert shrunk.size_bytes == self.small
            assert pool.find_share(share.instance_id) == shrunk
        assert self.read(shrunk, "file") == b"kept"

    def test_shrinking_below_use_is_refused(self, pool: Pool) -> None:
        needs(pool, "shrink", "enforces_size")
        share = self.make(pool)
        data = bytes(32 << 20)
        for number in range(self.small // len(data) + 1):
            self.write(share, f"file{number}", data)
        with pytest.raises(DriverError) as refused:
            pool.ensure_size(share.instance_id, self.small)
        assert refused.value.detail_id == "018"
        assert pool.find_share(share.instance_id) == share
        assert self.read(share, "file0") == data
        self.write(share, "more", b"still writable")

    def test_the_size_of_nothing(self, pool: Pool) -> None:
        with pytest.raises(NotFound):
            pool.ensure_size(ids.new_id(), self.size)

    # --- snapshots ----------------------------------------------------------------------------

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

    # --- set aside ----------------------------------------------------------------------------

    def test_one_set_aside_is_trash_and_no_share(self, pool: Pool) -> None:
        share, other = self.make(pool), self.make(pool, self.large)
        before = time.time()
        kept = pool.ensure_share_aside(share.instance_id)
        assert kept is not None
        assert (kept.kind, kept.id) == ("trash", share.instance_id)
        assert kept.facts["size_bytes"] == self.size
        assert kept.facts["path"]
        since = kept.facts["since"]
        # File systems stamp by a clock that lags behind by a tick.
        assert isinstance(since, float)
        assert before - 1 <= since <= time.time()
        assert pool.find_share(share.instance_id) is None
        assert list(marks(pool, "share")) == [other.instance_id]
        assert marks(pool, "trash") == {kept.id: kept}
        assert pool.stats().provisioned == self.large

    def test_setting_aside_twice_and_nothing(self, pool: Pool) -> None:
        share = self.make(pool)
        kept = pool.ensure_share_aside(share.instance_id)
        assert pool.ensure_share_aside(share.instance_id) == kept
        assert pool.ensure_share_aside(ids.new_id()) is None
        assert list(pool.inventory()) == [kept]

    def test_one_set_aside_stays_when_the_pool_is_looked_after(self, pool: Pool) -> None:
        share = self.make(pool)
        self.write(share, "file", b"kept")
        kept = pool.ensure_share_aside(share.instance_id)
        for _ in range(2):
            pool.ensure_pool()
        assert list(pool.inventory()) == [kept]
        assert self.read(pool.ensure_share(self.spec(id_=share.instance_id)), "file") == b"kept"

    def test_one_set_aside_comes_back_as_it_was(self, pool: Pool) -> None:
        share = self.make(pool)
        self.write(share, "file", b"kept")
        pool.ensure_share_aside(share.instance_id)
        for _ in range(2):
            assert pool.ensure_share(self.spec(id_=share.instance_id)) == share
            assert self.read(share, "file") == b"kept"
        (mark,) = pool.inventory()
        assert (mark.kind, mark.broken) == ("share", None)
        assert pool.ensure_share_aside(share.instance_id) is not None

    def test_one_set_aside_comes_back_by_its_own_size_only(self, pool: Pool) -> None:
        share = self.make(pool)
        self.write(share, "file", b"kept")
        pool.ensure_share_aside(share.instance_id)
        with pytest.raises(Conflict):
            pool.ensure_share(self.spec(self.large, share.instance_id))
        assert pool.ensure_share(self.spec(id_=share.instance_id)) == share
        assert self.read(share, "file") == b"kept"

    def test_emptying_the_trash_of_one(self, pool: Pool) -> None:
        gone, kept = self.make(pool), self.make(pool)
        for share in (gone, kept):
            pool.ensure_share_aside(share.instance_id)
        for _ in range(2):
            pool.ensure_trash_absent(gone.instance_id)
            assert list(marks(pool, "trash")) == [kept.instance_id]
        assert pool.find_share(gone.instance_id) is None

    def test_emptying_the_trash_leaves_shares_alone(self, pool: Pool) -> None:
        share = self.make(pool)
        self.write(share, "file", b"kept")
        pool.ensure_trash_absent(share.instance_id)
        assert pool.find_share(share.instance_id) == share
        assert self.read(share, "file") == b"kept"

    def test_deleting_takes_what_was_set_aside_along(self, pool: Pool) -> None:
        share = self.make(pool)
        pool.ensure_share_aside(share.instance_id)
        pool.ensure_share_absent(share.instance_id)
        assert not list(pool.inventory())

    # --- looking ------------------------------------------------------------------------------

    def test_inventory_shows_exactly_what_is_there(self, pool: Pool) -> None:
        assert not list(pool.inventory())
        shares = {share.instance_id: share for share in (self.make(pool), self.make(pool))}
        found = marks(pool, "share")
        assert set(found) == set(shares)
        for id_, mark in found.items():
            assert mark.broken is None
            assert mark.facts["size_bytes"] == shares[id_].size_bytes
            assert mark.facts["path"] == shares[id_].path
        assert len(list(pool.inventory())) == 2
        pool.ensure_share_absent(min(shares))
        assert [mark.id for mark in pool.inventory()] == [max(shares)]

    def test_stats_are_plausible(self, pool: Pool) -> None:
        empty = pool.stats()
        assert empty.provisioned == 0
        assert 0 < empty.free <= empty.total
        first = self.make(pool)
        self.make(pool, self.large)
        pool.ensure_size(first.instance_id, self.large)
        full = pool.stats()
        assert full.provisioned == 2 * self.large
        assert 0 <= full.allocated <= full.provisioned
        assert full.free <= empty.free
        pool.ensure_share_absent(first.instance_id)
        assert pool.stats().provisioned == self.large

    def test_listing_while_shares_come_and_go(self, pool: Pool) -> None:
        stays = self.make(pool)
        errors: list[BaseException] = []
        done = [threading.Event(), threading.Event()]

        def churn(finished: threading.Event) -> None:
            try:
                for _ in range(4):
                    pool.ensure_share_absent(self.make(pool).instance_id)
            except BaseException as error:
                errors.append(error)
            finally:
                finished.set()

        threads = [threading.Thread(target=churn, args=(event,)) for event in done]
        for thread in threads:
            thread.start()
        rounds = 0
        while rounds < 3 or not all(event.is_set() for event in done):
            found = marks(pool, "share")
            assert found[stays.instance_id].broken is None
            assert [mark.broken for mark in found.values() if mark.broken] == []
            assert pool.stats().provisioned >= self.size
            rounds += 1
        for thread in threads:
            thread.join()
        assert not errors
        assert [mark.id for mark in pool.inventory()] == [stays.instance_id]

    def test_errors_are_of_our_own_kind(self, pool: Pool) -> None:
        needs(pool, "snapshot", "clone")
        nothing = w.SnapshotRef(instance_id=ids.new_id(), snapshot_id=ids.new_id())
        with pytest.raises(RoadsteadError):
            pool.ensure_snapshot(nothing)
        with pytest.raises(RoadsteadError):
            pool.ensure_clone(self.spec(), nothing)
        with pytest.raises(RoadsteadError):
            pool.ensure_reverted(nothing)
