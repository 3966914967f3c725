"""What a recipe is made of."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from roadstead.model.errors import RoadsteadError
from roadstead.model.operations import Operation
from roadstead.model.shares import ShareInstance
from roadstead.roads.backend import Backend
from roadstead.store.db import Database, Tx


class Run(msgspec.Struct, kw_only=True):
    """One operation being carried out; `instance` as it was when the run began."""

    operation: Operation
    db: Database
    backend: Backend
    instance: ShareInstance


def _no_record(_run: Run, _tx: Tx, _value: Any) -> None: ...


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """An effect, what its journal entry writes besides its name, and how it is taken back.

    `do` is idempotent: it runs again whenever the journal does not show it. The name is part of
    the journal on disk: names are added, never changed.
    """

    name: str
    do: Callable[[Run], Any]
    record: Callable[[Run, Tx, Any], None] = _no_record
    undo: Callable[[Run], None] | None = None


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """`done` and `failed` are part of the commit that ends the operation."""

    verb: str
    steps: tuple[Step, ...]
    done: Callable[[Run, Tx], None]
    failed: Callable[[Run, Tx, RoadsteadError], None]


Recipes = Mapping[str, Recipe]
