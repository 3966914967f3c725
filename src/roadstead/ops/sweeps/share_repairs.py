"""One share's bytes, export and rules are as its row says; its lost bytes are told."""

from collections.abc import Sequence
from typing import cast

from roadstead.model.access import AccessRule, canonical_target
from roadstead.model.drift import Drift
from roadstead.model.errors import InUse
from roadstead.model.shares import ShareInstance
from roadstead.model.states import ACCESS_IN_FORCE, ACCESS_PENDING, ShareStatus
from roadstead.model.world import Mark
from roadstead.ops.sweeps.findings import Find, Findings
from roadstead.ops.sweeps.looks import Key, by_key, find
from roadstead.roads import serving
from roadstead.roads.backend import Backend
from roadstead.store import access, operations
from roadstead.store import shares as share_store
from roadstead.store.db import Database
from roadstead.store.scope import everyone


class Repairs:
    """Of the sweep of this host's shares."""

    def __init__(self, db: Database, host: str, findings: Findings) -> None:
        self._db, self._host, self._findings = db, host, findings

    def give_back(self, backend: Backend, instance: ShareInstance, disks: dict[Key, Mark]) -> int:
        """Its bytes were set aside while it had no row: they are a share's again, in `disks`."""
        share, trash = ("share", instance.id), ("trash", instance.id)
        if share in disks or trash not in disks:
            return 0
        with backend.share_lock(instance.id):
            # Looked at again: without its bytes it would be made anew, and empty.
            if self._is_busy(instance) or trash not in by_key(backend.pool.inventory()):
                return 0
            serving.ensure_bytes(backend, instance)
            disks.update(by_key(m for m in backend.pool.inventory() if m.id == instance.id))
        return self._tell(Drift.MISSING, "share", instance, "it was in the trash", "brought back")

    def repair(
        self,
        backend: Backend,
        instance: ShareInstance,
        disk: Mark | None,
        export: Mark | None,
        rules: Sequence[AccessRule],
    ) -> int:
        """How much differed of what was seen; `rules` are those of a moment after it."""
        if _is_whole(disk) and _is_whole(export) and not _differ(export, rules):
            return 0
        with backend.share_lock(instance.id):
            if self._is_busy(instance):
                return 0
            # The look may be older than the share.
            disk = disk or by_key(backend.pool.inventory()).get(("share", instance.id))
            if disk is None:
                return self._lost(instance)
            with self._db.read() as tx:
                rules = access.in_share(tx, instance.share_id)
            found = self._ensure_mounted(backend, instance, disk, rules)
            if not _is_whole(export):
                # The look may be older than the last change of a rule.
                export = self._look_again(backend, instance)
            if found or not _is_whole(export):
                found += self._export_again(backend, instance, export)
            return found + self._ensure_admitted(backend, instance, export, rules)

    def _is_busy(self, instance: ShareInstance) -> bool:
        with self._db.read() as tx:
            return instance.id in operations.live_resources(tx, self._host)

    def _look_again(self, backend: Backend, instance: ShareInstance) -> Mark | None:
        return find(backend.export.inventory(backend.place), instance.id)

    def _ensure_mounted(
        self, backend: Backend, instance: ShareInstance, disk: Mark, rules: Sequence[AccessRule]
    ) -> int:
        if disk.broken is None:
            return 0
        self._mount_again(backend, instance, rules)
        return self._tell(Drift.MISSING, "share", instance, disk.broken, "mounted again")

    def _export_again(self, backend: Backend, instance: ShareInstance, seen: Mark | None) -> int:
        serving.ensure_served(backend, instance)
        why = (seen and seen.broken) or "not exported"
        return self._tell(Drift.MISSING, "export", instance, why, "exported again")

    def _ensure_admitted(
        self,
        backend: Backend,
        instance: ShareInstance,
        seen: Mark | None,
        rules: Sequence[AccessRule],
    ) -> int:
        """Looks twice: the first look may be older than the last rule."""
        if not _differ(seen, rules) or not _differ(self._look_again(backend, instance), rules):
            return 0
        serving.ensure_admitted(backend, instance, rules)
        return self._tell(Drift.DIFFERS, "access", instance, "rules differ", "applied again")

    def _mount_again(
        self, backend: Backend, instance: ShareInstance, rules: Sequence[AccessRule]
    ) -> None:
        """The share's filesystem is whole. Our own export may keep it open (a read-only one is
        still served): then clients do without it for a moment."""
        try:
            serving.ensure_bytes(backend, instance)
        except InUse:
            serving.ensure_unserved(backend, instance)
            try:
                serving.ensure_bytes(backend, instance)
            finally:
                serving.ensure_served(backend, instance)
                serving.ensure_admitted(backend, instance, rules)

    def _lost(self, instance: ShareInstance) -> int:
        """Its bytes are gone: never made anew as an empty share."""
        lost = Find(
            Drift.LOST, "share", instance.id, "its image is missing", "set to error", repaired=False
        )
        if self._findings.is_new(lost):
            with self._db.write() as tx:
                now = share_store.find_instance(tx, everyone(), instance.id)
                if now is None or now.status != instance.status:
                    return 0  # somebody has begun something with it
                share_store.set_instance(tx, instance, status=ShareStatus.ERROR)
            self._findings.tell_once(lost)
        return 1

    def _tell(self, kind: Drift, what: str, instance: ShareInstance, why: str, done: str) -> int:
        return self._findings.tell(Find(kind, what, instance.id, why, done))


def _is_whole(mark: Mark | None) -> bool:
    return mark is not None and mark.broken is None


def _differ(export: Mark | None, rules: Sequence[AccessRule]) -> bool:
    """It admits others than the rules do, and nobody is changing them."""
    if any(rule.state in ACCESS_PENDING for rule in rules):
        return False
    wanted = {r.access_to: r.access_level for r in rules if r.state in ACCESS_IN_FORCE}
    return _clients(export) != _by_target(wanted)


def _clients(export: Mark | None) -> dict[str, str]:
    """The rules in force of an export, by canonical target."""
    found = export.facts.get("clients") if export is not None else None
    return _by_target(cast(dict[str, str], found)) if isinstance(found, dict) else {}


def _by_target(levels: dict[str, str]) -> dict[str, str]:
    return {canonical_target("ip", to): level for to, level in levels.items()}
