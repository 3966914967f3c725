"""What passes between the recipes and the drivers of a compute host: what the host and its VMs
are able to do, the filesystem devices wanted in a VM, and the mounts beneath them."""

import re

import msgspec

DRIVERS = ("virtiofs", "9p")
CACHES = ("never", "auto", "metadata", "always")
# Whose file owners the host sees: the guest's own, the guest's as extended attributes, always the
# VM's process, or the guest's moved to a range of the host's.
ID_MODES = ("passthrough", "mapped", "squash", "translated")
# The longest tag on the wire, in bytes: virtio 1.2 §5.11.4 and QEMU's MAX_TAG_LEN.
TAG_BYTES = {"virtiofs": 36, "9p": 31}
# The first character keeps `mount` from taking a tag for an option.
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class VirtiofsdFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The host's virtiofsd."""

    flavour: str  # "c" (QEMU's, up to 7.2) | "rust"
    version: str
    path: str
    # Of: readonly, translate-ids, file-handles, cache-metadata, locks, sgid-safe, migration
    features: tuple[str, ...] = ()


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a compute host can do (H-M3). The clients are filled in from MountFacts."""

    qemu: str
    libvirt: str
    virtiofsd: VirtiofsdFacts | None
    shared_memory: bool  # VMs can be given memory that virtiofsd shares
    live_migration: bool  # of a VM with a virtiofs device; never with 9p
    live_migration_reasons: tuple[str, ...] = ()  # what stands against it
    nfs_client: str | None = None  # "kernel" | "fuse"
    cephfs_client: str | None = None


class MountFacts(msgspec.Struct, frozen=True, kw_only=True):
    """By which means a compute host can mount shares that are elsewhere."""

    nfs_client: str | None  # "kernel" | "fuse"
    cephfs_client: str | None
    directory: str = ""  # where shares are mounted


class GuestFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A VM as its hypervisor knows it."""

    id: str
    name: str
    project_id: str | None  # from the domain's metadata, never from a request; None = unknown
    running: bool
    persistent: bool  # has a configuration for its next start
    shared_memory: bool
    free_ports: int  # into which a device can be plugged now
    machine: str
    tags: dict[str, str | None] = {}  # taken; tag: attachment id, None = a device not of ours
    # Paused, because it is about to start, or to come or go by a migration: it does not run.
    moving: bool = False
    os: str | None = None  # libosinfo's id, if its metadata tells: http://debian.org/debian/12


class DeviceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A filesystem device wanted in a VM."""

    attachment_id: str
    vm_id: str
    tag: str
    source: str  # the attachment's own directory, from HostMounts.ensure_bound
    driver: str = "virtiofs"
    read_only: bool = False
    cache: str = "never"
    ids: str | None = None  # of ID_MODES; None = passthrough for virtiofs, mapped for 9p
    # Between guests, where the daemon can. QEMU's virtiofsd then refuses every lock that would
    # wait (EOPNOTSUPP), held or not: for programs that only ever try.
    enforce_locks: bool = False
    live: bool = True  # into the running VM, too; False = at its next start


class DeviceRef(msgspec.Struct, frozen=True, kw_only=True):
    attachment_id: str
    vm_id: str


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A filesystem device as it is in a VM."""

    attachment_id: str
    vm_id: str
    tag: str
    source: str
    driver: str
    read_only: bool
    cache: str
    ids: str
    plugged: str  # "live" (this run only) | "config" (from the next start on) | "both"
    locks: str  # between guests: "enforced" | "not enforced"
    mount_command: str  # for the guest


class MissingFact(msgspec.Struct, frozen=True, kw_only=True):
    """Something that stands against an attachment, and what to do about it."""

    # tag, tag-taken, driver, cache, ids, locks, versions, virtiofsd, shared-memory, guest-os,
    # persistent; only against a hot one: 9p-is-cold, port
    code: str
    fact: str
    fix: str


class MountSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A share instance wanted on a compute host, once for each level."""

    instance_id: str
    level: str  # "rw" | "ro"
    kind: str  # "bind" | "nfs" | "fuse-nfs"
    source: str  # a directory of this host for bind, else `host:/path`


class BindSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One attachment's own view of a mounted share."""

    attachment_id: str
    mount: str  # what ensure_mounted returned
    read_only: bool
    subdirectory: str = ""  # of the share; a tenant may have named it


def is_tag(tag: str, driver: str) -> bool:
    """Whether the tag fits on the wire and is safe in a command line."""
    return _TAG.fullmatch(tag) is not None and len(tag) <= TAG_BYTES[driver]


def mount_command(driver: str, tag: str, *, read_only: bool, cache: str) -> str:
    """The command by which a Linux guest mounts the device on /mnt."""
    options = ["ro"] if read_only else []
    if driver == "9p":
        # `loose` would never see what another client writes; `mmap` allows shared mappings.
        behaviour = "none" if cache == "never" else "mmap"
        options += ["trans=virtio", "version=9p2000.L", "msize=512000", f"cache={behaviour}"]
    return (
        " ".join(["mount", "-t", driver, *(["-o", ",".join(options)] if options else []), tag])
        + " /mnt"
    )
