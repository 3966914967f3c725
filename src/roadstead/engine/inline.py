"""Operations run in the caller's own thread, right after its commit: for tests."""

from collections.abc import Callable, Sequence

from roadstead.engine.base import RunOperation
from roadstead.store.db import Tx


class InlineEngine:
    """Both sides of the port in one object. Without `start`, operations only pile up."""

    def __init__(self) -> None:
        self.pending: list[str] = []
        self._run: RunOperation | None = None
        self._nudged: Callable[[], object] | None = None

    def start(self, run: RunOperation, nudged: Callable[[], object] | None = None) -> None:
        self._run, self._nudged = run, nudged

    def submit(self, tx: Tx, operation_id: str, host: str) -> None: ...

    def wake(self, host: str, operation_ids: Sequence[str] = ()) -> None:
        self.pending += operation_ids
        while self._run is not None and self.pending:
            self._run(self.pending.pop(0))

    def nudge(self, host: str) -> None:
        if self._nudged is not None:
            self._nudged()

    def adopt(self, operation_id: str) -> None:
        self.wake("", [operation_id])

    def stop(self) -> None:
        self._run = self._nudged = None
