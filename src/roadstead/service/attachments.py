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
from roadstead.model.queries import AttachmentFilter
from roadstead.model.shares import Share
from roadstead.model.states import AttachmentState, ShareStatus
from roadstead.ops.subjects import of_attachment
from roadstead.service import fitness
from roadstead.service.context import Caller, Service
from roadstead.service.shares import reach_own
from roadstead.store import attachments as store
from roadstead.store import vms
from roadstead.store.db import Tx, lock_project, utcnow
from roadstead.store.scope import everyone, project

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
    with service.acting(caller) as act:
        tx = act.tx
        share = reach_own(tx, caller, new.share_id)
        if share.status != ShareStatus.AVAILABLE:
            raise Conflict(f"share {share.id} is {share.status}; it can be attached when available")
        vm = reach_vm(tx, caller, new.vm)
        _check_project(caller, share, vm)
        host = _living_host(tx, vm)
        driver = fitness.choose_driver(new.driver, vm, host)
        _check_tag(new.tag, driver)
        fitness.check(vm, host, driver, asked=new.driver, cold=new.cold)
        _check_stays(tx, vm)
        _check_quota(service, tx, share.project_id)
        attachment = _attachment(caller, new, share, vm, driver)
        store.insert(tx, attachment)
        act.begin("attachment.attach", of_attachment(attachment, share.instance_id))
    return attachment


def detach(
    service: Service, caller: Caller, attachment_id: str, *, force: bool = False
) -> Attachment:
    """The attachment is `detaching` and will be gone. A running VM keeps a 9p device: it stays
    `detaching` until the VM stops, and with `force` the VM is powered off. Conflict while an
    operation on it is under way."""
    # A host that was prepared for the VM clears away what it has for this.
    new = {"error": None, "target_host": None}
    with service.acting(caller) as act:
        attachment = _reach(act.tx, caller, attachment_id)
        share = reach_own(act.tx, caller, attachment.share_id)
        subject = of_attachment(attachment, share.instance_id)
        act.begin("attachment.detach", subject, columns=new, force=force)
    return msgspec.structs.replace(attachment, state=AttachmentState.DETACHING, **new)


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


# --- checks -----------------------------------------------------------------------------------


def _reach(tx: Tx, caller: Caller, attachment_id: str) -> Attachment:
    found = store.find(tx, caller.scope, attachment_id)
    if found is None:
        raise NotFound(f"attachment {attachment_id} could not be found")
    return found


def reach_vm(tx: Tx, caller: Caller, name_or_id: str) -> Vm:
    """One VM that the caller may use. NotFound; Conflict when several have the name."""
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


def is_alive(host: ComputeHost) -> bool:
    """Whether its agent reported lately."""
    return utcnow() - host.heartbeat_at <= HOST_DOWN_AFTER


def _living_host(tx: Tx, vm: Vm) -> ComputeHost:
    host = vms.host(tx, vm.host)
    if host is None or not is_alive(host):
        raise Conflict(f"the agent of compute host {vm.host} does not report; start it there")
    return host


def _check_tag(tag: str | None, driver: str) -> None:
    if tag is not None and not is_tag(tag, driver):
        raise BadRequest(
            f"a {driver} tag has 1 to {TAG_BYTES[driver]} letters, digits, '-', '_' and '.', and "
            "begins with a letter or a digit"
        )


def _check_stays(tx: Tx, vm: Vm) -> None:
    found = store.find_all(tx, everyone(), AttachmentFilter(vm=vm.id))
    if any(each.target_host for each in found):
        raise Conflict(f"VM {vm.name} is about to migrate; attach the share when it has")


def _check_quota(service: Service, tx: Tx, project_id: str) -> None:
    lock_project(tx, project_id)
    limit, used = service.attachments_per_project, store.count(tx, project(project_id))
    if 0 <= limit <= used:
        raise OverQuota(f"quota exceeded: {used} of {limit} attachments are in use")


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
        state=AttachmentState.ATTACHING,
        created_at=utcnow(),
    )
