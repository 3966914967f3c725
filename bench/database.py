"""The SQLite database, watched from outside: waiting for a state costs the API nothing."""

import sqlite3
import time
from collections.abc import Sequence
from typing import Any

from tests.live.service import Roadstead
from tests.waiting import until

_LONGEST = 60.0
_INTERVAL = 0.002


class Watch:
    """Reads committed rows, until closed."""

    def __init__(self, roadstead: Roadstead) -> None:
        file = roadstead.state / "db/roadstead.sqlite"
        self._connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)

    def close(self) -> None:
        self._connection.close()

    def value(self, query: str, *values: object) -> object:
        """The first column of the first row; None without a row."""
        return next(iter(self.row(query, *values)), None)

    def row(self, query: str, *values: object) -> tuple[Any, ...]:
        """The first row; empty without one."""
        return self._connection.execute(query, values).fetchone() or ()

    def until(self, query: str, values: Sequence[object], wanted: object) -> float:
        """The moment at which the query first gave what is wanted. AssertionError if it never
        does; an error state ends the wait at once."""

        def look() -> bool:
            found = self.value(query, *values)
            assert found != "error", f"{query}: {found}, not {wanted}"
            return found == wanted

        until(look, f"{query} gives {wanted}", seconds=_LONGEST, pause=_INTERVAL)
        return time.monotonic()

    def share_available(self, share_id: str) -> float:
        """When the share was available."""
        query = "SELECT status FROM share_instances WHERE share_id = ?"
        return self.until(query, [share_id], "available")

    def rule_active(self, rule_id: str) -> float:
        """When the rule was in force."""
        return self.until("SELECT state FROM access_rules WHERE id = ?", [rule_id], "active")
