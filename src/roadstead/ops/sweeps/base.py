"""What a sweep is."""

from typing import Protocol


class Sweep(Protocol):
    """Makes one kind of thing on this host equal to the database, again and again.

    Each in the same order: the inventory (the world first), the rows (the database second), what
    has no row (`strangers`, docs/adr/0021), what is to be repaired. What fails is logged, and keeps
    nothing else from being looked at or mended (`findings.guarded`).
    """

    def run(self) -> int:
        """How many differences were found or mended. Raises when there is no database to compare
        with, and then has changed nothing."""
        ...
