"""A wanted device and a found <filesystem> as one and the same kind of answer."""

from pathlib import Path

from roadstead.drivers.host import mount_table as table
from roadstead.drivers.hypervisor import checks
from roadstead.drivers.hypervisor.libvirt import daemon
from roadstead.drivers.hypervisor.libvirt.xml import Filesystem
from roadstead.model import hosts as h
from roadstead.model.errors import BadRequest, Conflict, NotFound


def plugged(live: bool, config: bool) -> str:
    """Where a device is, in the Protocol's words."""
    return "both" if live and config else "live" if live else "config"


def wanted(spec: h.DeviceSpec, where: str) -> h.Device:
    """The device as the spec has it."""
    return h.Device(
        attachment_id=spec.attachment_id,
        vm_id=spec.vm_id,
        tag=spec.tag,
        source=spec.source,
        driver=spec.driver,
        read_only=spec.read_only,
        cache=spec.cache,
        ids=spec.ids or checks.default_ids(spec.driver),
        plugged=where,
        locks="enforced" if spec.enforce_locks else "not enforced",
        mount_command=h.mount_command(
            spec.driver, spec.tag, read_only=spec.read_only, cache=spec.cache
        ),
    )


def check_same(spec: h.DeviceSpec, half: Filesystem, wrappers: daemon.Wrappers) -> None:
    """The device found is the one wanted; else Conflict, naming the first difference."""
    pairs: list[tuple[str, object, object]] = [
        ("tag", half.tag, spec.tag),
        ("source", half.source, spec.source),
        ("driver", half.driver, spec.driver),
        ("locks", half.locks, spec.enforce_locks),
    ]
    chosen = spec.ids or checks.default_ids(spec.driver)
    if half.driver == "9p":
        pairs += [("level", half.read_only, spec.read_only), ("ids", half.access_mode, chosen)]
    else:
        shown = "auto" if spec.cache == "metadata" else spec.cache
        found = "translated" if wrappers.translates(spec.attachment_id) else "passthrough"
        pairs += [("cache", half.cache, shown), ("ids", found, chosen)]
    for name, found, want in pairs:
        if found != want:
            raise Conflict(f"attachment {spec.attachment_id} exists with {name} {found!r}")


def check_source(spec: h.DeviceSpec, mounts: Path) -> None:
    """The source is the attachment's own mount, and read-only where the device is to be so.

    It must be a mount: what lies beneath an absent one is the host's.
    """
    source = Path(spec.source)
    if source.name != spec.attachment_id or not source.is_relative_to(mounts):
        raise BadRequest(f"{spec.source} is not a directory of this attachment")
    seen = table.at(source)
    if seen is None:
        raise NotFound(f"nothing is mounted at {spec.source}")
    if spec.read_only and not seen.read_only:
        raise Conflict(f"{spec.source} is not mounted read-only")


def problem(pids: list[int] | None, share: table.Seen | None) -> str | None:
    """What is wrong with the daemon of a device in a running VM; None = nothing."""
    if not pids:
        return "its virtiofsd is dead; restart the VM"
    if share is None:
        return "its share is not mounted on the host; restart the VM once it is"
    if not daemon.serves(pids, share):
        return "its virtiofsd does not serve the share as it is mounted now; restart the VM"
    return None
