"""An operation: one verb on one resource, carried out by a recipe of named steps."""

from datetime import datetime
from typing import Any

import msgspec

from roadstead.model.states import OPERATION_LIVE


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    verb: str  # e.g. "share.create"; see model.verbs.VERBS
    resource_id: str
    project_id: str
    user_id: str = ""
    request_id: str = ""
    host: str  # the agent that carries it out
    state: str  # model.states.OperationState
    payload: dict[str, Any] = {}
    attempts: int = 0
    not_before: datetime | None = None
    error: str | None = None
    detail_id: str | None = None
    created_at: datetime
    updated_at: datetime | None = None

    @property
    def resource_type(self) -> str:
        """The verb's first half: share, access, snapshot, …"""
        return self.verb.partition(".")[0]

    @property
    def live(self) -> bool:
        return self.state in OPERATION_LIVE


class Journalled(msgspec.Struct, frozen=True, kw_only=True):
    """An operation and the names of its journalled steps."""

    operation: Operation
    share_id: str
    steps_done: list[str]
