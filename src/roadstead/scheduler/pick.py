"""Pick a pool, or say of each why not."""

from collections.abc import Sequence

from roadstead.model.errors import NoValidPool
from roadstead.model.shares import Pool
from roadstead.scheduler.filters import FILTERS, Request


def pick(pools: Sequence[Pool], request: Request) -> Pool:
    """The pool with the most free space of those that pass every filter.

    NoValidPool names each pool and the filter that refused it; its detail_id is that of the last
    filter that any pool reached, the one nearest to success.
    """
    passed: list[Pool] = []
    refusals: list[str] = []
    furthest = -1
    for pool in pools:
        for index, filter_ in enumerate(FILTERS):
            refusal = filter_.check(pool, request)
            if refusal is not None:
                refusals.append(f"{pool.name} ({filter_.name}: {refusal})")
                furthest = max(furthest, index)
                break
        else:
            passed.append(pool)
    if passed:
        return max(passed, key=lambda p: (p.free_gib - 0.0, -p.provisioned_gib, p.name))
    if not pools:
        raise NoValidPool("No pool has been reported by any agent yet.", detail_id="028")
    raise NoValidPool(f"Refused by: {'; '.join(refusals)}.", detail_id=FILTERS[furthest].detail_id)
