"""The way of one share into one VM by the hypervisor road, hop by hop.

Pure, like `explain`. Names and addresses of hosts are told only where the facts have them: they
are not for tenants.
"""

from collections.abc import Sequence

import msgspec

from roadstead.explain.share import Explanation, Facts, Hop, export_hop, pool_hop
from roadstead.model.access import AccessRule
from roadstead.model.attachments import Attachment, ComputeHost, Vm
from roadstead.model.hosts import mount_command
from roadstead.model.shares import ExportLocation, Share
from roadstead.model.states import AccessState, AttachmentState

ATTACHED, NOT_ATTACHED = "attached", "not attached"
ISOLATION = "hypervisor"
LOCKS = {
    "enforced": "locks taken in the guest hold against every other user of the share",
    "not enforced": "two guests, or a guest and the host, can hold the same lock",
}
CACHES = {
    "never": "the guest keeps nothing, and sees at once what others write",
    "auto": "for about a second the guest may see a file as it was before another client wrote",
    "metadata": "the guest keeps names and sizes for a while: others' new files may come late",
}
_STATES: dict[str, tuple[bool | None, str]] = {
    AttachmentState.ATTACHING: (None, "it is being attached"),
    AttachmentState.INACTIVE: (None, "it is there from the VM's next start on"),
    AttachmentState.ACTIVE: (True, "it is plugged in"),
    AttachmentState.DETACHING: (None, "it is being detached"),
    AttachmentState.BROKEN: (False, "its daemon has died: stop and start the VM"),
    AttachmentState.ERROR: (False, "it could not be attached"),
}
_NOT_MOUNTED = (AttachmentState.ATTACHING, AttachmentState.ERROR)


class VmFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to know. `vm` is None when it was undefined while it had the share; `host` is
    None when it does not report, `grant` when no rule holds the way up."""

    share: Share
    locations: Sequence[ExportLocation]
    vm: Vm | None
    attachment: Attachment | None
    host: ComputeHost | None
    alive: bool = True  # the host's agent reported lately
    grant: AccessRule | None = None


def explain_vm(facts: VmFacts, *, admin: bool) -> Explanation:
    """What happens when this VM mounts the share."""
    attachment = facts.attachment
    road_hops = () if attachment is None else _way(facts, attachment, admin=admin)
    name = facts.vm.name if facts.vm else attachment.vm_name if attachment else ""
    return Explanation(
        road="hypervisor",
        isolation=ISOLATION,
        addresses=(),
        paths=(),
        client=name,
        verdict=NOT_ATTACHED if attachment is None else ATTACHED,
        rule=facts.grant if admin else None,
        hops=(_vm_hop(facts), _device_hop(facts), *road_hops, pool_hop(facts.share)),
        attachment=attachment,
    )


def _way(facts: VmFacts, attachment: Attachment, *, admin: bool) -> tuple[Hop, ...]:
    """From the device to the backend."""
    hops = (
        Hop(name="cache", what=f"{attachment.cache}: {CACHES.get(attachment.cache, '')}"),
        _locks_hop(facts, attachment, admin=admin),
        _host_hop(facts, attachment, admin=admin),
        _mount_hop(facts, attachment, admin=admin),
    )
    if facts.grant is None:
        return hops
    known = Facts(share=facts.share, locations=facts.locations, rules=())
    return (*hops, _rule_hop(facts.grant, admin=admin), export_hop(known))


def _vm_hop(facts: VmFacts) -> Hop:
    vm = facts.vm
    if vm is None:
        return Hop(name="vm", what="no compute host knows the VM any more", ok=False)
    runs = "runs" if vm.running else "is off"
    return Hop(
        name="vm",
        what=f"{vm.name} ({vm.id}) {runs}; it needs no route to any storage",
        ok=True if vm.running else None,
    )


def _device_hop(facts: VmFacts) -> Hop:
    attachment = facts.attachment
    if attachment is None:
        what = "the VM has no device of this share: `roadstead attach` makes one"
        return Hop(name="device", what=what, ok=False)
    ok, state = _STATES[attachment.state]
    why = f" ({attachment.error})" if attachment.error else ""
    command = mount_command(
        attachment.driver,
        attachment.tag,
        read_only=attachment.access_level == "ro",
        cache=attachment.cache,
    )
    what = f"{attachment.driver}, tag {attachment.tag}, {attachment.access_level}: {command}"
    return Hop(name="device", what=f"{what}; {state}{why}", ok=ok)


def _locks_hop(facts: VmFacts, attachment: Attachment, *, admin: bool) -> Hop:
    """What locks mean depends on who serves the device."""
    daemon = "QEMU's 9p server" if attachment.driver == "9p" else "virtiofsd"
    known = facts.host.facts.get("virtiofsd") if facts.host and attachment.driver != "9p" else None
    if known and admin:
        daemon = f"{daemon} {known}"
    if not attachment.locks:
        return Hop(name="locks", what="known when the device is there", ok=None)
    ok = True if attachment.locks == "enforced" else None
    return Hop(name="locks", what=f"{daemon}: {LOCKS[attachment.locks]}", ok=ok)


def _host_hop(facts: VmFacts, attachment: Attachment, *, admin: bool) -> Hop:
    what = f"compute host {attachment.host}" if admin else "the VM's compute host"
    if not facts.alive:
        what += "; its agent does not report, so nothing here will change"
    elif admin and facts.host is not None:
        what += f" (QEMU {facts.host.facts.get('qemu')}, libvirt {facts.host.facts.get('libvirt')})"
    return Hop(name="host", what=what, ok=facts.alive)


def _mount_hop(facts: VmFacts, attachment: Attachment, *, admin: bool) -> Hop:
    level = (
        "; bound read-only for this VM, which no remount in the guest can lift"
        if attachment.access_level == "ro"
        else ""
    )
    if facts.grant is None and attachment.state in _NOT_MOUNTED:
        return Hop(name="mount", what="not mounted on the host yet", ok=None)
    if facts.grant is None:
        what = "the share's bytes are on this very host: bound from there, without an export"
        return Hop(name="mount", what=what + level)
    client = facts.host.facts.get("nfs_client") if facts.host else None
    by = {"kernel": "the kernel's NFS client", "fuse": "NFS by FUSE"}.get(str(client), "NFS")
    path = facts.locations[0].path if facts.locations and admin else "the share's export"
    return Hop(name="mount", what=f"{path} by {by}, nosuid and nodev{level}")


def _rule_hop(rule: AccessRule, *, admin: bool) -> Hop:
    whom = rule.access_to if admin else "the compute host"
    what = f"a rule of its own admits {whom} at level {rule.access_level} (rule {rule.id})"
    if rule.state != AccessState.ACTIVE:
        return Hop(name="rule", what=f"{what}; it is {rule.state}", ok=None)
    return Hop(name="rule", what=what)
