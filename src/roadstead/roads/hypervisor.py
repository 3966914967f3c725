"""Road hypervisor: the compute host has the share mounted, and its hypervisor hands it to the VM
through a filesystem device. The VM needs no route to any storage."""

import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

from roadstead.drivers.base.compute import HostMounts
from roadstead.drivers.base.compute import Hypervisor as HypervisorDriver
from roadstead.model.attachments import Attachment
from roadstead.model.errors import DriverError, Transient
from roadstead.model.hosts import BindSpec, Device, DeviceRef, DeviceSpec, MountSpec
from roadstead.model.shares import ShareInstance
from roadstead.roads.backend import Backend
from roadstead.roads.direct import Direct


class Hypervisor(Direct):
    """See `roadstead.roads.base.Road`. A compute host is one more client of what the backend's
    other road serves, or has the bytes itself; its VMs are its own matter."""

    name = "hypervisor"
    isolation = "hypervisor"
    serves = False


class Compute:
    """This host's hypervisor and its mounts of shares, with a lock per share."""

    def __init__(
        self,
        *,
        host: str,
        hypervisor: HypervisorDriver,
        mounts: HostMounts,
        backends: Mapping[str, Backend],
        storage_address: str,
        nfs: str | None,
        local_mounts: bool = True,
    ) -> None:
        """`storage_address` is what export servers see of this host; `nfs` how it mounts them
        ("nfs" by the kernel, "fuse-nfs", None = not at all); `backends` are those on this very
        host: their shares need no export, unless `local_mounts` is off."""
        self.host = host
        self.hypervisor = hypervisor
        self.mounts = mounts
        self.storage_address = storage_address
        self._backends = backends
        self._nfs = nfs
        self._local_mounts = local_mounts
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    @contextmanager
    def share_lock(self, share_id: str) -> Generator[None]:
        """One at a time per share: who needs its mount is read and acted on as one."""
        with self._guard:
            lock = self._locks.setdefault(share_id, threading.Lock())
        with lock:
            yield

    def is_local(self, instance: ShareInstance) -> bool:
        """The share's bytes are on this host and are taken from there."""
        return self._local_mounts and instance.host in self._backends

    @property
    def local_pools(self) -> list[str]:
        """Whose shares need no export to be mounted here."""
        return sorted(self._backends) if self._local_mounts else []

    @property
    def mounts_exports(self) -> bool:
        """Shares of other hosts can be mounted here."""
        return self._nfs is not None

    def mount_spec(self, instance: ShareInstance, level: str, paths: Sequence[str]) -> MountSpec:
        """How this host gets at the share. Transient while the share is not there; DriverError
        when this host cannot mount what the backend exports."""
        if self.is_local(instance):
            share = self._backends[instance.host].pool.find_share(instance.id)
            if share is None:
                raise Transient(f"the filesystem of share instance {instance.id} is not mounted")
            return MountSpec(instance_id=instance.id, level=level, kind="bind", source=share.path)
        if self._nfs is None:
            raise DriverError(
                f"host {self.host} has no NFS client: load the kernel's nfsv4 module, or set "
                "compute.nfs_client"
            )
        return MountSpec(
            instance_id=instance.id, level=level, kind=self._nfs, source=self._nearest(paths)
        )

    def _nearest(self, paths: Sequence[str]) -> str:
        """The export location of our own address family, else any."""
        if not paths:
            raise Transient("the share has no export location yet")
        six = ":" in self.storage_address
        return next((p for p in paths if p.startswith("[") == six), paths[0])


def ensure_mounted(
    compute: Compute, attachment: Attachment, instance: ShareInstance, paths: Sequence[str]
) -> str:
    """The share is mounted on this host at the attachment's level; returns where."""
    spec = compute.mount_spec(instance, attachment.access_level, paths)
    return compute.mounts.ensure_mounted(spec)


def ensure_bound(compute: Compute, attachment: Attachment, mount: str) -> str:
    """The VM's own view of the mounted share is there; returns where."""
    read_only = attachment.access_level == "ro"
    return compute.mounts.ensure_bound(
        BindSpec(attachment_id=attachment.id, mount=mount, read_only=read_only)
    )


def ensure_plugged(compute: Compute, attachment: Attachment, source: str) -> Device:
    """The VM has the device: now if it runs and the attachment is not cold, else from its next
    start."""
    return compute.hypervisor.ensure_attached(
        DeviceSpec(
            attachment_id=attachment.id,
            vm_id=attachment.vm_id,
            tag=attachment.tag,
            source=source,
            driver=attachment.driver,
            read_only=attachment.access_level == "ro",
            cache=attachment.cache,
            live=not attachment.cold,
        )
    )


def device_ref(attachment: Attachment) -> DeviceRef:
    """The attachment's device, wherever it is plugged."""
    return DeviceRef(attachment_id=attachment.id, vm_id=attachment.vm_id)
