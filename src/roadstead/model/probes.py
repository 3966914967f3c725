"""What a probe of a share found: evidence, kept until the next one."""

from datetime import datetime

import msgspec

from roadstead.model.states import Verdict
from roadstead.model.world import Attempt


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt and what it should have been: `refused` or `admitted`."""

    expected: str
    attempt: Attempt

    @property
    def as_expected(self) -> bool:
        return self.attempt.outcome == self.expected


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`problem` says what is wrong; None = the share admits and refuses as its rules say.
    `note` says what could not be tried, and why."""

    tried: tuple[Tried, ...] = ()
    problem: str | None = None
    note: str | None = None

    @property
    def verdict(self) -> str:
        return Verdict.GOOD if self.problem is None else Verdict.BROKEN


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """The last finding about a share, by whom and when."""

    share_id: str
    operation_id: str
    finding: Finding
    started_at: datetime
    finished_at: datetime
