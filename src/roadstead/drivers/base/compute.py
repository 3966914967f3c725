"""What the drivers of a compute host must offer; the rules of `drivers.base` hold here, too.

The way of an attachment: ensure_mounted (once per share and level), ensure_bound (one view per
attachment), ensure_attached (the device). Away again in the reverse order, each step only after
the one before has returned.
"""

from collections.abc import Iterator
from typing import Protocol

from roadstead.model import hosts as h
from roadstead.model import world as w


class Hypervisor(Protocol):
    """Hands directories of its host to VMs."""

    def capabilities(self) -> h.HostFacts:
        """What the host can do now. Transient while the hypervisor does not answer."""
        ...

    def guests(self) -> list[h.GuestFacts]:
        """Every VM of the host, running or not."""
        ...

    def find_guest(self, name_or_id: str) -> h.GuestFacts | None:
        """The VM of that UUID or, if there is none, of that name; None otherwise."""
        ...

    def why_not(self, spec: h.DeviceSpec) -> tuple[h.MissingFact, ...]:
        """What stands against the device even at the VM's next start; empty = nothing.

        NotFound when the VM is unknown.
        """
        ...

    def why_not_hot(self, spec: h.DeviceSpec) -> tuple[h.MissingFact, ...]:
        """What stands against the device in the VM as it runs now, including `why_not`. A VM that
        does not run needs nothing hot. NotFound when the VM is unknown."""
        ...

    def ensure_attached(self, spec: h.DeviceSpec) -> h.Device:
        """The VM has the device: in its configuration, and where it runs and `live` is set, plugged
        into it. Half-done attachments of a killed call are completed.

        Conflict when the attachment exists otherwise, or the tag is taken; Unsupported for every
        other fact that `why_not` or, with `live`, `why_not_hot` names; NotFound for an unknown VM.
        Read-only is believed only if `source` is a read-only mount.
        """
        ...

    def ensure_detached(self, ref: h.DeviceRef, *, force: bool = False) -> None:
        """Neither the running VM nor its configuration has the device, and no process of ours
        serves it. An unknown VM or device is success.

        Waits for the device's removal with a limit. Transient when the VM has not released it: a
        running VM keeps a 9p device until it is powered off. With `force` such a VM IS powered
        off, as if by pulling its plug.
        """
        ...

    def inventory(self) -> Iterator[w.Mark]:
        """Kind device, id = attachment id: every device of ours; facts vm_id, tag, source, driver,
        plugged; broken when its daemon is dead under the running VM (only a restart of the VM
        helps). Kind virtiofsd: a daemon of ours that serves no running VM; always broken."""
        ...

    def wait_for_change(self, seen: int, seconds: float) -> int:
        """The number of changes so far, as soon as it is not `seen` or `seconds` have passed.

        A change is a hint to look again: a VM started, stopped or was undefined, a device left, a
        daemon died since an earlier wait. Some may be missed while libvirt cannot be reached:
        then Transient.
        """
        ...


class HostMounts(Protocol):
    """Brings shares into the file tree of a compute host."""

    def capabilities(self) -> h.MountFacts:
        """By which means shares can be mounted."""
        ...

    def ensure_ready(self) -> None:
        """Mounts can be made. Called at every agent start, before VMs are started."""
        ...

    def ensure_mounted(self, spec: h.MountSpec) -> str:
        """The path where the share is mounted, with neither setuid nor devices, read-only for `ro`.

        A mount that shows something else (its pool was mounted anew, its server is gone) is
        replaced if no attachment uses it, else Conflict. Unsupported without a means.
        """
        ...

    def ensure_unmounted(self, instance_id: str, level: str) -> None:
        """The share is not mounted at that level. InUse while an attachment is bound to it."""
        ...

    def ensure_bound(self, spec: h.BindSpec) -> str:
        """The path of the attachment's own view of the share, at no moment more than its level.

        The path's last part is the attachment's id. Nothing under it can lead out of the share:
        a subdirectory is reached without following any link. NotFound when the share is not
        mounted or has no such directory, Conflict when the view exists otherwise.
        """
        ...

    def ensure_unbound(self, attachment_id: str) -> None:
        """The attachment has no view. InUse while something serves it or is open in it."""
        ...

    def ensure_all_unmounted(self) -> None:
        """No share and no view is mounted, and nothing else of the driver is in the mount table.
        InUse while something serves a view or is open in it; the others are gone then."""
        ...

    def inventory(self) -> Iterator[w.Mark]:
        """Kinds mount (id `<instance id>/<level>`; facts instance_id, level, source, users) and
        bind (id = attachment id; facts mount, read_only); broken says what is missing."""
        ...
