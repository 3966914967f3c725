"""What stands against a device, for every hypervisor driver alike; pure."""

from collections.abc import Iterator, Sequence

from roadstead.drivers.hypervisor import guest_os
from roadstead.model import hosts as h
from roadstead.model.errors import Conflict, Unsupported
from roadstead.model.hosts import MissingFact

QEMU_MINIMUM, LIBVIRT_MINIMUM = "5.0", "6.2"  # the first with virtiofs


def version(text: str) -> tuple[int, ...]:
    """A version as numbers that compare."""
    parts = text.split(".")
    return tuple(int(part) if part.isdigit() else 0 for part in parts)


def default_ids(driver: str) -> str:
    """Whose file owners the host sees if nobody said."""
    return "passthrough" if driver == "virtiofs" else "mapped"


def at_all(spec: h.DeviceSpec, guest: h.GuestFacts, host: h.HostFacts) -> tuple[MissingFact, ...]:
    """What stands against the device even at the VM's next start."""
    if spec.driver not in h.DRIVERS:
        drivers = " or ".join(h.DRIVERS)
        return (_fact("driver", f"there is no driver {spec.driver!r}", f"use {drivers}"),)
    per_driver = _virtiofs(spec, guest, host) if spec.driver == "virtiofs" else _nine_p(spec)
    return (*_any(spec, guest), *per_driver, *guest_os.missing(guest.os, spec.driver))


def hot(spec: h.DeviceSpec, guest: h.GuestFacts, host: h.HostFacts) -> tuple[MissingFact, ...]:
    """What stands against the device in the VM as it runs now."""
    return (*at_all(spec, guest, host), *_hot(spec, guest))


def refuse(facts: Sequence[MissingFact]) -> None:
    """Conflict when a tag is taken, Unsupported for anything else; returns if there is nothing."""
    if facts:
        text = "; ".join(f"{fact.fact} ({fact.fix})" for fact in facts)
        raise (Conflict if facts[0].code == "tag-taken" else Unsupported)(text)


def _fact(code: str, fact: str, fix: str) -> MissingFact:
    return MissingFact(code=code, fact=fact, fix=fix)


def _any(spec: h.DeviceSpec, guest: h.GuestFacts) -> Iterator[MissingFact]:
    limit = h.TAG_BYTES[spec.driver]
    if not h.is_tag(spec.tag, spec.driver):
        fix = f"use 1 to {limit} of A-Z a-z 0-9 _ . - with a letter or digit first"
        yield _fact("tag", f"{spec.tag!r} cannot be a tag of {spec.driver}", fix)
    if guest.tags.get(spec.tag, spec.attachment_id) != spec.attachment_id:
        fact = f"the VM has another filesystem with the tag {spec.tag!r}"
        yield _fact("tag-taken", fact, "choose another tag")
    if spec.cache not in h.CACHES:
        yield _fact("cache", f"there is no cache mode {spec.cache!r}", "use " + ", ".join(h.CACHES))
    if not guest.persistent and not spec.live:
        fact = "the VM is transient: there is no configuration for its next start"
        yield _fact("persistent", fact, "define the VM, or attach hot")


def _virtiofs(spec: h.DeviceSpec, guest: h.GuestFacts, host: h.HostFacts) -> Iterator[MissingFact]:
    if not guest.shared_memory:
        yield _fact(
            "shared-memory",
            "the VM's memory is not shared",
            "stop the VM and add <memoryBacking><source type='memfd'/><access mode='shared'/>"
            "</memoryBacking> to its definition, or use the driver 9p",
        )
    for name, found, least in (
        ("QEMU", host.qemu, QEMU_MINIMUM),
        ("libvirt", host.libvirt, LIBVIRT_MINIMUM),
    ):
        if version(found) < version(least):
            yield _fact("versions", f"{name} {found} is older than {least}", "upgrade the host")
    if host.virtiofsd is None:
        yield _fact("virtiofsd", "the host has no virtiofsd", "install it, or use the driver 9p")
    else:
        yield from _daemon(spec, host.virtiofsd)


def _daemon(spec: h.DeviceSpec, daemon: h.VirtiofsdFacts) -> Iterator[MissingFact]:
    name = f"the host's virtiofsd ({daemon.flavour}, {daemon.version})"
    ids = spec.ids or default_ids("virtiofs")
    if spec.cache == "metadata" and "cache-metadata" not in daemon.features:
        yield _fact("cache", f"{name} has no cache mode metadata", "use never or auto")
    if ids not in ("passthrough", "translated"):
        yield _fact("ids", f"virtiofs cannot do ids {ids!r}", "use passthrough or translated")
    if ids == "translated" and "translate-ids" not in daemon.features:
        fix = "install virtiofsd 1.13 or newer, or use passthrough"
        yield _fact("ids", f"{name} cannot translate ids", fix)
    if spec.enforce_locks and "locks" not in daemon.features:
        fix = "attach without it, or use the direct or the network road"
        yield _fact("locks", f"{name} cannot enforce locks between guests", fix)


def _nine_p(spec: h.DeviceSpec) -> Iterator[MissingFact]:
    if spec.cache in ("metadata", "always"):
        yield _fact("cache", f"9p has no cache mode {spec.cache}", "use never or auto")
    if (spec.ids or default_ids("9p")) not in ("passthrough", "mapped", "squash"):
        yield _fact("ids", "9p cannot translate ids", "use mapped, passthrough or squash")
    if spec.enforce_locks:
        fix = "attach without it, or use the direct or the network road"
        yield _fact("locks", "9p cannot enforce locks between guests", fix)


def _hot(spec: h.DeviceSpec, guest: h.GuestFacts) -> Iterator[MissingFact]:
    if not guest.running:
        return
    if spec.driver == "9p":
        fix = "attach it for the next start (--cold), or use the driver virtiofs"
        yield _fact("9p-is-cold", "a 9p device cannot be plugged into a running VM", fix)
    elif guest.free_ports < 1:
        yield _fact(
            "port",
            "the VM has no free PCIe port",
            "detach a device, or attach it for the next start (--cold): libvirt adds ports then",
        )
