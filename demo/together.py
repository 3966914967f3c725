"""Several context managers entered at once, each in a thread of its own."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from demo.scene import Act


def enter_together(
    act: Act, stack: ExitStack, managers: Mapping[str, AbstractContextManager[Any]]
) -> None:
    """All are entered, or the first error is raised. Those that were entered are left when the
    stack closes, last named first, whatever happened meanwhile; keys are what the screen says."""
    pool = ThreadPoolExecutor(len(managers))
    entered: dict[str, Future[None]] = {}

    def leave() -> None:
        # One that is still being entered is waited for: half of it cannot be undone.
        pool.shutdown(wait=True)
        with ExitStack() as undo:
            for name, manager in managers.items():
                if name in entered and entered[name].exception() is None:
                    undo.push(manager.__exit__)

    stack.callback(leave)
    for name, manager in managers.items():
        entered[name] = pool.submit(_enter, act, name, manager)
    for future in as_completed(entered.values()):
        future.result()


def _enter(act: Act, name: str, manager: AbstractContextManager[Any]) -> None:
    with act.step(name):
        manager.__enter__()
