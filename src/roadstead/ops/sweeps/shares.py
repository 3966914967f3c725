"""Shares, with their exports and rules, are as the database says, and the guarantee that goes with
it: whatever was killed, lost or changed by hand converges.

At start and every minute: unfinished operations that nobody runs are run; each backend's inventory
is compared with the database; what is missing is repaired, what is ours but unknown is removed.
Bytes are set aside only if no row of any host names them and the journal knows their id, and
removed days later: a name that changed, a database that was lost or exchanged must never cost data
(`orphans`, docs/adr/0021).
"""

import datetime
from collections.abc import Callable, Mapping

import msgspec

from roadstead.model.access import AccessRule
from roadstead.model.shares import ShareInstance
from roadstead.model.verbs import SHARE_NOT_SERVED
from roadstead.model.world import Mark, Place
from roadstead.ops.runner import Runner
from roadstead.ops.sweeps.findings import Findings, guarded
from roadstead.ops.sweeps.looks import Key, by_key
from roadstead.ops.sweeps.mended import ensure_all, mended
from roadstead.ops.sweeps.orphans import KEEP, Orphans
from roadstead.ops.sweeps.share_repairs import Repairs
from roadstead.ops.sweeps.strangers import GRACE, Clock
from roadstead.roads.backend import Backend
from roadstead.store import access, operations
from roadstead.store import shares as share_store
from roadstead.store.db import Database, utcnow


class _World(msgspec.Struct):
    """What was seen of a backend."""

    disks: dict[Key, Mark]
    exports: dict[str, Mark] = {}
    at: dict[str, Backend] = {}  # where each export is
    views: dict[str, Backend] = {}  # those of which the exports were seen


class _Rows(msgspec.Struct):
    """What the database has of a backend, read after the world was seen."""

    instances: dict[str, ShareInstance]
    rules: dict[str, list[AccessRule]]  # by share
    busy: set[str]
    touched: set[str]  # shares that changed since the look began


class ShareSweep:
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
        self._findings = Findings(db, host)
        self._repairs = Repairs(db, host, self._findings)

    def run(self) -> int:
        """How many differences were found."""
        self._resume()
        found = 0
        for name, backend in self._backends.items():
            with guarded("sweep could not look", backend=backend.name):
                found += self._compare(backend, self._orphans[name])
        return found

    def _resume(self) -> None:
        with self._db.read() as tx:
            live = operations.live_on(tx, self._host)
        for operation in live:
            due = operation.not_before is None or operation.not_before <= utcnow()
            if due and not self._runner.is_running(operation.id):
                with guarded("operation not resumed", id=operation.id):
                    self._adopt(operation.id)

    def _compare(self, backend: Backend, orphans: Orphans) -> int:
        began = utcnow()
        busy = self._busy()
        before, views = ensure_all(backend, self._views(backend))
        world = _look(backend, views)
        rows = self._rows(backend, began, busy)
        # Of what a gateway serves that was not looked at its filer may export anything.
        whole = len(world.views) == len(views)
        found = orphans.look(world.disks, world.exports, world.at, rows.instances, whole=whole)
        still = {
            i: r
            for i, r in rows.instances.items()
            if r.status not in SHARE_NOT_SERVED and i not in rows.busy
        }
        # What a recipe has done half was not broken.
        untouched = {i for i, r in still.items() if r.share_id not in rows.touched}
        for find in mended(before, world.disks, world.exports, untouched):
            found += self._findings.tell(find)
        return found + sum(self._repair(world, rows, instance) for instance in still.values())

    def _busy(self) -> set[str]:
        with self._db.read() as tx:
            return operations.live_resources(tx, self._host)

    def _rows(self, backend: Backend, began: datetime.datetime, busy: set[str]) -> _Rows:
        with self._db.read() as tx:
            return _Rows(
                instances={
                    i.id: i
                    for i in share_store.instances_on(tx, self._host)
                    if i.host == backend.pool_name
                },
                rules=access.in_shares_of_pool(tx, backend.pool_name),
                busy=busy | operations.live_resources(tx, self._host),
                touched=operations.touched_shares(tx, self._host, began),
            )

    def _views(self, backend: Backend) -> dict[str, Backend]:
        """The backend at its own place (under "") and at each share server's."""
        return backend.views(self._places(backend))

    def _repair(self, world: _World, rows: _Rows, instance: ShareInstance) -> int:
        view = world.views.get(instance.share_server_id or "")
        if view is None:
            return 0  # its export server is being made or removed, or does not start
        found = 0
        with guarded("sweep could not repair", id=instance.id):
            found += self._repairs.give_back(view, instance, world.disks)
            found += self._repairs.repair(
                view,
                instance,
                world.disks.get(("share", instance.id)),
                world.exports.get(instance.id),
                rows.rules.get(instance.share_id, []),
            )
        return found


def _look(backend: Backend, views: Mapping[str, Backend]) -> _World:
    """The pool and all export servers. One that cannot be looked at keeps no other from it."""
    world = _World(by_key(backend.pool.inventory()))
    for server, view in views.items():
        with guarded("exports not looked at", place=view.place.id):
            marks = list(view.export.inventory(view.place))
            world.exports.update((mark.id, mark) for mark in marks)
            world.at.update((mark.id, view) for mark in marks)
            world.views[server] = view
    return world
