"""How a sweep tells what it found, and how it is kept from stopping at the first that fails."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType

import msgspec
import structlog

from roadstead.model.drift import Drift
from roadstead.model.errors import RoadsteadError
from roadstead.model.world import Mark
from roadstead.store import drift
from roadstead.store.db import Database

log = structlog.get_logger()


class Find(msgspec.Struct, frozen=True):
    """A difference, and what was done about it."""

    kind: Drift
    what: str  # the type of the resource, or the kind of the mark
    id: str
    detail: str
    action: str
    repaired: bool = True


class Findings:
    """What one sweep has told on its host."""

    def __init__(self, db: Database, host: str) -> None:
        self._db, self._host = db, host
        self._told: set[tuple[Drift, str, str]] = set()

    def tell(self, find: Find) -> int:
        """It is in the log and in `roadstead drift`; 1, to be counted."""
        log.warning("drift", **msgspec.structs.asdict(find))
        with self._db.write() as tx:
            drift.insert(
                tx,
                host=self._host,
                kind=find.kind,
                resource_type=find.what,
                resource_id=find.id,
                detail=find.detail,
                action=find.action,
                repaired=find.repaired,
            )
        return 1

    def tell_once(self, find: Find) -> None:
        """Told, unless this process has told it before: for what stays as it is."""
        if self.is_new(find):
            self._told.add(_key(find))
            self.tell(find)

    def is_new(self, find: Find) -> bool:
        """`tell_once` was not called for it."""
        return _key(find) not in self._told

    def remove(
        self,
        mark: Mark,
        how: Callable[[], bool],
        detail: str,
        action: str = "removed",
        *,
        what: str | None = None,
    ) -> int:
        """1, told as leaked, when `how` took it away. 0 when `how` says that it is not to go after
        all; and when it cannot go: it stays, with a warning, and keeps nothing else from going."""
        with guarded("leftover stays", kind=mark.kind, id=mark.id):
            if how():
                return self.tell(Find(Drift.LEAKED, what or mark.kind, mark.id, detail, action))
        return 0


def guarded(failed: str, **who: str) -> "_Guard":
    """What goes wrong inside ends there, logged as `failed`; with its traceback when it is none of
    our errors, as of a driver that has a fault."""
    return _Guard(failed, who)


class _Guard(AbstractContextManager[None, bool]):
    def __init__(self, failed: str, who: Mapping[str, str]) -> None:
        self._failed, self._who = failed, who

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, RoadsteadError):
            log.warning(self._failed, **self._who, error=str(error))
        elif isinstance(error, Exception):
            log.error(self._failed, **self._who, exc_info=error)
        return isinstance(error, Exception)


def _key(find: Find) -> tuple[Drift, str, str]:
    return find.kind, find.what, find.id
