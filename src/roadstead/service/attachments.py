"""Attachments: hand a share to a VM, and take it back.

What the VM and its host can do is read from the agents' reports: the API never asks a hypervisor.
The agent checks it all again before it acts.
"""

import datetime

import msgspec

from roadstead.model.attachments import LEVELS, Attachment, ComputeHost, Vm, default_tag
from roadstead.model.errors import BadRequest, Conflict, Forbidden, NotFound, OverQuota
from roadstead.model.hosts import CACHES, DRIVERS, TAG_BYTES, is_tag
from roadstead.model.ids import new_id
from roadstead.model.operations import Operation
from roadstead.model.shares import Share
from roadstead.service.context import Caller, Service
from roadstead.service.shares import reach_own
from roadstead.store import attachments as store
from roadstead.store import operations, vms
from roadstead.store.attachments import AttachmentFilter
from roadstead.store.db import Tx, lock_project, utcnow
from roadstead.store.scope import everyone

HOST_DOWN_AFTER = datetime.timedelta(seconds=60)


class NewAttachment(msgspec.Struct, frozen=True, kw_only=True):
    """As asked for. `vm` is an id or a name; `driver` and `tag` None = chosen here."""

    share_id: str
    vm: str
    access_level: str = "rw"
    tag: str | None = None
    driver: str | None = None
    cache: str = "never"
    cold: bool = False


def attach(service: Service, caller: Caller, new: NewAttachment) -> Attachment:
    """The attachment is `attaching` and will be `active`, or `inactive` when the VM is off or it
    is cold.

    NotFound: share or VM. Forbidden: they belong to different projects. Conflict: it is attached
    already, or cannot be plugged into the running VM; the message has each missing fact and what
    to do. BadRequest, OverQuota.
    """
    _check_words(new)
    with service.db.write() as tx:
        share = reach_own(tx, caller, new.share_id)
        if share.status != "available":
            raise Conflict(f"share {share.id} is {share.status}; it can be attached when available")
        vm = _reach_vm(tx, caller, new.vm)
        _check_project(caller, share, vm)
        host = _living_host(tx, vm)
        driver = _choose_driver(new, vm, host)
        _check_hot(new, vm, driver)
        _check_quota(service, tx, share.project_id)
        attachment = _attachment(caller, new, share, vm, driver)
        store.insert(tx, attachment)
        _submit(service, caller, tx, "attachment.attach", attachment, share)
    service.engine.wake(vm.host)
    return attachment


def detach(
    service: Service, caller: Caller, attachment_id: str, *, force: bool = False
) -> Attachment:
    """The attachment is `detaching` and will be gone. A running VM keeps a 9p device: it stays
    `detaching` until the VM stops, and with `force` the VM is powered off. Conflict while an
    operation on it is under way."""
    with service.db.write() as tx:
        attachment = _reach(tx, caller, attachment_id)
        share = reach_own(tx, caller, attachment.share_id)
        store.update(tx, attachment_id, state="detaching", error=None)
        _submit(service, caller, tx, "attachment.detach", attachment, share, force=force)
    service.engine.wake(attachment.host)
    return msgspec.structs.replace(attachment, state="detaching", error=None)


def get(service: Service, caller: Caller, attachment_id: str) -> Attachment:
    """One attachment. NotFound otherwise."""
    with service.db.read() as tx:
        return _reach(tx, caller, attachment_id)


def find_all(
    service: Service, caller: Caller, wanted: AttachmentFilter, *, all_projects: bool = False
) -> list[Attachment]:
    """The caller's attachments; everybody's for an administrator who asks so."""
    scope = everyone() if all_projects and caller.is_admin else caller.own
    with service.db.read() as tx:
        return store.find_all(tx, scope, wanted)


def find_vms(service: Service, caller: Caller) -> list[Vm]:
    """The VMs of the caller's project, of every project for an administrator."""
    with service.db.read() as tx:
        return vms.find_all(tx, caller.scope)


def placement(service: Service, caller: Caller, vm: str) -> list[tuple[ComputeHost, list[str]]]:
    """Every compute host with what keeps this VM's attachments from working there: none = fits."""
    with service.db.read() as tx:
        found = _reach_vm(tx, caller, vm)
        mine = store.find_all(tx, everyone(), AttachmentFilter(vm=found.id))
        return [(host, _unfit(host, mine, found)) for host in vms.hosts(tx)]


# --- checks -----------------------------------------------------------------------------------


def _reach(tx: Tx, caller: Caller, attachment_id: str) -> Attachment:
    found = store.find(tx, caller.scope, attachment_id)
    if found is None:
        raise NotFound(f"attachment {attachment_id} could not be found")
    return found


def _reach_vm(tx: Tx, caller: Caller, name_or_id: str) -> Vm:
    found = vms.find(tx, caller.scope, name_or_id)
    if not found:
        raise NotFound(f"VM {name_or_id} could not be found on any compute host")
    if len(found) > 1:
        raise Conflict(f"{len(found)} VMs are named {name_or_id}; use the id")
    return found[0]


def _check_words(new: NewAttachment) -> None:
    if new.access_level not in LEVELS:
        raise BadRequest(f"access_level must be one of {', '.join(LEVELS)}")
    if new.driver is not None and new.driver not in DRIVERS:
        raise BadRequest(f"driver must be one of {', '.join(DRIVERS)}")
    if new.cache == "always":
        raise BadRequest(
            "cache=always is refused: a share may get a second writer at any time, and this guest "
            "would not see what it writes"
        )
    if new.cache not in CACHES:
        raise BadRequest(f"cache must be one of {', '.join(CACHES)}")


def _check_project(caller: Caller, share: Share, vm: Vm) -> None:
    """Only a VM's own project attaches its own shares; a VM that nobody has labelled is an
    administrator's to give."""
    if vm.project_id is None and caller.is_admin:
        return
    if vm.project_id != share.project_id:
        raise Forbidden(f"VM {vm.name} and share {share.id} belong to different projects")


def _living_host(tx: Tx, vm: Vm) -> ComputeHost:
    host = vms.host(tx, vm.host)
    if host is None or utcnow() - host.heartbeat_at > HOST_DOWN_AFTER:
        raise Conflict(f"the agent of compute host {vm.host} does not report; start it there")
    return host


def _choose_driver(new: NewAttachment, vm: Vm, host: ComputeHost) -> str:
    offered = _strings(host.facts.get("drivers"))
    if new.driver is not None:
        if new.driver not in offered:
            raise Conflict(f"host {vm.host} cannot do {new.driver}; it can: {', '.join(offered)}")
        driver = new.driver
    else:
        driver = "virtiofs" if "virtiofs" in offered and vm.shared_memory else "9p"
        if driver not in offered:
            raise Conflict(f"host {vm.host} offers no way into VM {vm.name}: install virtiofsd")
    if new.tag is not None and not is_tag(new.tag, driver):
        raise BadRequest(
            f"a {driver} tag has 1 to {TAG_BYTES[driver]} letters, digits, '-', '_' and '.', and "
            "begins with a letter or a digit"
        )
    return driver


def _check_hot(new: NewAttachment, vm: Vm, driver: str) -> None:
    """Conflict with every fact that is missing, or nothing (H-I5)."""
    if driver == "virtiofs" and not vm.shared_memory:
        raise Conflict(
            f"VM {vm.name} has no shared memory, which virtiofs needs: define it with "
            "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>, or ask "
            "for driver 9p"
        )
    if not vm.running or new.cold:
        return
    missing: list[str] = []
    if driver == "9p":
        missing.append("9p devices cannot be plugged into a running VM (use virtiofs)")
    if driver == "virtiofs" and vm.free_ports < 1:
        missing.append(
            "no PCI Express port is free (define the VM with more pcie-root-port controllers)"
        )
    if missing:
        raise Conflict(
            f"VM {vm.name} is running and the share cannot be plugged in now: "
            f"{'; '.join(missing)}. Ask for a cold attachment to have it at the next start"
        )


def _check_quota(service: Service, tx: Tx, project_id: str) -> None:
    lock_project(tx, project_id)
    limit, used = service.attachments_per_project, store.count(tx, project_id)
    if 0 <= limit <= used:
        raise OverQuota(f"quota exceeded: {used} of {limit} attachments are in use")


def _unfit(host: ComputeHost, mine: list[Attachment], vm: Vm) -> list[str]:
    offered = _strings(host.facts.get("drivers"))
    reasons = [f"cannot do {d}" for d in sorted({a.driver for a in mine} - set(offered))]
    if utcnow() - host.heartbeat_at > HOST_DOWN_AFTER:
        reasons.append("its agent does not report")
    if mine and host.host != vm.host and vm.running:
        if any(a.driver == "9p" for a in mine):
            reasons.append("a VM with a 9p device cannot migrate while it runs")
        reasons += _strings(host.facts.get("migration_blockers"))
    return reasons


def _strings(value: object) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


# --- records ----------------------------------------------------------------------------------


def _attachment(
    caller: Caller, new: NewAttachment, share: Share, vm: Vm, driver: str
) -> Attachment:
    return Attachment(
        id=new_id(),
        project_id=share.project_id,
        user_id=caller.user_id,
        request_id=caller.request_id,
        share_id=share.id,
        vm_id=vm.id,
        vm_name=vm.name,
        host=vm.host,
        tag=new.tag or default_tag(share.id, driver),
        access_level=new.access_level,
        driver=driver,
        cache=new.cache,
        cold=new.cold,
        state="attaching",
        created_at=utcnow(),
    )


def _submit(
    service: Service,
    caller: Caller,
    tx: Tx,
    verb: str,
    attachment: Attachment,
    share: Share,
    **payload: object,
) -> None:
    operation = Operation(
        id=new_id(),
        verb=verb,
        resource_id=attachment.id,
        project_id=attachment.project_id,
        user_id=caller.user_id,
        request_id=caller.request_id,
        host=attachment.host,
        state="todo",
        payload={"instance_id": share.instance_id, "share_id": share.id, **payload},
        created_at=utcnow(),
    )
    operations.insert(tx, operation)
    service.engine.submit(tx, operation.id, attachment.host)
