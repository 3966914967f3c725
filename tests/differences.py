"""What was found beside what should be there, in words: how the censuses of tests say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping


def differences(
    what: str, found: Iterable[str], wanted: Iterable[str], *, may: Iterable[str] = ()
) -> Iterator[str]:
    """Each thing is there as often as wanted, and one of `may` besides at most once; where both are
    mappings, with the value that is wanted. Nothing when all is so."""
    have, want, optional = Counter(list(found)), Counter(list(wanted)), set(may)
    for name, count in sorted(have.items()):
        if count > max(want[name], name in optional):
            yield f"{what} {name} is there" + (f" {count} times" if count > 1 else "")
    yield from (f"{what} {name} is missing" for name in sorted(want - have))
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        for name in sorted(found.keys() & wanted.keys()):
            if found[name] != wanted[name]:
                yield f"{what} {name} is {found[name]}, not {wanted[name]}"
