"""What a compute host's agent tells the API: its abilities, and its VMs."""

import msgspec

from roadstead.model.attachments import Vm
from roadstead.roads.hypervisor import Compute
from roadstead.store import vms
from roadstead.store.db import Database, Tx, utcnow


def report(db: Database, compute: Compute) -> None:
    """The host's row and its VMs' rows are what the hypervisor says now."""
    now = utcnow()
    guests = compute.hypervisor.guests()
    found = [
        Vm(
            id=guest.id,
            host=compute.host,
            name=guest.name,
            project_id=guest.project_id,
            running=guest.running,
            shared_memory=guest.shared_memory,
            free_ports=guest.free_ports,
            tags=tuple(guest.tags),
            updated_at=now,
        )
        for guest in guests
    ]
    known = facts(compute)
    moving = {guest.id for guest in guests if guest.moving}
    with db.write() as tx:
        found = [_as_before(tx, vm) if vm.id in moving else vm for vm in found]
        vms.report(tx, compute.host, known, found)


def _as_before(tx: Tx, vm: Vm) -> Vm:
    """A VM that starts or migrates, of which its hypervisor tells nothing but the name: with what
    was last said of it, here or where it comes from."""
    rows = vms.hosts_of(tx, vm.id)
    last = rows.get(vm.host) or next(iter(rows.values()), vm)
    return msgspec.structs.replace(last, host=vm.host, running=False, updated_at=vm.updated_at)


def facts(compute: Compute) -> dict[str, object]:
    """The host's record (H-M3); `drivers` and `migration_blockers` are what the API decides by."""
    host, mounts = compute.hypervisor.capabilities(), compute.mounts.capabilities()
    daemon = host.virtiofsd
    return {
        "qemu": host.qemu,
        "libvirt": host.libvirt,
        "virtiofsd": None if daemon is None else f"{daemon.version} ({daemon.flavour})",
        "virtiofsd_features": [] if daemon is None else list(daemon.features),
        "shared_memory": host.shared_memory,
        "nfs_client": mounts.nfs_client if compute.mounts_exports else None,
        "cephfs_client": mounts.cephfs_client,
        "drivers": ["virtiofs", "9p"] if daemon is not None and host.shared_memory else ["9p"],
        "migration_blockers": list(host.live_migration_reasons),
        # A device that migrates finds both under the same names.
        "virtiofsd_path": None if daemon is None else daemon.path,
        "mounts_directory": mounts.directory,
        "local_pools": compute.local_pools,
    }
