"""What a compute host needs to hand shares to its VMs: the hypervisor road's checks."""

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from roadstead.config.sections import Config
from roadstead.drivers.host import mounts
from roadstead.drivers.host.needs import (
    MISSING,
    OK,
    WARN,
    Check,
    State,
    fact,
    kvm,
    nearest_directory,
    python_packages,
    tool,
)
from roadstead.drivers.host.nfs import means
from roadstead.drivers.hypervisor import checks
from roadstead.drivers.hypervisor.libvirt import daemon
from roadstead.drivers.hypervisor.libvirt import facts as libvirt_facts
from roadstead.drivers.hypervisor.libvirt.connection import Connection
from roadstead.model.errors import RoadsteadError
from roadstead.model.hosts import HostFacts, VirtiofsdFacts

ROAD = "hypervisor"
_VIRTIOFSD_FIX = "apt install virtiofsd; on Debian 12 qemu-system-common has it"
_NFS_FIX = (
    "apt install nfs-common and load the kernel's nfsv4 module, for shares of other storage hosts; "
    "without it: apt install fuse3 libfuse3-3 libnfs13, and the Python package mfusepy"
)


def hypervisor(config: Config) -> Iterator[Check]:
    """What attaching a share to a VM of this host needs."""
    options = config.compute.hypervisor_options
    virtiofsd = daemon.find(str(options.get("virtiofsd", "")))
    yield tool(ROAD, "qemu-system-x86_64", ["--version"], "apt install qemu-system-x86")
    yield _kvm()
    yield tool(ROAD, "libvirtd", ["--version"], "apt install libvirt-daemon-system")
    packages = python_packages(ROAD, ("libvirt",), "pip install roadstead[libvirt]")
    yield packages
    if packages.state == OK:
        yield from _libvirt(str(options.get("uri", "qemu:///system")), virtiofsd)
    yield _virtiofsd(virtiofsd)
    yield _sandbox()
    yield _shared_memory()
    yield _nfs_client()
    yield _propagation(Path(config.compute.mounts or f"{config.run_directory}/compute"))


def _kvm() -> Check:
    """Not needed: QEMU emulates, slowly."""
    found = kvm(ROAD)
    if found.state == OK:
        return found
    return Check(
        road=ROAD, name="kvm", state=WARN, found=f"{found.found}; guests by TCG", fix=found.fix
    )


def _libvirt(uri: str, virtiofsd: VirtiofsdFacts | None) -> Iterator[Check]:
    """It answers at that URI, runs QEMU, and can do what attachments need."""
    name = "libvirt"
    try:
        with Connection(uri).using() as connection:
            host = libvirt_facts.host_facts(connection, virtiofsd)
    except RoadsteadError as error:
        fix = "systemctl start libvirtd, or set uri in [compute.hypervisor_options]"
        yield Check(road=ROAD, name=name, state=MISSING, found=str(error)[:120], fix=fix)
        return
    old = checks.version(host.libvirt) < checks.version(checks.LIBVIRT_MINIMUM)
    old = old or checks.version(host.qemu) < checks.version(checks.QEMU_MINIMUM)
    yield fact(
        ROAD,
        name,
        not old,
        f"{host.libvirt} with QEMU {host.qemu} at {uri}",
        f"upgrade to libvirt {checks.LIBVIRT_MINIMUM} and QEMU {checks.QEMU_MINIMUM} or newer",
    )
    yield from _abilities(host, virtiofsd)


def _abilities(host: HostFacts, virtiofsd: VirtiofsdFacts | None) -> Iterator[Check]:
    if virtiofsd is not None:
        known = host.virtiofsd is not None and host.shared_memory
        fix = "upgrade QEMU; without it only 9p is left, which cannot be plugged into a running VM"
        found = "hot attachment" if known else "this QEMU has no vhost-user-fs or no memfd"
        yield Check(road=ROAD, name="virtiofs", state=OK if known else WARN, found=found, fix=fix)
    blockers = "; ".join(host.live_migration_reasons)
    yield Check(
        road=ROAD,
        name="live migration",
        state=WARN if blockers else OK,
        found=blockers or "possible with virtiofs devices",
        fix="VMs with attachments stop to move; Debian 13 or backports have newer versions",
    )


def _virtiofsd(found: VirtiofsdFacts | None) -> Check:
    """C or Rust; without one only 9p is left."""
    name = "virtiofsd"
    if found is None:
        return Check(road=ROAD, name=name, state=MISSING, fix=_VIRTIOFSD_FIX)
    by = "QEMU's, in C" if found.flavour == "c" else "in Rust"
    what = f"{found.version} ({by}) at {found.path}"
    if "sgid-safe" not in found.features:
        fix = "upgrade: this one leaks groups through set-group-ID directories"
        return Check(road=ROAD, name=name, state=WARN, found=what, fix=fix)
    return Check(road=ROAD, name=name, state=OK, found=what)


def _sandbox() -> Check:
    """What keeps virtiofsd in the share."""
    name = "sandbox"
    if os.geteuid() != 0:
        return Check(road=ROAD, name=name, state=WARN, found="not tried", fix="run as root")
    kind = libvirt_facts.sandbox()
    state: State = OK if kind == "namespace" else WARN
    fix = "allow root to make mount, PID and network namespaces"
    return Check(road=ROAD, name=name, state=state, found=kind, fix=fix)


def _shared_memory() -> Check:
    """Memory that virtiofsd and a VM can share: tried with one page."""
    name = "shared memory"
    try:
        fd = os.memfd_create("roadstead-doctor", os.MFD_CLOEXEC)
        try:
            os.ftruncate(fd, mmap.PAGESIZE)
            mmap.mmap(fd, mmap.PAGESIZE).close()
        finally:
            os.close(fd)
    except OSError as error:
        found = f"memfd: {error.strerror}"
        return Check(road=ROAD, name=name, state=MISSING, found=found, fix="allow memfd_create(2)")
    return Check(road=ROAD, name=name, state=OK, found="memfd, tried")


def _nfs_client() -> Check:
    """For shares whose bytes are elsewhere; those of this host's own pools need none."""
    client, name = means.facts().nfs_client, "NFS client"
    if client == "kernel":
        return Check(road=ROAD, name=name, state=OK, found="the kernel's")
    found = (
        "FUSE over libnfs: works, slowly" if client else "none: only shares of this host's pools"
    )
    return Check(road=ROAD, name=name, state=WARN, found=found, fix=_NFS_FIX)


def _propagation(directory: Path) -> Check:
    """Whether libvirtd's processes see what is mounted there after they started."""
    name, here = "mounts are shared", nearest_directory(directory)
    at = mounts.id_at(here)
    carrier = next((m for group in mounts.table().values() for m in group if m.id == at), None)
    if carrier is not None and carrier.shared:
        return Check(road=ROAD, name=name, state=OK, found=f"{carrier.point} is shared")
    return Check(
        road=ROAD,
        name=name,
        state=WARN,
        found=f"{carrier.point if carrier else here} is private",
        fix="mount --make-rshared /, or start libvirtd after Roadstead, which shares its directory",
    )
