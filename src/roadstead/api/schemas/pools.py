"""Which pools to list."""

from roadstead.service.pools import PoolFilter

_PATTERNS = frozenset("name host backend pool".split())


def listed(query: dict[str, str], minor: int) -> PoolFilter | None:
    """The filter; None = nothing can match, as a key is unknown."""
    known = _PATTERNS | {"share_type"} if minor >= 23 else _PATTERNS
    if query.keys() - known:
        return None
    patterns = {k: v for k, v in query.items() if k in _PATTERNS}
    return PoolFilter(patterns=patterns, share_type=query.get("share_type"))
