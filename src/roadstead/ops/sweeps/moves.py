"""VMs that migrate, as the sweeps of both their hosts see it.

Whoever runs the cloud migrates; we only follow. Until the VM runs at its target, its attachments
are the source's; then the target takes the rows over, and what the source has is left over there.
"""

import datetime
from collections.abc import Collection, Mapping

import structlog

from roadstead.model.attachments import Attachment, Vm
from roadstead.model.hosts import GuestFacts
from roadstead.model.queries import AttachmentFilter
from roadstead.model.world import Mark
from roadstead.store import attachments as store
from roadstead.store import vms
from roadstead.store.db import Database, Tx, utcnow
from roadstead.store.scope import everyone

log = structlog.get_logger()

# A report of the target that was begun before the VM arrived does not count as one without it.
_REPORT = datetime.timedelta(seconds=10)
_ALIVE = datetime.timedelta(seconds=60)


class Moves:
    """What one host's sweep must know of VMs that come and go."""

    def __init__(self, db: Database, host: str) -> None:
        self._db, self._host = db, host
        self._missed: dict[str, datetime.datetime] = {}

    def take_over(
        self,
        guests: Mapping[str, GuestFacts],
        devices: Mapping[str, Mark],
        busy: Collection[str],
    ) -> int:
        """Attachments of VMs that have arrived here are this host's; how many came."""
        with self._db.read() as tx:
            rows = store.find_all(tx, everyone(), AttachmentFilter(target_host=self._host))
        taken = 0
        for row in rows:
            guest = guests.get(row.vm_id)
            if guest is None or guest.moving or row.id in busy:
                continue
            with self._db.write() as tx:
                now = store.find(tx, everyone(), row.id)
                source = vms.hosts_of(tx, row.vm_id).get(row.host)
                device = devices.get(row.id)
                if now != row or not _has_arrived(guest, device, source):
                    continue
                store.update(tx, row, host=self._host, target_host=None, error=None)
            log.info("attachment taken over", attachment=row.id, vm=row.vm_name, source=row.host)
            taken += 1
        return taken

    def is_leaving(self, row: Attachment, guest: GuestFacts | None) -> bool:
        """The VM is at another host, or on its way: nothing is to be done about the row here."""
        if guest is not None and guest.running:
            self._missed.pop(row.id, None)
            return guest.moving
        with self._db.write() as tx:
            elsewhere = self._elsewhere(tx, row.vm_id)
            if elsewhere and guest is None and row.target_host not in elsewhere:
                # It went unannounced; the attachments follow it as they can.
                store.update(tx, row, target_host=min(elsewhere))
            target = vms.host(tx, row.target_host) if row.target_host else None
        if row.target_host in elsewhere or (elsewhere and guest is None):
            return True
        if target is None or guest is not None:
            return False
        # Neither here nor there. It may have arrived there a moment ago.
        missed = self._missed.setdefault(row.id, utcnow())
        return target.heartbeat_at < missed + _REPORT

    def _elsewhere(self, tx: Tx, vm_id: str) -> set[str]:
        """Other hosts that have the VM; what a dead agent last said does not count."""
        found = vms.hosts_of(tx, vm_id).items()
        alive = {host for host, vm in found if utcnow() - vm.updated_at < _ALIVE}
        return alive - {self._host}

    def is_at_work(self, mark: Mark, guests: Mapping[str, GuestFacts]) -> bool:
        """A running VM has the device, and its row is another host's: it comes or goes just now.
        To unplug it would be to take the share from the VM."""
        guest = guests.get(str(mark.facts.get("vm_id", "")))
        if guest is None or not guest.running:
            return False
        with self._db.read() as tx:
            return store.find(tx, everyone(), mark.id) is not None


def _has_arrived(guest: GuestFacts, device: Mark | None, source: Vm | None) -> bool:
    """Whether the VM is here for good. As long as its source has it running, only the device in
    the VM that runs here proves that."""
    if source is None:
        return True
    plugged = device is not None and device.facts.get("plugged") != "config"
    return guest.running and (plugged or not source.running)
