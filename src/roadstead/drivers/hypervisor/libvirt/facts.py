"""What a host can do, as libvirt and its virtiofsd tell."""

import functools
from typing import Any

from roadstead.drivers.host.exec import run
from roadstead.drivers.hypervisor.checks import version
from roadstead.drivers.hypervisor.libvirt import xml as libvirt_xml
from roadstead.model import hosts as h
from roadstead.model.errors import DriverError, Transient

# The first that migrate a VM with a mounted virtiofs device. Tried: QEMU 7.2 refuses
# ("non-migratable device"), QEMU 10.0 with virtiofsd 1.13 does it under load.
MIGRATING_QEMU, MIGRATING_LIBVIRT = "10.0", "10.0"


def host_facts(connection: Any, virtiofsd: h.VirtiofsdFacts | None) -> h.HostFacts:
    """What the host can do now."""
    drivers, memory = libvirt_xml.device_types(connection.getDomainCapabilities())
    qemu, libvirt = _spelled(connection.getVersion()), _spelled(connection.getLibVersion())
    reasons = tuple(_migration_reasons(qemu, libvirt, virtiofsd))
    return h.HostFacts(
        qemu=qemu,
        libvirt=libvirt,
        virtiofsd=virtiofsd if "virtiofs" in drivers else None,
        shared_memory=bool(memory & {"memfd", "file"}),
        live_migration=not reasons,
        live_migration_reasons=reasons,
    )


@functools.cache
def sandbox() -> str:
    """The strongest sandbox for virtiofsd that this kernel lets root make; never none."""
    try:
        run(["unshare", "--mount", "--pid", "--net", "--fork", "true"], timeout=10)
    except (DriverError, Transient):
        return "chroot"
    return "namespace"


def _migration_reasons(qemu: str, libvirt: str, virtiofsd: h.VirtiofsdFacts | None) -> list[str]:
    reasons: list[str] = []
    for name, found, least in (
        ("QEMU", qemu, MIGRATING_QEMU),
        ("libvirt", libvirt, MIGRATING_LIBVIRT),
    ):
        if version(found) < version(least):
            reasons.append(f"{name} {found} cannot migrate virtiofs devices: {least} or newer can")
    if virtiofsd is None:
        reasons.append("there is no virtiofsd")
    elif "migration" not in virtiofsd.features:
        reasons.append(f"virtiofsd {virtiofsd.version} cannot hand its state on: 1.13 or newer can")
    return reasons


def _spelled(number: int) -> str:
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
