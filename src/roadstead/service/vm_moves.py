"""VMs with attachments that are to migrate: where to, and what must be there first.

Whoever runs the cloud migrates them (virsh, Nova); here the way is prepared.
"""

from collections.abc import Iterator, Sequence

import msgspec

from roadstead.model.attachments import Attachment, ComputeHost, Vm
from roadstead.model.errors import Conflict, NotFound
from roadstead.model.queries import AttachmentFilter
from roadstead.model.shares import ShareInstance
from roadstead.ops.begin import Act, fits
from roadstead.ops.subjects import of_attachment
from roadstead.service.attachments import is_alive, reach_vm
from roadstead.service.context import Caller, Service
from roadstead.service.fitness import strings
from roadstead.store import attachments as store
from roadstead.store import shares as share_store
from roadstead.store import vms
from roadstead.store.db import Tx
from roadstead.store.scope import everyone


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """A VM, the host it is to go to, and each of its attachments with the operation there."""

    vm: Vm
    host: str | None  # None = it stays
    attachments: Sequence[tuple[Attachment, str | None]]


class _Baggage(msgspec.Struct, frozen=True, kw_only=True):
    """What a VM takes along."""

    vm: Vm
    source: ComputeHost | None
    attachments: list[Attachment]
    instances: list[ShareInstance]


def placement(service: Service, caller: Caller, vm: str) -> list[tuple[ComputeHost, list[str]]]:
    """Every compute host with what keeps this VM's attachments from working there, or from getting
    there: none = fits (H-M4)."""
    with service.db.read() as tx:
        baggage = _baggage(tx, reach_vm(tx, caller, vm))
        return [(host, list(_against(baggage, host))) for host in vms.hosts(tx)]


def prepare(service: Service, caller: Caller, vm: str, host: str) -> Migration:
    """The host is going to have each share of the VM ready, and keeps it until the VM is there or
    the migration is cancelled. Asked again, it is done again.

    NotFound: VM or host. Conflict: with each reason against it; or another host is prepared.
    """
    with service.acting(caller) as act:
        tx = act.tx
        baggage = _baggage(tx, reach_vm(tx, caller, vm))
        target = vms.host(tx, host)
        if target is None:
            raise NotFound(f"compute host {host} could not be found")
        _refuse(baggage, target)
        shares = {each.share_id: each for each in baggage.instances}
        begun = [_begin(act, each, shares[each.share_id].id, host) for each in baggage.attachments]
    return Migration(vm=baggage.vm, host=host, attachments=begun)


def cancel(service: Service, caller: Caller, vm: str) -> Migration:
    """No host holds anything ready for the VM; what there was is cleared away by its agent. That
    nothing was prepared is no error."""
    with service.db.write() as tx:
        baggage = _baggage(tx, reach_vm(tx, caller, vm))
        for each in baggage.attachments:
            if each.target_host is not None:
                store.update(tx, each, target_host=None)
    stay = [msgspec.structs.replace(each, target_host=None) for each in baggage.attachments]
    return Migration(vm=baggage.vm, host=None, attachments=[(each, None) for each in stay])


def _baggage(tx: Tx, vm: Vm) -> _Baggage:
    found = store.find_all(tx, everyone(), AttachmentFilter(vm=vm.id))
    mine = [each for each in found if each.vm_id == vm.id and not each.unplugged]
    share_ids = {each.share_id for each in mine}
    return _Baggage(
        vm=vm,
        source=vms.host(tx, vm.host),
        attachments=mine,
        instances=share_store.instances_of_shares(tx, everyone(), share_ids),
    )


def _refuse(baggage: _Baggage, target: ComputeHost) -> None:
    vm = baggage.vm
    if target.host == vm.host:
        raise Conflict(f"VM {vm.name} is on host {vm.host} already")
    others = {each.target_host for each in baggage.attachments} - {None, target.host}
    if others:
        names = ", ".join(sorted(filter(None, others)))
        raise Conflict(f"host {names} is prepared for VM {vm.name}; cancel that first")
    if reasons := list(_against(baggage, target)):
        raise Conflict(f"VM {vm.name} cannot migrate to {target.host}: {'; '.join(reasons)}")


def _begin(act: Act, attachment: Attachment, instance_id: str, host: str) -> tuple[Attachment, str]:
    subject = of_attachment(attachment, instance_id, host=host)
    begun = act.begin("attachment.prepare", subject, columns={"target_host": host})
    return msgspec.structs.replace(attachment, target_host=host), begun.id


# --- what stands against it -------------------------------------------------------------------


def _against(baggage: _Baggage, host: ComputeHost) -> Iterator[str]:
    if not is_alive(host):
        yield "its agent does not report"
    offered = strings(host.facts.get("drivers"))
    for driver in sorted({each.driver for each in baggage.attachments} - set(offered)):
        yield f"it cannot do {driver}"
    if host.host == baggage.vm.host or not baggage.attachments:
        return
    yield from _not_ready(baggage.attachments)
    yield from _not_mountable(baggage.instances, host)
    if baggage.vm.running:
        yield from _not_alive(baggage, host)


def _not_ready(attachments: Sequence[Attachment]) -> Iterator[str]:
    for each in attachments:
        if not fits("attachment.prepare", each.state):
            yield f"attachment {each.id} is {each.state}"


def _not_mountable(instances: Sequence[ShareInstance], host: ComputeHost) -> Iterator[str]:
    if host.facts.get("nfs_client"):
        return
    here = strings(host.facts.get("local_pools"))
    for each in instances:
        if each.host not in here:
            yield f"it has no NFS client, and share {each.share_id} is on {each.host}"


def _not_alive(baggage: _Baggage, host: ComputeHost) -> Iterator[str]:
    """Against a migration while the VM runs."""
    for each in baggage.attachments:
        if each.driver == "9p":
            yield f"a 9p device cannot migrate while its VM runs (attachment {each.id})"
        elif each.cache == "metadata":
            yield f"a device with cache=metadata cannot migrate (attachment {each.id})"
    if all(each.driver == "9p" for each in baggage.attachments):
        return
    yield from strings(host.facts.get("migration_blockers"))
    source = baggage.source
    if source is None:
        return
    for reason in strings(source.facts.get("migration_blockers")):
        yield f"on host {source.host}: {reason}"
    for fact, what in (("mounts_directory", "mounts shares in"), ("virtiofsd_path", "has")):
        there, here = host.facts.get(fact), source.facts.get(fact)
        if there and here and there != here:
            yield f"it {what} {there}, and host {source.host} {what} {here}: they must be the same"
