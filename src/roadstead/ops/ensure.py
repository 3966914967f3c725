"""An administrator's wish that a backend's shares be looked at now, not at the next sweep."""

from collections.abc import Callable

from roadstead.store import services
from roadstead.store.db import Database


def ensure_if_asked(db: Database, host: str, sweep: Callable[[], object]) -> bool:
    """True when this agent was asked, and has swept; nobody asks any more then. Who asks while
    the sweep runs may be answered by it."""
    with db.read() as tx:
        asked = services.ensuring_on(tx, host)
    if not asked:
        return False
    sweep()
    with db.write() as tx:
        services.set_ensuring(tx, asked, False)
    return True
