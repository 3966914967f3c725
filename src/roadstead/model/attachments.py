"""A share handed to one VM by its hypervisor, and the VMs as their hosts report them."""

from datetime import datetime

import msgspec

LEVELS = ("rw", "ro")


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """One share in one VM."""

    id: str
    project_id: str
    user_id: str
    request_id: str = ""
    share_id: str
    vm_id: str
    vm_name: str
    host: str  # the compute host's agent
    tag: str  # what the guest mounts by
    access_level: str
    driver: str
    cache: str = "never"
    cold: bool = False  # not plugged before the VM's next start
    state: str  # model.states.AttachmentState
    # The device is gone from the VM; host mount and grant no longer count this attachment.
    unplugged: bool = False
    # What locks taken in the guest mean: "enforced" across guests, or "not enforced".
    locks: str = ""
    error: str | None = None
    # Where the VM is about to migrate to: that host has the share ready for it, or is at it.
    target_host: str | None = None
    created_at: datetime
    updated_at: datetime | None = None


class Vm(msgspec.Struct, frozen=True, kw_only=True):
    """A VM as its host's agent last saw it. `project_id` comes from the domain's metadata, which
    only the cloud's own tools write; None when there is none."""

    id: str
    host: str
    name: str
    project_id: str | None
    running: bool
    shared_memory: bool = False
    free_ports: int = 0
    tags: tuple[str, ...] = ()
    updated_at: datetime


class ComputeHost(msgspec.Struct, frozen=True, kw_only=True):
    """A host that can attach shares, as its agent last reported."""

    host: str
    facts: dict[str, object] = {}
    heartbeat_at: datetime


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A compute host may mount a share: held by one of the share's access rules. There is none
    when the share's bytes are on that very host."""

    share_id: str
    host: str
    access_rule_id: str
    adopted: bool = False  # the user had made the rule, and keeps it


def default_tag(share_id: str, driver: str) -> str:
    """The share's id where it fits; for 9p the most of it that does."""
    return share_id if driver == "virtiofs" else f"rs-{share_id.replace('-', '')[:28]}"
