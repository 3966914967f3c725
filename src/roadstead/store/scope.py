"""Whose rows a query may see. Every store function takes one: tenancy cannot be forgotten."""

from typing import Any

import msgspec
import sqlalchemy as sa


class Scope(msgspec.Struct, frozen=True):
    """One project's rows, or everyone's. Make the latter only through `everyone()`."""

    project_id: str | None

    def admits(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        """The WHERE clause for a project column."""
        return sa.true() if self.project_id is None else column == self.project_id


def project(project_id: str) -> Scope:
    """Only this project's rows."""
    return Scope(project_id)


def everyone() -> Scope:
    """Every project's rows: for the agent, and for a caller whose policy check passed."""
    return Scope(None)
