"""VMs as libvirt describes them: how each runs, and how it will start next."""

from typing import Any

import msgspec

from roadstead.drivers.hypervisor.libvirt import binding
from roadstead.drivers.hypervisor.libvirt import xml as libvirt_xml
from roadstead.drivers.hypervisor.libvirt.xml import Domain, Filesystem
from roadstead.model import hosts as h
from roadstead.model.errors import NotFound, Transient


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One VM at one moment; at least one half is there."""

    live: Domain | None  # None = it does not run
    config: Domain | None  # None = it is transient
    moving: bool = False  # it starts, comes or goes: nothing is known but its name

    @property
    def any(self) -> Domain:
        """The half that tells name and project."""
        found = self.config or self.live
        assert found is not None  # noqa: S101  # look() sees to it
        return found

    @property
    def now(self) -> Domain:
        """The VM as it runs, or else as it will start."""
        return self.live or self.any

    def attachments(self) -> list[str]:
        """Whose devices of ours the VM has, in either half."""
        domains = [domain for domain in (self.live, self.config) if domain is not None]
        names = dict.fromkeys(f.attachment_id for d in domains for f in d.filesystems)
        return [name for name in names if name is not None]

    def halves(self, attachment_id: str) -> tuple[Filesystem | None, Filesystem | None]:
        """The attachment's device in the running VM, and in its configuration."""
        live = self.live and self.live.find(attachment_id)
        config = self.config and self.config.find(attachment_id)
        return live, config


def all_of(connection: Any) -> list[tuple[Any, Seen]]:
    """Every domain, with what was seen of it."""
    pairs = [(domain, look(domain)) for domain in connection.listAllDomains()]
    return [(domain, seen) for domain, seen in pairs if seen is not None]


def find(connection: Any, vm_id: str) -> tuple[Any, Seen | None]:
    """The domain of that UUID, if there is one."""
    # By id only: a VM's name may be anything, another VM's id as well.
    domain = _looked_up(connection.lookupByUUIDString, vm_id)
    return domain, None if domain is None else look(domain)


def find_named(connection: Any, name: str) -> Seen | None:
    """The VM of that name, if there is one."""
    domain = _looked_up(connection.lookupByName, name)
    return None if domain is None else look(domain)


def known(connection: Any, vm_id: str) -> tuple[Any, Seen]:
    """The domain of that UUID. NotFound when there is none, Transient while it moves."""
    domain, seen = find(connection, vm_id)
    if seen is None:
        raise NotFound(f"VM {vm_id} is not on this host")
    check_still(seen)
    return domain, seen


def check_still(seen: Seen) -> None:
    """Transient while the VM starts or migrates: what devices it has cannot be told."""
    if seen.moving:
        raise Transient(f"VM {seen.any.name} is about to start or to migrate")


def _is_moving(lib: Any, domain: Any) -> bool:
    """Whether it is paused because it comes (which libvirt calls starting up) or goes."""
    state, reason = domain.state()
    return state == lib.VIR_DOMAIN_PAUSED and reason in (
        lib.VIR_DOMAIN_PAUSED_STARTING_UP,
        lib.VIR_DOMAIN_PAUSED_MIGRATION,
        lib.VIR_DOMAIN_PAUSED_POSTCOPY,
        lib.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED,
    )


def _unread(domain: Any) -> Domain:
    """As much as is known without its description: libvirt would give that only once all of its
    memory has come."""
    return Domain(
        id=domain.UUIDString(),
        name=domain.name(),
        project_id=None,
        machine="",
        os=None,
        shared_memory=False,
        free_ports=0,
        filesystems=(),
    )


def is_live(domain: Any, attachment_id: str) -> bool:
    """Whether the VM runs and has the device."""
    seen = look(domain)
    return seen is not None and seen.halves(attachment_id)[0] is not None


def _looked_up(lookup: Any, key: str) -> Any | None:
    lib = binding.load()
    try:
        return lookup(key)
    except lib.libvirtError as error:
        # A name is no UUID, which libvirt calls an invalid argument.
        if error.get_error_code() not in (lib.VIR_ERR_NO_DOMAIN, lib.VIR_ERR_INVALID_ARG):
            raise
    return None


def look(domain: Any) -> Seen | None:
    """The VM; None when it vanished meanwhile."""
    lib = binding.load()
    try:
        if _is_moving(lib, domain):
            return Seen(live=_unread(domain), config=None, moving=True)
        live = config = None
        if domain.isPersistent():
            config = libvirt_xml.parse(domain.XMLDesc(lib.VIR_DOMAIN_XML_INACTIVE))
        if domain.isActive():
            live = libvirt_xml.parse(domain.XMLDesc(0))
    except lib.libvirtError as error:
        if error.get_error_code() != lib.VIR_ERR_NO_DOMAIN:
            raise
        return None
    if live is None and config is None:
        return None
    return Seen(live=live, config=config)


def facts(seen: Seen, *, now: bool) -> h.GuestFacts:
    """The VM as it runs, or (not `now`) as it will be from its next start on."""
    half = seen.now if now else seen.any
    halves = [domain for domain in (seen.config, seen.live) if domain is not None]
    return h.GuestFacts(
        id=half.id,
        name=half.name,
        project_id=half.project_id,
        running=seen.live is not None,
        moving=seen.moving,
        persistent=seen.config is not None,
        shared_memory=half.shared_memory,
        free_ports=half.free_ports,
        machine=half.machine,
        tags={f.tag: f.attachment_id for domain in halves for f in domain.filesystems},
        os=half.os,
    )
