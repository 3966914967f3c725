"""Attachments and the compute host are made equal: at start, every minute, and whenever the
hypervisor says that a VM changed.

A VM that stops leaves its attachments `inactive`; one that starts has them `active`. What a reboot
took away is made again while the VM is off. A daemon that died under a running VM cannot be
replaced: the attachment is `broken` until the VM's next start. A VM that was undefined is detached,
unless another host has it: then it has migrated, and that host takes its attachments over.
"""

import datetime
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog

from roadstead.engine.base import OwnHost
from roadstead.model.attachments import Attachment
from roadstead.model.drift import Drift
from roadstead.model.errors import Transient
from roadstead.model.hosts import GuestFacts
from roadstead.model.queries import AttachmentFilter
from roadstead.model.states import AttachmentState
from roadstead.model.world import Mark
from roadstead.ops.attachments import state_of
from roadstead.ops.begin import Ourselves, acting
from roadstead.ops.grants import Grants
from roadstead.ops.subjects import of_attachment
from roadstead.ops.sweeps.findings import Find, Findings, guarded
from roadstead.ops.sweeps.leftovers import Leftovers
from roadstead.ops.sweeps.moves import Moves
from roadstead.ops.sweeps.strangers import GRACE
from roadstead.roads import hypervisor as road
from roadstead.roads.hypervisor import Compute
from roadstead.store import attachments as store
from roadstead.store import export_locations, operations
from roadstead.store import shares as share_store
from roadstead.store.db import Database, utcnow
from roadstead.store.scope import everyone

log = structlog.get_logger()

# What to do about a dead daemon, for the user.
BROKEN = (
    "the filesystem daemon ended under the running VM: programs in the guest that use the mount "
    "hang. Stop the VM and start it again; the share's data is not affected"
)


class AttachmentSweep:
    """`adopt(id)` has the engine run an operation."""

    def __init__(
        self,
        db: Database,
        compute: Compute,
        grants: Grants,
        adopt: Callable[[str], None],
        *,
        grace: datetime.timedelta = GRACE,
    ) -> None:
        self._db, self._compute, self._grants, self._own = db, compute, grants, OwnHost(adopt)
        self._moves = Moves(db, compute.host)
        self._findings = Findings(db, compute.host)
        self._leftovers = Leftovers(db, compute, self._moves, self._findings, grace=grace)

    def run(self) -> int:
        """How many differences were repaired or told."""
        began, here = utcnow(), AttachmentFilter(host=self._compute.host)
        with self._db.read() as tx:
            before = store.find_all(tx, everyone(), here)
        marks = list(self._compute.hypervisor.inventory())
        devices = {m.id: m for m in marks if m.kind == "device"}
        mounts = self._seen_mounts()
        guests = {g.id: g for g in self._compute.hypervisor.guests()}
        with self._db.read() as tx:
            busy = operations.live_resources(tx, self._compute.host)
        found = self._moves.take_over(guests, devices, busy)
        with self._db.read() as tx:
            rows = store.find_all(tx, everyone(), here)
            coming = AttachmentFilter(target_host=self._compute.host)
            prepared = store.find_all(tx, everyone(), coming)
        if mounts is not None:
            needed = list({row.id: row for row in (*before, *prepared, *rows)}.values())
            with guarded("leftovers not looked at"):
                found += self._leftovers.remove(needed, marks, mounts, guests)
                self._idle_grants(needed)
        for row in rows:
            # One that was changed meanwhile was seen too early; the next look is in seconds.
            settled = (row.updated_at or row.created_at) < began
            if settled and row.id not in busy and not row.unplugged:
                with guarded("attachment not settled", attachment=row.id):
                    found += self._settle(row, guests.get(row.vm_id), devices.get(row.id))
        return found

    def _seen_mounts(self) -> list[Mark] | None:
        """None when they cannot be looked at: then what is left over stays."""
        with guarded("mounts not looked at"):
            return list(self._compute.mounts.inventory())
        return None

    def _settle(self, row: Attachment, guest: GuestFacts | None, device: Mark | None) -> bool:
        """The row says what the VM has; what is missing is made while that is possible."""
        if self._moves.is_leaving(row, guest):
            return False
        if guest is None:
            self._detach(row)
            return True
        if guest.running and device is not None and device.broken:
            return self._becomes(row, AttachmentState.BROKEN, BROKEN)
        live = device is not None and device.facts.get("plugged") != "config"
        if guest.running and live:
            return self._becomes(row, AttachmentState.ACTIVE)
        if guest.running and row.state != AttachmentState.ACTIVE:
            # Cold, and waiting for the next start.
            return self._becomes(row, AttachmentState.INACTIVE)
        repaired = self._make_again(row, device)
        if not repaired:
            self._becomes(row, AttachmentState.INACTIVE)
        return repaired

    def _make_again(self, row: Attachment, device: Mark | None) -> bool:
        """Mount, bind and device are there for the next start (or now, where a running VM lost
        its device)."""
        with self._db.read() as tx:
            share = share_store.get(tx, everyone(), row.share_id)
            instance = (
                share_store.find_instance(tx, everyone(), share.instance_id) if share else None
            )
            paths = export_locations.of_shares(tx, [share] if share else []).get(row.share_id, [])
        if instance is None:
            return False
        try:
            self._grants.ensure(instance, row.access_level, row.user_id)
        except Transient:
            return False  # the next sweep finds the rule in force
        with self._compute.share_lock(row.share_id):
            mount = road.ensure_mounted(self._compute, row, instance, paths)
        source = road.ensure_bound(self._compute, row, mount)
        if device is not None and device.facts.get("plugged") != "live":
            return False
        plugged = road.ensure_plugged(self._compute, row, source)
        self._tell(row, "its device was not in the VM", "plugged again")
        self._becomes(row, state_of(plugged))
        return True

    def _becomes(self, row: Attachment, state: str, error: str | None = None) -> bool:
        if row.state == state and row.error == error:
            return False
        log.info("attachment", attachment=row.id, was=row.state, state=state, vm=row.vm_name)
        with self._db.write() as tx:
            now = store.find(tx, everyone(), row.id)
            # Not over what an operation has begun meanwhile.
            if now is not None and (now.host, now.state) == (row.host, row.state):
                store.update(tx, row, state=state, error=error)
        return state == AttachmentState.BROKEN

    def _detach(self, row: Attachment) -> None:
        """The VM is gone for good: what was for it goes too."""
        with acting(self._db, self._own, Ourselves(user_id=row.user_id)) as act:
            share = share_store.get(act.tx, everyone(), row.share_id)
            if share is None:
                return
            subject = of_attachment(row, share.instance_id)
            act.begin("attachment.detach", subject, columns={"target_host": None})
        self._tell(row, f"VM {row.vm_name} is no longer defined", "detached")

    def _idle_grants(self, rows: Iterable[Attachment]) -> None:
        """Grants that no attachment needs are given back."""
        needed = {row.share_id for row in rows}
        with self._db.read() as tx:
            idle = [g for g in store.grants_on(tx, self._compute.host) if g.share_id not in needed]
        for grant in idle:
            with guarded("grant not given back", share=grant.share_id):
                self._give_back(grant.share_id)

    def _give_back(self, share_id: str) -> None:
        with self._db.read() as tx:
            share = share_store.get(tx, everyone(), share_id)
            instance = (
                share_store.find_instance(tx, everyone(), share.instance_id) if share else None
            )
        if share is None or instance is None or instance.id in self._mounted():
            return  # a mount that is still in use needs it
        with suppress(Transient):  # under way
            self._grants.ensure_absent(instance, share.user_id)

    def _mounted(self) -> set[str]:
        """The share instances that are mounted here."""
        marks = self._compute.mounts.inventory()
        return {mark.id.partition("/")[0] for mark in marks if mark.kind == "mount"}

    def _tell(self, row: Attachment, detail: str, action: str) -> None:
        self._findings.tell(Find(Drift.MISSING, "attachment", row.id, detail, action))
