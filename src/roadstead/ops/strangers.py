"""What a sweep finds in the world and has no row for: told, left alone, or ready to be removed.

A sweep looks at the rows of its own host, and of one backend; the thing may be another's, after
a changed name, on a filer that two hosts use, or with another database. So nothing goes because a
look-up came back empty: whose it is was asked by its id alone, and it has been unknown for a while.
"""

import datetime
from collections.abc import Callable, Collection, Mapping

import structlog

from roadstead.model.drift import Drift
from roadstead.model.world import Mark
from roadstead.store import drift
from roadstead.store.db import Database, utcnow

log = structlog.get_logger()

GRACE = datetime.timedelta(seconds=60)
Clock = Callable[[], datetime.datetime]
_Key = tuple[str, str]


class Strangers:
    """One sweep's (of one backend's, where each has its own): since when it saw what."""

    def __init__(
        self, db: Database, host: str, *, grace: datetime.timedelta, clock: Clock = utcnow
    ) -> None:
        self._db, self._host, self._grace, self._clock = db, host, grace, clock
        self._since: dict[_Key, datetime.datetime] = {}
        self._told: set[tuple[str, _Key]] = set()

    def removable(
        self,
        marks: Collection[Mark],
        owners: Mapping[str, str],
        heard_of: Callable[[Mark], bool] = lambda _mark: True,
    ) -> list[Mark]:
        """Those of `marks`, all that are unknown now, that are nobody's and have been for the
        grace, in their order.

        `owners`: whose the others are, by id; they are told as `misplaced`. Neither does go what
        the database never `heard_of`: it is told as `foreign`.
        """
        now = self._clock()
        self._since = {_key(m): self._since.get(_key(m), now) for m in marks}
        found: list[Mark] = []
        for mark in marks:
            owner = owners.get(mark.id)
            if owner is not None:
                self._tell_once(mark, Drift.MISPLACED, f"it belongs to {owner}", "left alone")
            elif not heard_of(mark):
                self._tell_once(
                    mark, Drift.FOREIGN, "not in the database",
                    "left alone: no operation ever made it",
                )  # fmt: skip
            elif now - self._since[_key(mark)] >= self._grace:
                found.append(mark)
        return found

    def _tell_once(self, mark: Mark, kind: Drift, detail: str, action: str) -> None:
        if (kind, _key(mark)) in self._told:
            return
        self._told.add((kind, _key(mark)))
        log.warning("drift", kind=kind, what=mark.kind, id=mark.id, detail=detail, action=action)
        with self._db.write() as tx:
            drift.insert(
                tx,
                host=self._host,
                kind=kind,
                resource_type=mark.kind,
                resource_id=mark.id,
                detail=detail,
                action=action,
                repaired=False,
            )


def _key(mark: Mark) -> _Key:
    return mark.kind, mark.id
