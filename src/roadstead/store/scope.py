"""Whose rows a query may see: tenancy cannot be forgotten.

Every function here that the service calls, for whoever asked, takes one of three:

- a Scope: it sees no row that the scope does not admit;
- the row, as a read in a scope gave it: it sees what belongs to that row, or changes it, so that
  nobody changes what he could not read;
- a `project_id`, where limits are counted or numbers given out: there is nothing else to see.

Agents look after everybody's rows. They read with `everyone()`, by their own host (`…_on`), or by
ids that their journal or the world gave them; they write what the journal names (`…_by_id`). The
service calls none of these. `tests/unit/store/test_scope.py` looks at each call, and names what
belongs to no project: pools, zones, processes, compute hosts, defaults of the quota.
"""

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
