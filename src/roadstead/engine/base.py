"""The port between those who submit operations and the agent that runs them."""

from collections.abc import Callable, Sequence
from typing import Protocol

from roadstead.store.db import Tx

# Runs one operation to its end, or until it has to wait; never raises for the operation's own
# failures. The id is all it needs.
RunOperation = Callable[[str], None]


class Dispatch(Protocol):
    """Who sees to it that operations that were begun are run."""

    def submit(self, tx: Tx, operation_id: str, host: str) -> None:
        """Part of the caller's transaction: committed with it, or not at all."""
        ...

    def wake(self, host: str, operation_ids: Sequence[str]) -> None:
        """After the commit: the agent looks at these now, not at its next poll. Only a hint."""
        ...


class Engine(Dispatch, Protocol):
    def nudge(self, host: str) -> None:
        """After the commit: there is something else than an operation that the agent should look
        for now. Only a hint."""
        ...


class OwnHost:
    """For operations that an agent begins for itself: it need not queue them, the sweep finds in
    the journal what was not run. `adopt(id)` has its worker run one."""

    def __init__(self, adopt: Callable[[str], None]) -> None:
        self._adopt = adopt

    def submit(self, tx: Tx, operation_id: str, host: str) -> None: ...

    def wake(self, host: str, operation_ids: Sequence[str]) -> None:
        for operation_id in operation_ids:
            self._adopt(operation_id)


class Worker(Protocol):
    """The agent's side."""

    def start(self, run: RunOperation, nudged: Callable[[], object]) -> None:
        """Operations submitted for this host are run from now on, and `nudged` is called for
        every nudge; both in threads of the worker."""
        ...

    def adopt(self, operation_id: str) -> None:
        """Run it if nobody does: for what the sweep finds unfinished."""
        ...

    def stop(self) -> None:
        """No new operation starts; running ones are given a moment to end."""
        ...
