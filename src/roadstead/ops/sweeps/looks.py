"""How a sweep looks: the world first, the database second.

A row is written before its effect and removed after it. So what was seen and has no row is not just
being made; but what has a row and was not seen may have been made meanwhile, and what lost its row
may have gone with it. Before anything is done about that the world is looked at again.
"""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from roadstead.model.world import Mark

T = TypeVar("T")
Key = tuple[str, str]


class Look:
    """The marks that an inventory gave, and gives when it is asked again."""

    def __init__(self, inventory: Callable[[], Iterable[Mark]]) -> None:
        """Raises what the driver raises."""
        self._inventory = inventory
        self.marks = list(inventory())

    def ids(self) -> set[str]:
        return {mark.id for mark in self.marks}

    def whole(self) -> set[str]:
        """Ids of what is not broken."""
        return _whole(self.marks)

    def lacks(self, needed: set[str]) -> set[str]:
        """What of the `needed` is not there, or broken, in this look and the next."""
        missing = needed - self.whole()
        return missing - _whole(self._inventory()) if missing else missing

    def unknown(self, is_known: Callable[[Mark], bool]) -> list[Mark]:
        """What is not known, in this look and the next."""
        if all(is_known(mark) for mark in self.marks):
            return []
        before = {key(mark) for mark in self.marks}
        return [m for m in self._inventory() if key(m) in before and not is_known(m)]


class Memo(Generic[T]):
    """What the last look left of each thing: as long as that is wanted, no more is compared.
    Every `whole_every`-th look nothing counts of it, for it does not see what others do."""

    def __init__(self, whole_every: int) -> None:
        self._every, self._looks = whole_every, 0
        self._left: dict[str, T] = {}
        self._sure: set[str] = set()

    def begin(self) -> None:
        """One more look."""
        if self._looks % self._every == 0:
            self._sure.clear()
        self._looks += 1

    def says(self, thing: str, wanted: T) -> bool:
        """The thing was left like this, and need not be looked at."""
        return thing in self._sure and self._left[thing] == wanted

    def keep(self, thing: str, left: T) -> bool:
        """The thing is left like this; whether that is new."""
        new = self._left.get(thing) != left
        self._left[thing] = left
        self._sure.add(thing)
        return new

    def forget(self, thing: str) -> None:
        self._left.pop(thing, None)
        self._sure.discard(thing)


def key(mark: Mark) -> Key:
    return mark.kind, mark.id


def by_key(marks: Iterable[Mark]) -> dict[Key, Mark]:
    return {key(mark): mark for mark in marks}


def find(marks: Iterable[Mark], mark_id: str) -> Mark | None:
    """The first of that id, whatever its kind."""
    return next((mark for mark in marks if mark.id == mark_id), None)


def _whole(marks: Iterable[Mark]) -> set[str]:
    return {mark.id for mark in marks if mark.broken is None}
