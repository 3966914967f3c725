"""Operations run in the caller's own thread, right after its commit: for tests."""

from roadstead.engine.base import RunOperation
from roadstead.store.db import Tx


class InlineEngine:
    """Both sides of the port in one object. Without `start`, operations only pile up."""

    def __init__(self) -> None:
        self.pending: list[str] = []
        self._run: RunOperation | None = None

    def start(self, run: RunOperation) -> None:
        self._run = run

    def submit(self, tx: Tx, operation_id: str, host: str) -> None:
        self.pending.append(operation_id)

    def wake(self, host: str) -> None:
        while self._run is not None and self.pending:
            self._run(self.pending.pop(0))

    def adopt(self, operation_id: str) -> None:
        self.pending.append(operation_id)
        self.wake("")

    def stop(self) -> None:
        self._run = None
