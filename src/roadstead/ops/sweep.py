"""The sweep is the guarantee: whatever was killed, lost or changed by hand converges.

At start and every minute: unfinished operations that nobody runs are run; each driver's inventory
is compared with the database; what is missing is repaired, what is ours but unknown is removed.
Bytes are set aside only if no row of any host names them and the journal knows their id, and
removed days later: a name that changed, a database that was lost or exchanged must never cost data
(`orphans`, docs/adr/0021).
"""

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

import structlog

from roadstead.model.access import AccessRule, canonical_target
from roadstead.model.drift import Drift
from roadstead.model.errors import InUse, RoadsteadError
from roadstead.model.shares import ShareInstance
from roadstead.model.states import ACCESS_IN_FORCE, ACCESS_PENDING, ShareStatus
from roadstead.model.verbs import SHARE_NOT_SERVED
from roadstead.model.world import Mark, Place
from roadstead.ops.mended import ensure_all, mended
from roadstead.ops.orphans import KEEP, Orphans
from roadstead.ops.runner import Runner
from roadstead.ops.strangers import GRACE, Clock
from roadstead.roads import direct
from roadstead.roads.backend import Backend
from roadstead.store import access, drift, operations
from roadstead.store import shares as share_store
from roadstead.store.db import Database, utcnow

log = structlog.get_logger()


class Sweep:
    def __init__(
        self,
        db: Database,
        host: str,
        backends: Mapping[str, Backend],
        runner: Runner,
        adopt: Callable[[str], None],
        *,
        grace: datetime.timedelta = GRACE,
        keep: datetime.timedelta = KEEP,
        clock: Clock = utcnow,
        places: Callable[[Backend], Mapping[str, Place]] = lambda _backend: {},
    ) -> None:
        """`backends` by `host@backend#pool`; `adopt(id)` has the engine run an operation;
        `grace`, `keep` and `clock` are for `Orphans`; `places(backend)` are those of its active
        share servers, by server id."""
        self._db, self._host, self._backends = db, host, backends
        self._runner, self._adopt = runner, adopt
        self._places = places
        self._orphans = {
            name: Orphans(db, host, backend, grace=grace, keep=keep, clock=clock)
            for name, backend in backends.items()
        }
        self._reported: set[tuple[str, str]] = set()

    def run(self) -> int:
        """How many differences were found."""
        self._resume()
        found = 0
        for name, backend in self._backends.items():
            try:
                found += self._compare(backend, self._orphans[name])
            except RoadsteadError as error:
                log.warning("sweep could not look", backend=backend.name, error=str(error))
        return found

    def _resume(self) -> None:
        with self._db.read() as tx:
            live = operations.live_on(tx, self._host)
        for operation in live:
            due = operation.not_before is None or operation.not_before <= utcnow()
            if due and not self._runner.is_running(operation.id):
                self._adopt(operation.id)

    def _compare(self, backend: Backend, orphans: Orphans) -> int:
        began = utcnow()
        with self._db.read() as tx:
            busy = set(operations.live_resources(tx, self._host))
        before, views = ensure_all(backend, self._views(backend))
        # The world first, the database second: a row is written before its effect and removed
        # after it, so what is found and has no row is not just being made.
        disks = _by_key(backend.pool.inventory())
        exports: dict[str, Mark] = {}
        at: dict[str, Backend] = {}
        for view in views.values():
            for mark in view.export.inventory(view.place):
                exports[mark.id], at[mark.id] = mark, view
        with self._db.read() as tx:
            rows = {
                i.id: i
                for i in share_store.instances_on(tx, self._host)
                if i.host == backend.pool_name
            }
            busy |= operations.live_resources(tx, self._host)
            touched = operations.touched_shares(tx, self._host, began)
        found = orphans.look(disks, exports, at, rows)
        still = {
            i: r for i, r in rows.items() if r.status not in SHARE_NOT_SERVED and i not in busy
        }
        # What a recipe has done half was not broken.
        untouched = {i for i, r in still.items() if r.share_id not in touched}
        for finding in mended(before, disks, exports, untouched):
            self._report(*finding)
            found += 1
        for instance in still.values():
            view = views.get(instance.share_server_id or "")
            if view is None:
                continue  # its export server is being made or removed, or does not start
            try:
                found += self._give_back(view, instance, disks)
                found += self._repair(view, instance, disks.get(("share", instance.id)), exports)
            except RoadsteadError as error:  # one that cannot be repaired keeps no other from it
                log.warning("sweep could not repair", id=instance.id, error=str(error))
        return found

    def _views(self, backend: Backend) -> dict[str, Backend]:
        """The backend at its own place (under "") and at each share server's."""
        found = {"": backend} if backend.exports_itself else {}
        found.update((key, backend.at(place)) for key, place in self._places(backend).items())
        return found

    def _give_back(
        self, backend: Backend, instance: ShareInstance, disks: dict[tuple[str, str], Mark]
    ) -> int:
        """Its bytes were set aside while it had no row: they are a share's again, in `disks`."""
        key, trash = ("share", instance.id), ("trash", instance.id)
        if key in disks or trash not in disks:
            return 0
        with backend.share_lock(instance.id):
            with self._db.read() as tx:
                busy = instance.id in operations.live_resources(tx, self._host)
            # Looked at again: without its bytes it would be made anew, and empty.
            if busy or trash not in _by_key(backend.pool.inventory()):
                return 0
            direct.ensure_bytes(backend, instance)
            disks.update(_by_key(m for m in backend.pool.inventory() if m.id == instance.id))
        self._report(Drift.MISSING, *key, "it was in the trash", "brought back")
        return 1

    def _repair(
        self,
        backend: Backend,
        instance: ShareInstance,
        disk: Mark | None,
        exports: Mapping[str, Mark],
    ) -> int:
        with backend.share_lock(instance.id):
            with self._db.read() as tx:
                if instance.id in operations.live_resources(tx, self._host):
                    return 0
                rules = access.in_share(tx, instance.share_id)
            if disk is None:
                self._lost(instance)
                return 1
            found = 0
            if disk.broken is not None:
                self._mount_again(backend, instance, rules)
                self._report(Drift.MISSING, "share", instance.id, disk.broken, "mounted again")
                found += 1
            export = exports.get(instance.id)
            if export is None or export.broken is not None:
                # The look may be older than the last change of a rule.
                export = _of(backend.export.inventory(backend.place), instance.id)
            if export is None or export.broken is not None or disk.broken is not None:
                direct.ensure_served(backend, instance)
                self._report(
                    Drift.MISSING, "export", instance.id,
                    (export and export.broken) or "not exported", "exported again",
                )  # fmt: skip
                found += 1
            wanted = {r.access_to: r.access_level for r in rules if r.state in ACCESS_IN_FORCE}
            pending = any(r.state in ACCESS_PENDING for r in rules)
            if not pending and self._differs(backend, instance, export, wanted):
                direct.ensure_admitted(backend, instance, rules)
                self._report(Drift.DIFFERS, "access", instance.id, "rules differ", "applied again")
                found += 1
            return found

    def _mount_again(
        self, backend: Backend, instance: ShareInstance, rules: Sequence[AccessRule]
    ) -> None:
        """The share's filesystem is whole. Our own export may keep it open (a read-only one is
        still served): then clients do without it for a moment."""
        try:
            direct.ensure_bytes(backend, instance)
        except InUse:
            direct.ensure_unserved(backend, instance)
            try:
                direct.ensure_bytes(backend, instance)
            finally:
                direct.ensure_served(backend, instance)
                direct.ensure_admitted(backend, instance, rules)

    def _differs(
        self, backend: Backend, instance: ShareInstance, seen: Mark | None, wanted: dict[str, str]
    ) -> bool:
        """Looks twice: the first look may be older than the last rule."""
        targets = {canonical_target("ip", to): level for to, level in wanted.items()}
        if _clients(seen) == targets:
            return False
        return _clients(_of(backend.export.inventory(backend.place), instance.id)) != targets

    def _lost(self, instance: ShareInstance) -> None:
        """Its bytes are gone: never made anew as an empty share."""
        key = ("share", instance.id)
        if key in self._reported:
            return
        with self._db.write() as tx:
            share_store.set_instance(tx, instance.id, status=ShareStatus.ERROR)
        self._reported.add(key)
        self._report(
            Drift.LOST, "share", instance.id, "its image is missing", "set to error", False
        )

    def _report(
        self, kind: Drift, what: str, resource_id: str, detail: str, action: str,
        repaired: bool = True,
    ) -> None:  # fmt: skip
        log.warning("drift", kind=kind, what=what, id=resource_id, detail=detail, action=action)
        with self._db.write() as tx:
            drift.insert(
                tx,
                host=self._host,
                kind=kind,
                resource_type=what,
                resource_id=resource_id,
                detail=detail,
                action=action,
                repaired=repaired,
            )


def _by_key(marks: Iterable[Mark]) -> dict[tuple[str, str], Mark]:
    return {(mark.kind, mark.id): mark for mark in marks}


def _of(marks: Iterable[Mark], instance_id: str) -> Mark | None:
    return next((mark for mark in marks if mark.id == instance_id), None)


def _clients(mark: Mark | None) -> dict[str, str]:
    """The rules in force of an export, by canonical target."""
    found = mark.facts.get("clients") if mark is not None else None
    if not isinstance(found, dict):
        return {}
    clients = cast(dict[str, str], found)
    return {canonical_target("ip", to): level for to, level in clients.items()}
