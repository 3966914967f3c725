"""Shares and exports of one backend that have no row in it.

Exports are withdrawn. Bytes are set aside, and only what has been in the trash for days is removed
for good; meanwhile a row that turns up again has its share back (the sweep of shares asks for it).
"""

import datetime
from collections.abc import Callable, Collection, Mapping
from functools import partial

from roadstead.drivers.base.filer import FilerTree
from roadstead.model.drift import Drift
from roadstead.model.world import ExportRef, Mark
from roadstead.ops.sweeps.findings import Find, Findings, guarded
from roadstead.ops.sweeps.looks import Key
from roadstead.ops.sweeps.strangers import Clock, Strangers
from roadstead.roads.backend import Backend
from roadstead.store import ownership
from roadstead.store import shares as share_store
from roadstead.store.db import Database, utcnow
from roadstead.store.scope import everyone

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
        self._db, self._backend = db, backend
        self._keep, self._clock = keep, clock
        self._findings = findings = Findings(db, host)
        self._strangers = Strangers(findings, grace=grace, clock=clock)
        self._on_filer = Strangers(findings, grace=grace, clock=clock)
        self._old = Strangers(findings, grace=grace, clock=clock)  # in the trash, for long enough

    def look(
        self,
        disks: Mapping[Key, Mark],
        exports: Mapping[str, Mark],
        at: Mapping[str, Backend],
        known: Collection[str],
        *,
        whole: bool = True,
    ) -> int:
        """How much is there that none of the `known` instances of this backend is. `exports` by
        instance, all of them when `whole`; `at`: where each of them is."""
        unknown = [m for m in exports.values() if m.id not in known]  # before their bytes
        unknown += [m for m in disks.values() if m.kind == "share" and m.id not in known]
        owners, heard_of = self._asked({m.id for m in unknown})

        def ours(mark: Mark) -> bool:
            # A gateway's addresses are given out again: its exports never stay behind.
            passed_on = mark.kind == "export" and self._backend.servers.passes_on
            return passed_on or mark.id in heard_of

        for mark in self._strangers.removable(unknown, owners, ours):
            if mark.kind == "share":
                self._set_aside(mark)
            else:
                self._withdraw(at.get(mark.id, self._backend), mark)
        kept = [m for m in disks.values() if m.kind == "trash" and m.id not in known]
        return len(unknown) + self._empty_trash(kept) + (self._forgotten(exports) if whole else 0)

    def _asked(self, ids: set[str]) -> tuple[dict[str, str], set[str]]:
        """(whose these instances are, which of the others the journal knows)."""
        if not ids:
            return {}, set()
        with self._db.read() as tx:
            owners = ownership.instances(tx, ids)
            return owners, ownership.journalled(tx, ids - owners.keys())

    def _withdraw(self, backend: Backend, mark: Mark) -> None:
        export_id = mark.facts.get("export_id")
        ref = ExportRef(
            instance_id=mark.id,
            export_id=export_id if isinstance(export_id, int) else 0,
            place=backend.place,
        )
        how = partial(backend.export.ensure_export_absent, ref)
        self._remove(mark, how, "not in the database", "removed")

    def _set_aside(self, mark: Mark) -> None:
        with guarded("leftover stays", kind=mark.kind, id=mark.id):
            with self._backend.share_lock(mark.id):
                has_row = self._has_row(mark.id)
                kept = None if has_row else self._backend.pool.ensure_share_aside(mark.id)
            if kept is not None:
                where, until = kept.facts.get("path"), self._clock() + self._keep
                detail = f"not in the database; kept as {where}"
                action = f"in the trash until {until:%F %R}"
                self._findings.tell(Find(Drift.LEAKED, mark.kind, mark.id, detail, action))

    def _empty_trash(self, marks: Collection[Mark]) -> int:
        """Removed for good: what was set aside long enough ago, and is what the journal knows and
        no row."""
        old = [mark for mark in marks if self._is_old(mark)]
        owners, heard_of = self._asked({mark.id for mark in old})
        gone = self._old.removable(old, owners, lambda mark: mark.id in heard_of)
        for mark in gone:
            how = partial(self._backend.pool.ensure_trash_absent, mark.id)
            self._remove(mark, how, f"in the trash for {self._keep.days} days", "removed for good")
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
        gone: list[Mark] = []
        with guarded("the filer's exports not looked at", backend=self._backend.name):
            unknown = [mark for mark in pool.exported() if mark.id not in exports]
            owned, _ = self._asked({mark.id for mark in unknown})
            unknown = [mark for mark in unknown if mark.id not in owned]
            gone = self._on_filer.removable(unknown, _NOTHING)
            for mark in gone:
                how = partial(pool.ensure_unexported, mark.id)
                self._remove(mark, how, "the filer exported it", "removed")
        return len(gone)

    def _remove(self, mark: Mark, how: Callable[[], object], detail: str, action: str) -> None:
        """Done in the share's lock, unless it has a row by now."""

        def unless_it_has_a_row() -> bool:
            with self._backend.share_lock(mark.id):
                if self._has_row(mark.id):
                    return False
                how()
                return True

        self._findings.remove(mark, unless_it_has_a_row, detail, action)

    def _has_row(self, instance_id: str) -> bool:
        with self._db.read() as tx:
            return share_store.find_instance(tx, everyone(), instance_id) is not None
