"""One lock per id, made when asked for and forgotten when free."""

import contextlib
import threading
from collections.abc import Generator


class IdLocks:
    """Whoever works on an id keeps others of this process away from it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held: dict[str, tuple[threading.Lock, int]] = {}

    @contextlib.contextmanager
    def held(self, id_: str) -> Generator[None]:
        """During the block nobody else holds this id."""
        with self._guard:
            lock, users = self._held.get(id_, (threading.Lock(), 0))
            self._held[id_] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, users = self._held.pop(id_)
                if users > 1:
                    self._held[id_] = (lock, users - 1)
