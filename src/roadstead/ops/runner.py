"""Carry one operation out: effect first, journal second, so that a killed run is simply repeated.

The commit of the last step is also the one that sets the resource's status and ends the
operation. A permanent error turns round: what was done is undone, in reverse, by the same rules.
"""

import datetime
import threading
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog

from roadstead.model.errors import Awaiting, DriverError, RoadsteadError, Transient
from roadstead.model.ids import new_id
from roadstead.model.messages import KEPT, Message
from roadstead.model.operations import Operation
from roadstead.model.states import OperationState, Status
from roadstead.model.verbs import GOES, VERBS, Ending
from roadstead.ops import fault
from roadstead.ops.recipe import Elsewhere, Open, Recipe, Run, Step
from roadstead.ops.recipes import RECIPES
from roadstead.ops.server_state import place_of_instance
from roadstead.ops.subjects import KINDS, Columns
from roadstead.roads.backend import Backend
from roadstead.store import messages, operations
from roadstead.store import shares as share_store
from roadstead.store.db import Database, Tx, utcnow
from roadstead.store.scope import everyone

log = structlog.get_logger()

# A step that keeps failing is given up after this long; then the operation is undone.
GIVE_UP_AFTER = datetime.timedelta(seconds=60)
_BACKOFF = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
_AWAITING = 1.0  # what is awaited comes soon, and is a look at one row
# An undo that fails is tried this often; what it leaves goes when the resource is deleted.
_UNDO_TRIES = 5


class Runner:
    """`run` is what the engine dispatches to. Two runs of one operation never overlap: an
    operation belongs to one host, a host has one agent, and an agent runs an id once at a time.
    An id of another host's, from a nudge or a row of the queue, is left to its agent."""

    def __init__(
        self,
        db: Database,
        host: str,
        backends: Mapping[str, Backend],
        *,
        retry: Callable[[str, float], None] = lambda _id, _seconds: None,
        recipes: Mapping[str, Recipe] = RECIPES,
        give_up_after: datetime.timedelta = GIVE_UP_AFTER,
        openers: Mapping[str, Open] | None = None,
        keep_messages: datetime.timedelta = KEPT,
    ) -> None:
        """`backends` by `host@backend#pool`; `retry(id, seconds)` brings an operation back;
        `openers` by the verb's subject, for other subjects than shares and their rules;
        `keep_messages`: how long users can read what went wrong."""
        self._db, self._host = db, host
        self._backends = backends
        self.retry = retry
        self._recipes = recipes
        self._openers = openers or {}
        self._give_up_after = give_up_after
        self._keep_messages = keep_messages
        self._started_at = utcnow()
        self._running: set[str] = set()
        self._guard = threading.Lock()

    def is_running(self, operation_id: str) -> bool:
        return operation_id in self._running

    def run(self, operation_id: str) -> None:
        """The operation has ended, or `retry` was asked to bring it back. Nothing happens when it
        is running, finished, not due yet, or another host's."""
        with self._guard:
            if operation_id in self._running:
                return
            self._running.add(operation_id)
        try:
            self._run(operation_id)
        except Exception:
            # Our own bug or a lost database: nothing is lost, the sweep comes back to it.
            log.exception("operation run failed", operation=operation_id)
        finally:
            with self._guard:
                self._running.discard(operation_id)

    def _run(self, operation_id: str) -> None:
        with self._db.read() as tx:
            found = operations.find(tx, operation_id)
            if found is None or not found[0].live or found[0].host != self._host:
                return
            operation, done = found
        if operation.not_before is not None and operation.not_before > utcnow():
            self.retry(operation_id, (operation.not_before - utcnow()).total_seconds())
            return
        recipe = self._recipes.get(operation.verb)
        try:
            if recipe is None:
                raise Elsewhere(f"no recipe for {operation.verb}")
            run = self._openers.get(operation.resource_type, self._open)(operation)
        except Elsewhere as reason:
            log.error("operation cannot run here", operation=operation_id, reason=str(reason))
            return
        if run is None:
            # The share went first, and its rules with it: there is nothing left to do.
            with self._db.write() as tx:
                operations.update(tx, operation_id, state=OperationState.DONE)
            return
        if operation.state == OperationState.UNDOING:
            self._undo(run, recipe, done)
        else:
            self._forward(run, recipe, done)

    def _open(self, operation: Operation) -> Run | None:
        """Of a share or a rule."""
        with self._db.read() as tx:
            instance = share_store.find_instance(
                tx, everyone(), str(operation.payload["instance_id"])
            )
            place = place_of_instance(tx, instance) if instance else None
        if instance is None:
            return None
        backend = self._backends.get(instance.host)
        if backend is None:
            raise Elsewhere(f"no backend {instance.host}")
        backend = backend.serving(instance, place)
        return Run(operation=operation, db=self._db, backend=backend, instance=instance)

    def _forward(self, run: Any, recipe: Recipe, done: list[str]) -> None:
        for step in recipe.steps:
            if step.name in done:
                continue
            try:
                self._take(run, recipe, step, done)
            except Exception as error:
                self._stumbled(run, recipe, [*done, step.name], error)
                return
        if not done or set(done) >= {s.name for s in recipe.steps}:
            log.info(
                "operation done", verb=recipe.verb, operation=run.operation.id,
                resource=run.operation.resource_id,
            )  # fmt: skip

    def _take(self, run: Any, recipe: Recipe, step: Step, done: list[str]) -> None:
        fault.point(recipe.verb, step.name, "before")
        value = step.do(run)
        fault.point(recipe.verb, step.name, "effect")
        last = step is recipe.steps[-1]
        with self._db.write() as tx:
            step.record(run, tx, value)
            done.append(step.name)
            if last:
                _end(tx, run, VERBS[recipe.verb].done, recipe.done(run, tx))
            state = OperationState.DONE if last else OperationState.RUNNING
            operations.update(tx, run.operation.id, state=state, steps_done=done)
        fault.point(recipe.verb, step.name, "journal")

    def _stumbled(self, run: Any, recipe: Recipe, done: list[str], error: Exception) -> None:
        """A transient error comes back later; any other turns the operation round. `done` ends
        with the step that failed: it may be half done, so it is undone too."""
        op = run.operation
        if not isinstance(error, RoadsteadError):
            log.error("step broke", verb=op.verb, step=done[-1], operation=op.id, exc_info=error)
            error = Transient(f"unexpected {type(error).__name__} in step {done[-1]}")
        # While no agent lived, nothing was tried: that time does not count.
        since = max(op.created_at, self._started_at)
        patient = recipe.patient or isinstance(error, Awaiting)
        in_time = patient or utcnow() - since < self._give_up_after
        if isinstance(error, Transient) and in_time:
            limit = _AWAITING if isinstance(error, Awaiting) else _BACKOFF[-1]
            self._later(op, str(error), limit)
            return
        log.warning("operation fails", verb=op.verb, operation=op.id, error=str(error))
        detail_id = error.detail_id if isinstance(error, DriverError) else "001"
        turned: dict[str, Any] = {
            "state": OperationState.UNDOING,
            "error": str(error)[:2000],
            "detail_id": detail_id,
            "attempts": 0,
            "not_before": None,
        }
        with self._db.write() as tx:
            operations.update(tx, op.id, steps_done=done, **turned)
        undoing = msgspec.structs.replace(op, **turned)
        self._undo(msgspec.structs.replace(run, operation=undoing), recipe, done)

    def _later(self, op: Operation, why: str, limit: float = _BACKOFF[-1]) -> None:
        seconds = min(limit, _BACKOFF[min(op.attempts, len(_BACKOFF) - 1)])
        log.info("operation waits", verb=op.verb, operation=op.id, seconds=seconds, why=why)
        # While undoing, `error` keeps saying why it failed in the first place.
        error = op.error if op.state == OperationState.UNDOING else why[:2000]
        with self._db.write() as tx:
            operations.update(
                tx,
                op.id,
                attempts=op.attempts + 1,
                error=error,
                not_before=utcnow() + datetime.timedelta(seconds=seconds),
            )
        self.retry(op.id, seconds)

    def _undo(self, run: Any, recipe: Recipe, done: list[str]) -> None:
        op = run.operation
        for step in reversed([s for s in recipe.steps if s.name in done]):
            fault.point(recipe.verb, step.name, "undo-before")
            try:
                if step.undo is not None:
                    step.undo(run)
            except Exception as error:
                if op.attempts < _UNDO_TRIES:
                    self._later(op, f"undo of {step.name}: {error}")
                    return
                log.error("undo given up", operation=op.id, step=step.name, exc_info=error)
            fault.point(recipe.verb, step.name, "undo-effect")
            done.remove(step.name)
            with self._db.write() as tx:
                operations.update(tx, op.id, steps_done=done)
            fault.point(recipe.verb, step.name, "undo-journal")
        error = DriverError(op.error or "unknown error", detail_id=op.detail_id or "001")
        with self._db.write() as tx:
            _end(tx, run, VERBS[recipe.verb].failed, recipe.failed(run, tx, error))
            operations.update(tx, op.id, state=OperationState.FAILED)
            if op.payload.get("share_id"):
                messages.insert(tx, _message(op, error, self._keep_messages))


def _end(tx: Tx, run: Any, ending: Ending, columns: Columns) -> None:
    """The resource is as the verb's row says that the operation leaves it."""
    kind = KINDS[run.operation.resource_type]
    if ending is GOES:
        kind.delete(tx, run)
        return
    changed = {kind.column: ending, **columns} if isinstance(ending, Status) else columns
    if changed:
        kind.update(tx, run.operation.resource_id, **changed)


def _message(op: Operation, error: DriverError, keep: datetime.timedelta) -> Message:
    now = utcnow()
    return Message(
        id=new_id(),
        project_id=op.project_id,
        action_id=VERBS[op.verb].action_id,
        detail_id=error.detail_id,
        request_id=op.request_id,
        resource_type="SHARE",
        resource_id=str(op.payload["share_id"]),
        detail=str(error)[:2000],
        created_at=now,
        expires_at=now + keep,
    )
