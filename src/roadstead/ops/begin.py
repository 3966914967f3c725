"""Where every operation begins: the API's, the sweeps' and those of a host's grants.

One commit has the resource's new status, the operation's journal row and its place in the queue;
right after it each agent concerned is told, once.
"""

import contextlib
from collections.abc import Generator
from typing import Any, Protocol

import msgspec

from roadstead.engine.base import Dispatch
from roadstead.model.errors import RoadsteadError
from roadstead.model.ids import new_id
from roadstead.model.operations import Operation
from roadstead.model.states import OperationState, Status
from roadstead.model.verbs import VERBS, Verb
from roadstead.ops.subjects import KINDS, Columns, Subject
from roadstead.store import operations
from roadstead.store.db import Database, Tx, utcnow


class Asker(Protocol):
    """Whoever wants an operation."""

    @property
    def user_id(self) -> str: ...
    @property
    def request_id(self) -> str: ...


class Ourselves(msgspec.Struct, frozen=True, kw_only=True):
    """The service itself, perhaps for a user who asked for something else before."""

    user_id: str = ""
    request_id: str = ""


def fits(verb: str, status: str) -> bool:
    """Whether a resource in that status may be asked for it. One that the verb makes fits."""
    start = VERBS[verb].start
    return not start or status in start


def check(verb: str, subject: Subject) -> None:
    """The verb's refusal when the subject's status does not fit."""
    if not fits(verb, subject.status):
        raise _refusal(VERBS[verb], subject)


def _refusal(verb: Verb, subject: Subject) -> RoadsteadError:
    words = verb.words.format(
        id=subject.id,
        status=subject.status,
        start=" or ".join(sorted(verb.start)),
        verb=verb.name.partition(".")[2],
        type=verb.resource_type,
    )
    return verb.refusal(words)


def begin(
    tx: Tx,
    engine: Dispatch,
    verb: str,
    subject: Subject,
    *,
    by: Asker,
    columns: Columns | None = None,
    forced: bool = False,
    **payload: Any,
) -> Operation:
    """The operation is recorded and enqueued, and its resource has the status that the verb has
    while it runs, with these `columns` beside it. A resource that the verb makes was inserted so.

    The verb's refusal when the status does not fit, unless `forced`, or no agent looks after the
    resource; Conflict: it has an operation that has not ended.
    """
    row = VERBS[verb]
    if not (forced or fits(verb, subject.status)) or not subject.host:
        raise _refusal(row, subject)
    _move(tx, row, subject, columns or {})
    operation = Operation(
        id=new_id(),
        verb=verb,
        resource_id=subject.resource_id,
        project_id=subject.project_id,
        user_id=by.user_id,
        request_id=by.request_id,
        host=subject.host,
        state=OperationState.TODO,
        payload={**subject.payload, **payload},
        created_at=utcnow(),
    )
    operations.insert(tx, operation)
    engine.submit(tx, operation.id, subject.host)
    return operation


def _move(tx: Tx, verb: Verb, subject: Subject, columns: Columns) -> None:
    kind = KINDS[verb.resource_type]
    changed = dict(columns)
    if verb.start and isinstance(verb.via, Status):
        changed[kind.column] = verb.via
    if changed:
        kind.update(tx, subject.resource_id, **changed)


class Act:
    """A transaction in which operations may begin."""

    def __init__(self, tx: Tx, engine: Dispatch, by: Asker) -> None:
        self.tx = tx
        self._engine, self._by = engine, by
        self._begun: dict[str, list[str]] = {}

    def begin(
        self,
        verb: str,
        subject: Subject,
        *,
        columns: Columns | None = None,
        forced: bool = False,
        **payload: Any,
    ) -> Operation:
        """As `begin`; the agent is told after the commit."""
        made = begin(
            self.tx, self._engine, verb, subject,
            by=self._by, columns=columns, forced=forced, **payload,
        )  # fmt: skip
        self._begun.setdefault(made.host, []).append(made.id)
        return made

    def wake(self) -> None:
        """Every agent that has an operation from here looks now."""
        for host, operation_ids in self._begun.items():
            self._engine.wake(host, operation_ids)


@contextlib.contextmanager
def acting(
    db: Database,
    engine: Dispatch,
    by: Asker,
    *,
    lock: contextlib.AbstractContextManager[object] | None = None,
) -> Generator[Act]:
    """A write transaction; when it is committed, the agents of the operations that began in it
    are told. The lock is held from before it until it is committed."""
    with lock or contextlib.nullcontext(), db.write() as tx:
        act = Act(tx, engine, by)
        yield act
    act.wake()
