"""What a sweep finds in the world and has no row for: told, left alone, or ready to be removed.

A sweep looks at the rows of its own host, and of one backend; the thing may be another's, after
a changed name, on a filer that two hosts use, or with another database. So nothing goes because a
look-up came back empty: whose it is was asked by its id alone, and it has been unknown for a while.
"""

import datetime
from collections.abc import Callable, Collection, Mapping

from roadstead.model.drift import Drift
from roadstead.model.world import Mark
from roadstead.ops.sweeps.findings import Find, Findings
from roadstead.ops.sweeps.looks import Key, key
from roadstead.store.db import utcnow

GRACE = datetime.timedelta(seconds=60)
Clock = Callable[[], datetime.datetime]


class Strangers:
    """One sweep's (of one backend's, where each has its own): since when it saw what. Of what stays
    its `findings` tell once."""

    def __init__(
        self, findings: Findings, *, grace: datetime.timedelta, clock: Clock = utcnow
    ) -> None:
        self._findings, self._grace, self._clock = findings, grace, clock
        self._since: dict[Key, datetime.datetime] = {}

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
        self._since = {key(m): self._since.get(key(m), now) for m in marks}
        found: list[Mark] = []
        for mark in marks:
            owner = owners.get(mark.id)
            if owner is not None:
                self._tell(mark, Drift.MISPLACED, f"it belongs to {owner}", "left alone")
            elif not heard_of(mark):
                self._tell(
                    mark, Drift.FOREIGN, "not in the database",
                    "left alone: no operation ever made it",
                )  # fmt: skip
            elif now - self._since[key(mark)] >= self._grace:
                found.append(mark)
        return found

    def _tell(self, mark: Mark, kind: Drift, detail: str, action: str) -> None:
        self._findings.tell_once(Find(kind, mark.kind, mark.id, detail, action, repaired=False))
