"""What exists for a while only: namespaces, daemons, machines, whole services."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack
from typing import Self


class Temporary(ABC):
    """Exists between enter and exit. One that cannot be made whole leaves nothing either."""

    _undo: ExitStack

    @abstractmethod
    def _make(self, undo: ExitStack) -> None:
        """It is there. Whatever takes a part of it away again is on `undo`, and has been from the
        moment on at which that part was there."""

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self._make(undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing of it is left. No error when nothing was."""
        if hasattr(self, "_undo"):
            self._undo.close()
