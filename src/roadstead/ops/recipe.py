"""What a recipe is made of."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from roadstead.model.errors import RoadsteadError
from roadstead.model.operations import Operation
from roadstead.model.shares import ShareInstance
from roadstead.ops.subjects import Columns
from roadstead.roads.backend import Backend
from roadstead.store.db import Database, Tx


class Run(msgspec.Struct, kw_only=True):
    """One operation being carried out; `instance` as it was when the run began."""

    operation: Operation
    db: Database
    backend: Backend
    instance: ShareInstance


class Elsewhere(Exception):
    """This agent has not what the operation needs (a backend was taken out of its config)."""


# The run of an operation, of the kind its recipe's steps take; None when the resource is gone and
# there is nothing left to do. Raises Elsewhere.
Open = Callable[[Operation], Any]


def _no_record(_run: Any, _tx: Tx, _value: Any) -> None: ...


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """An effect, what its journal entry writes besides its name, and how it is taken back.

    `do` is idempotent: it runs again whenever the journal does not show it. The name is part of
    the journal on disk: names are added, never changed.
    """

    name: str
    do: Callable[[Any], Any]
    record: Callable[[Any, Tx, Any], None] = _no_record
    undo: Callable[[Any], None] | None = None


def _only_done(_run: Any, _tx: Tx) -> Columns:
    return {}


def _only_failed(_run: Any, _tx: Tx, _error: RoadsteadError) -> Columns:
    return {}


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """The commit that ends the operation sets the status that the verb's row says. `done` and
    `failed` are part of it, just before, for what is more than that: what else changes with it in
    the database, and the columns to be written beside the status. Where the verb's row has
    several, the recipe says which, in these columns or in what its last step records.

    All functions take the kind of run that the verb's subject opens: a `Run` for shares and their
    rules."""

    verb: str
    steps: tuple[Step, ...]
    done: Callable[[Any, Tx], Columns] = _only_done
    failed: Callable[[Any, Tx, RoadsteadError], Columns] = _only_failed
    # Waits for as long as it takes: for what only a user can end, such as a guest's mount.
    patient: bool = False


Recipes = Mapping[str, Recipe]
