"""What a compute host's agent tells the API: its abilities, and its VMs."""

from roadstead.model.attachments import Vm
from roadstead.roads.hypervisor import Compute
from roadstead.store import vms
from roadstead.store.db import Database, utcnow


def report(db: Database, compute: Compute) -> None:
    """The host's row and its VMs' rows are what the hypervisor says now."""
    now = utcnow()
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
        for guest in compute.hypervisor.guests()
    ]
    with db.write() as tx:
        vms.report(tx, compute.host, facts(compute), found)


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
        "nfs_client": mounts.nfs_client,
        "cephfs_client": mounts.cephfs_client,
        "drivers": ["virtiofs", "9p"] if daemon is not None and host.shared_memory else ["9p"],
        "migration_blockers": list(host.live_migration_reasons),
    }
