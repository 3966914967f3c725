"""What every pool driver must do with shares that are set aside."""

import time

import pytest

from roadstead.conformance.pool_basis import PoolSuite, marks
from roadstead.drivers.base.pool import Pool
from roadstead.model import ids
from roadstead.model.errors import Conflict


class TrashConformance(PoolSuite):
    """Part of PoolConformance."""

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
