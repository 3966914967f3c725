"""An administrator's wish that a backend's shares be looked at now, not at the next sweep."""

import threading
from collections.abc import Callable

from roadstead.store import services
from roadstead.store.db import Database


class Ensure:
    """Carries the wish out, whichever of the agent's threads hears of it."""

    def __init__(self, db: Database, host: str, sweep: Callable[[], object]) -> None:
        self._db, self._host, self._sweep = db, host, sweep
        # Two that have heard of one wish: the sweep of the second would end the next wish, too,
        # which may have come after it had looked.
        self._lock = threading.Lock()

    def if_asked(self) -> bool:
        """True when this agent was asked, and has swept; nobody asks any more then. Who asks while
        the sweep runs may be answered by it."""
        with self._lock:
            with self._db.read() as tx:
                asked = services.ensuring_on(tx, self._host)
            if not asked:
                return False
            self._sweep()
            with self._db.write() as tx:
                services.set_ensuring(tx, asked, False)
            return True
