"""The compute host of a crash stage: its own libvirtd, one VM that runs, one that takes nothing.

It mounts shares over the network, so that each attachment has a rule and a grant, too.
"""

from contextlib import ExitStack

from tests.lab.build import build
from tests.lab.domain import Domain
from tests.lab.libvirtd import Libvirtd
from tests.lab.segment import Segment
from tests.live.service import Roadstead
from tests.roads.hypervisor import by_nfs, compute_leg, private_libvirtd, project_of, v1
from tests.temporary import Temporary
from tests.waiting import until

# A system without virtiofs: the driver refuses it for good when everything else is done.
_FREEBSD = (
    "<o:libosinfo xmlns:o='http://libosinfo.org/xmlns/libvirt/domain/1.0'>"
    "<o:os id='http://freebsd.org/freebsd/14.0'/></o:libosinfo>"
)


class ComputeHost(Temporary):
    """Between enter and exit; `begin` when the service runs."""

    address: str
    libvirtd: Libvirtd
    vm: Domain
    odd_vm: Domain

    def __init__(self, segment: Segment, service: Roadstead) -> None:
        self._segment, self._service = segment, service

    def _make(self, undo: ExitStack) -> None:
        self.address = undo.enter_context(compute_leg(self._segment))
        self.libvirtd = undo.enter_context(private_libvirtd(self._service))
        config = self._service.config
        config["compute"] |= by_nfs(self.address)
        config["backends"]["local"]["export_options"] = {"nfs3": True}

    def begin(self, stack: ExitStack) -> None:
        """The VMs are there, until the stack ends, and the API knows them."""
        image, project = build(), project_of(self._service, "demo")
        # With a NUMA cell: see what libvirt 9 forgets at its restart.
        vm = Domain(self.libvirtd, image, name="vm", project_id=project, numa=True)
        odd = Domain(
            self.libvirtd, image, name="odd", project_id=project, metadata=_FREEBSD, running=False
        )
        self.vm, self.odd_vm = stack.enter_context(vm), stack.enter_context(odd)
        api, wanted = self._service.api(), {"vm": True, "odd": False}

        def known() -> dict[str, bool]:
            return {v["name"]: v["running"] for v in v1(api, "GET", "/vms")["vms"]}

        until(lambda: known() == wanted, "the API knows the VMs", why=known)
