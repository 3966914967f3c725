"""What every pool driver must do: `roadstead.drivers.base.pool.Pool` as tests.

To try a driver of your own, in a test file of your own package:

    from roadstead.conformance.pools import PoolConformance

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

import pytest

from roadstead.conformance.pool_basis import LONGEST_IDS, NOT_IDS, marks, needs
from roadstead.conformance.pool_snapshots import SnapshotConformance
from roadstead.conformance.pool_trash import TrashConformance
from roadstead.drivers.base.pool import Pool
from roadstead.model import ids
from roadstead.model import world as w
from roadstead.model.errors import BadRequest, Conflict, DriverError, NotFound, Unsupported


class PoolConformance(SnapshotConformance, TrashConformance):
    """Inherit, and override the fixture `pool`."""

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
        grown = pool.ensure_size(share.instance_id, self.large)
        assert grown.size_bytes == self.large
        assert pool.ensure_size(share.instance_id, self.large) == grown
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
        shrunk = pool.ensure_size(share.instance_id, self.small)
        assert shrunk.size_bytes == self.small
        assert pool.ensure_size(share.instance_id, self.small) == shrunk
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
        assert 0 <= full.free <= full.total  # others may share the disk
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
