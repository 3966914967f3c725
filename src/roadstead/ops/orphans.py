"""Shares and exports of one backend that have no row in it.

Exports are withdrawn. Bytes are set aside, and only what has been in the trash for days is removed
for good; meanwhile a row that turns up again has its share back (the sweep of shares asks for it).
"""

import datetime
from collections.abc import Collection, Mapping

import structlog

from roadstead.drivers.base.filer import FilerTree
from roadstead.model.drift import Drift
from roadstead.model.errors import RoadsteadError
from roadstead.model.world import ExportRef, Mark
from roadstead.ops.strangers import Clock, Strangers
from roadstead.roads.backend import Backend
from roadstead.store import drift, ownership
from roadstead.store import shares as share_store
from roadstead.store.db import Database, utcnow

log = structlog.get_logger()

KEEP = datetime.timedelta(days=7)
_NOTHING: Mapping[str, str] = {}


class Orphans:
    """`grace`: how long something is unknown before anything is done about it; `keep`: how long
    bytes stay in the trash."""

    def __init__(
        self,
        db: Database,
        host: str,
        backend: Backend,
        *,
        grace: datetime.timedelta,
        keep: datetime.timedelta = KEEP,
        clock: Clock = utcnow,
    ) -> None:
        self._db, self._host, self._backend = db, host, backend
        self._keep, self._clock = keep, clock
        self._strangers = Strangers(db, host, grace=grace, clock=clock)
        self._on_filer = Strangers(db, host, grace=grace, clock=clock)
        self._old = Strangers(db, host, grace=grace, clock=clock)  # in the trash, for long enough

    def look(
        self,
        disks: Mapping[tuple[str, str], Mark],
        exports: Mapping[str, Mark],
        at: Mapping[str, Backend],
        known: Collection[str],
    ) -> int:
        """How much is there that none of the `known` instances of this backend is. `exports` by
        instance; `at`: where each of them is."""
        unknown = [m for m in exports.values() if m.id not in known]  # before their bytes
        unknown += [m for m in disks.values() if m.kind == "share" and m.id not in known]
        owners, heard_of = self._asked({m.id for m in unknown})

        def ours(mark: Mark) -> bool:
            # A gateway's addresses are given out again: its exports never stay behind.
            passed_on = mark.kind == "export" and self._backend.is_gateway
            return passed_on or mark.id in heard_of

        for mark in self._strangers.removable(unknown, owners, ours):
            where = at.get(mark.id, self._backend) if mark.kind == "export" else self._backend
            self._guarded(where, mark)
        kept = [m for m in disks.values() if m.kind == "trash" and m.id not in known]
        return len(unknown) + self._empty_trash(kept) + self._forgotten(exports)

    def _asked(self, ids: set[str]) -> tuple[dict[str, str], set[str]]:
        """(whose these instances are, which of the others the journal knows)."""
        if not ids:
            return {}, set()
        with self._db.read() as tx:
            owners = ownership.instances(tx, ids)
            return owners, ownership.journalled(tx, ids - owners.keys())

    def _guarded(self, backend: Backend, mark: Mark) -> None:
        try:
            self._remove(backend, mark)
        except RoadsteadError as error:  # one that cannot go keeps nothing else from it
            log.warning("leftover stays", kind=mark.kind, id=mark.id, error=str(error))

    def _remove(self, backend: Backend, mark: Mark) -> None:
        with backend.share_lock(mark.id):
            if self._has_row(mark.id):
                return
            if mark.kind == "share":
                self._set_aside(backend, mark)
                return
            export_id = mark.facts.get("export_id")
            backend.export.ensure_export_absent(
                ExportRef(
                    instance_id=mark.id,
                    export_id=export_id if isinstance(export_id, int) else 0,
                    place=backend.place,
                )
            )
        self._report(mark, "not in the database", "removed")

    def _set_aside(self, backend: Backend, mark: Mark) -> None:
        kept = backend.pool.ensure_share_aside(mark.id)
        if kept is not None:
            where, until = kept.facts.get("path"), self._clock() + self._keep
            self._report(
                mark, f"not in the database; kept as {where}", f"in the trash until {until:%F %R}"
            )

    def _empty_trash(self, marks: Collection[Mark]) -> int:
        """Removed for good: what was set aside long enough ago, and is what the journal knows and
        no row."""
        old = [mark for mark in marks if self._is_old(mark)]
        owners, heard_of = self._asked({mark.id for mark in old})
        gone = self._old.removable(old, owners, lambda mark: mark.id in heard_of)
        for mark in gone:
            try:
                with self._backend.share_lock(mark.id):
                    if not self._has_row(mark.id):
                        self._backend.pool.ensure_trash_absent(mark.id)
            except RoadsteadError as error:
                log.warning("trash stays", id=mark.id, error=str(error))
            else:
                self._report(mark, f"in the trash for {self._keep.days} days", "removed for good")
        return len(gone)

    def _is_old(self, mark: Mark) -> bool:
        """One of which nobody knows since when it is there stays."""
        since = mark.facts.get("since")
        if not isinstance(since, float):
            return False
        then = datetime.datetime.fromtimestamp(since, datetime.UTC).replace(tzinfo=None)
        return self._clock() - then >= self._keep

    def _forgotten(self, exports: Mapping[str, Mark]) -> int:
        """What a filer exports to addresses of gateways although neither a gateway nor a row knows
        of it, as after an old database: the addresses may be another tenant's soon."""
        pool = self._backend.pool
        if not isinstance(pool, FilerTree):
            return 0
        try:
            unknown = [mark for mark in pool.exported() if mark.id not in exports]
        except RoadsteadError as error:  # a filer that is away keeps nothing else from being mended
            log.warning(
                "the filer's exports not looked at", backend=self._backend.name, error=str(error)
            )
            return 0
        with self._db.read() as tx:
            owned = ownership.instances(tx, {mark.id for mark in unknown})
        unknown = [mark for mark in unknown if mark.id not in owned]
        gone = self._on_filer.removable(unknown, _NOTHING)
        for mark in gone:
            try:
                with self._backend.share_lock(mark.id):
                    if not self._has_row(mark.id):
                        pool.ensure_unexported(mark.id)
            except RoadsteadError as error:
                log.warning("the filer exports it still", id=mark.id, error=str(error))
            else:
                self._report(mark, "the filer exported it", "removed")
        return len(gone)

    def _has_row(self, instance_id: str) -> bool:
        with self._db.read() as tx:
            return share_store.find_instance(tx, instance_id) is not None

    def _report(self, mark: Mark, detail: str, action: str) -> None:
        log.warning("drift", kind=Drift.LEAKED, what=mark.kind, id=mark.id, action=action)
        with self._db.write() as tx:
            drift.insert(
                tx,
                host=self._host,
                kind=Drift.LEAKED,
                resource_type=mark.kind,
                resource_id=mark.id,
                detail=detail,
                action=action,
                repaired=True,
            )
