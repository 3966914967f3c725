"""A libvirtd with real guests as a bench for the hypervisor suite."""

import contextlib
import os
import select
import signal
import tempfile
from pathlib import Path

from roadstead.conformance.hypervisor_bench import HypervisorBench
from roadstead.drivers.compute import users
from roadstead.drivers.hypervisor.libvirt.driver import LibvirtHypervisor
from roadstead.model import hosts as h
from tests.conformance.local_mounts import Shares, local_mounts
from tests.lab.build import Image
from tests.lab.domain import Domain
from tests.lab.libvirtd import Libvirtd
from tests.lab.requirements import LabError
from tests.temporary import Temporary
from tests.waiting import in_time

PORTS = 4


class LibvirtLab(Temporary):
    """Lives as long as a test module; one running guest is handed on from test to test."""

    def __init__(self, image: Image, *, virtiofsd: str = "") -> None:
        self.image = image
        self._virtiofsd = virtiofsd
        self._idle: Domain | None = None
        self.domains: dict[str, Domain] = {}

    def _make(self, undo: contextlib.ExitStack) -> None:
        directory = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="rs-hv-")))
        self.shares = undo.enter_context(Shares(directory / "pool"))
        self.mounts = undo.enter_context(local_mounts(directory / "compute"))
        self.libvirtd = undo.enter_context(Libvirtd(shared=[directory / "compute"]))
        options = LibvirtHypervisor.Options(
            uri=self.libvirtd.uri,
            directory=str(directory / "hypervisor"),
            mounts=str(directory / "compute"),
            virtiofsd=self._virtiofsd,
        )
        self.driver = LibvirtHypervisor(options)

    def bench(self) -> HypervisorBench:
        """The driver, and hands on its VMs."""
        return HypervisorBench(
            driver=self.driver,
            mounts=self.mounts,
            make_source=lambda: str(self.shares.make()),
            vm=self.vm,
            start=lambda vm: self.domains[vm].power_on(),
            stop=lambda vm: self.domains[vm].power_off(),
            remove=self.remove,
            kill_daemon=self.kill_daemon,
        )

    def vm(
        self,
        *,
        running: bool = True,
        shared_memory: bool = True,
        ports: int = PORTS,
        project_id: str | None = None,
        name: str = "",
    ) -> str:
        """A guest; the idle one when that will do."""
        plain = running and shared_memory and ports == PORTS and not (project_id or name)
        if plain and self._idle is not None:
            domain, self._idle = self._idle, None
        else:
            domain = Domain(
                self.libvirtd,
                self.image,
                running=running,
                shared_memory=shared_memory,
                ports=ports + 1,  # libvirt's own virtio-serial controller takes one
                project_id=project_id,
                name=name,
            ).__enter__()
        self.domains[domain.id] = domain
        return domain.id

    def remove(self, vm_id: str) -> None:
        """The guest is off and undefined."""
        self.domains.pop(vm_id).close()

    def kill_daemon(self, attachment_id: str) -> None:
        """Every process of the attachment's virtiofsd has ended by SIGKILL."""
        (point,) = self.mounts.layout.binds_of(attachment_id)
        pids = users.of(point)
        assert pids
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                end(pid)

    def clean(self) -> None:
        """Nothing of the last test is left but, if it still runs, one guest without devices."""
        for domain in list(self.domains.values()):
            found = self.driver.find_guest(domain.id)
            keep = self._idle is None and found is not None and _is_plain(found, domain)
            for attachment_id in found.tags.values() if keep and found else ():
                ref = h.DeviceRef(attachment_id=str(attachment_id), vm_id=domain.id)
                self.driver.ensure_detached(ref)
            if keep:
                self._idle = domain
                del self.domains[domain.id]
            else:
                self.remove(domain.id)
        for mark in list(self.mounts.inventory()):
            if mark.kind == "bind":
                self.mounts.ensure_unbound(mark.id)
        for mark in list(self.mounts.inventory()):
            instance_id, _, level = mark.id.partition("/")
            self.mounts.ensure_unmounted(instance_id, level)


def end(pid: int) -> None:
    """The process has ended by SIGKILL."""
    fd = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(fd, signal.SIGKILL)
        if not select.select([fd], [], [], 10)[0]:
            raise LabError(f"process {pid} does not end")
    finally:
        os.close(fd)
    # A zombie until whoever inherited it has looked.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        in_time(lambda: not Path(f"/proc/{pid}/cmdline").read_bytes(), 10)


def _is_plain(found: h.GuestFacts, domain: Domain) -> bool:
    nine = "type='path'" in domain.live_xml() or "accessmode='mapped'" in domain.live_xml()
    return found.running and found.shared_memory and not nine and domain.ports == PORTS + 1
