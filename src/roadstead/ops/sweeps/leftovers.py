"""Devices, daemons, binds and mounts on a compute host that no attachment of this host needs.

A row of another host that lives has them no more: the VM has migrated, and they go at once. A row
of a host that does not report may be this machine's, under a name it had: they are left alone. So
is what a running VM uses although the database never heard of it; the rest holds nothing, and is
made again by the right database.
"""

import datetime
from collections.abc import Iterable, Mapping
from functools import partial
from typing import cast

from roadstead.model.attachments import Attachment
from roadstead.model.hosts import DeviceRef, GuestFacts
from roadstead.model.world import Mark
from roadstead.ops.sweeps.findings import Findings
from roadstead.ops.sweeps.moves import Moves
from roadstead.ops.sweeps.strangers import Strangers
from roadstead.roads.hypervisor import Compute
from roadstead.store import ownership, vms
from roadstead.store import shares as share_store
from roadstead.store.db import Database, Tx, utcnow

_ALIVE = datetime.timedelta(seconds=60)
_NOTHING: Mapping[str, str] = {}


class Leftovers:
    """Of one compute host; `findings` tell what was removed."""

    def __init__(
        self,
        db: Database,
        compute: Compute,
        moves: Moves,
        findings: Findings,
        *,
        grace: datetime.timedelta,
    ) -> None:
        self._db, self._compute, self._moves, self._findings = db, compute, moves, findings
        self._strangers = Strangers(findings, grace=grace)
        self._mounts = Strangers(findings, grace=grace)

    def remove(
        self,
        rows: Iterable[Attachment],
        marks: list[Mark],
        mounts: list[Mark],
        guests: Mapping[str, GuestFacts],
    ) -> int:
        """How much was removed: daemons that serve no VM, then what no row needs, device first.
        `marks` are the hypervisor's; `rows` those of attachments that are, were or will be here."""
        known = {row.id for row in rows}
        unknown = [m for m in marks if m.kind == "virtiofsd" and m.id not in known]
        unknown += [
            m
            for m in marks
            if m.kind == "device" and m.id not in known and not self._moves.is_at_work(m, guests)
        ]
        unknown += [m for m in mounts if m.kind == "bind" and m.id not in known]
        going = self._going(unknown, guests)
        found = sum(self._remove(mark) for mark in going)
        left = {m.id for m in unknown} - {m.id for m in going}
        return found + self._unmount(rows, left, mounts)

    def _going(self, unknown: list[Mark], guests: Mapping[str, GuestFacts]) -> list[Mark]:
        """What may be removed, in the same order."""
        if not unknown:
            return self._strangers.removable([], _NOTHING)
        ids = {mark.id for mark in unknown}
        with self._db.read() as tx:
            owned = ownership.attachments(tx, ids)
            heard_of = ownership.journalled(tx, ids - owned.keys())
            hosts = {row.host for row in owned.values()}
            alive = {host for host in hosts if self._reports(tx, host)}
        used = {m.id for m in unknown if m.kind == "device" and _runs(m, guests)}
        moved = {i for i, row in owned.items() if row.host in alive}
        elsewhere = {i: f"host {row.host}" for i, row in owned.items() if i not in moved}
        free = self._strangers.removable(
            [m for m in unknown if m.id not in moved],
            elsewhere,
            lambda mark: mark.id in heard_of or mark.id not in used,
        )
        return [m for m in unknown if m.id in moved or m in free]

    def _reports(self, tx: Tx, host: str) -> bool:
        found = vms.host(tx, host)
        return found is not None and utcnow() - found.heartbeat_at < _ALIVE

    def _unmount(self, rows: Iterable[Attachment], left: set[str], mounts: list[Mark]) -> int:
        """Mounts that neither a row nor what was left alone needs are gone."""
        with self._db.read() as tx:
            needing = [*rows, *ownership.attachments(tx, left).values()]
            instances = share_store.instances_by_share(tx, {row.share_id for row in needing})
        needed = {f"{instances.get(row.share_id)}/{row.access_level}" for row in needing}
        unknown = [
            m
            for m in mounts
            if m.kind == "mount" and m.id not in needed and left.isdisjoint(_users(m))
        ]
        return sum(self._remove(mark) for mark in self._mounts.removable(unknown, _NOTHING))

    def _remove(self, mark: Mark) -> int:
        detail = f"a {mark.kind} without an attachment"
        how = partial(self._take_away, mark)
        return self._findings.remove(mark, how, detail, what="attachment")

    def _take_away(self, mark: Mark) -> bool:
        if mark.kind == "bind":
            self._compute.mounts.ensure_unbound(mark.id)
        elif mark.kind == "mount":
            instance_id, _, level = mark.id.partition("/")
            self._compute.mounts.ensure_unmounted(instance_id, level)
        else:
            vm_id = str(mark.facts.get("vm_id", "")) if mark.kind == "device" else ""
            self._compute.hypervisor.ensure_detached(DeviceRef(attachment_id=mark.id, vm_id=vm_id))
        return True


def _users(mount: Mark) -> list[str]:
    """The attachments that have a bind of the mount."""
    return cast(list[str], mount.facts.get("users") or [])


def _runs(mark: Mark, guests: Mapping[str, GuestFacts]) -> bool:
    guest = guests.get(str(mark.facts.get("vm_id", "")))
    return guest is not None and guest.running
