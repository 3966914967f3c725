"""A compute host: the service and a libvirtd of its own, and virtual machines without a network."""

from __future__ import annotations

import contextlib
from contextlib import ExitStack
from typing import TYPE_CHECKING

from demo.stage import traces
from demo.together import enter_together
from tests.lab.build import build
from tests.lab.domain import Domain
from tests.lab.libvirtd import Libvirtd
from tests.lab.segment import Segment
from tests.live.service import Roadstead
from tests.roads.hypervisor import project_of
from tests.temporary import Temporary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from demo.scene import Act


class ComputeHost(Temporary):
    """Between enter and exit both run, and see each other's mounts."""

    def __init__(self, service: Roadstead) -> None:
        self.service = service
        # Shared before either of them starts: libvirtd has a mount namespace of its own.
        mounts = service.state / "run/compute"
        mounts.mkdir(parents=True)
        self.libvirtd = Libvirtd(shared=[mounts])

    def _make(self, undo: ExitStack) -> None:
        # At the end the service stops, then goes what uses its mounts, then the mounts.
        undo.callback(self.service.clean_up)
        undo.enter_context(self.libvirtd)
        options = {"uri": self.libvirtd.uri}
        self.service.config["compute"] = {"hypervisor": "libvirt", "hypervisor_options": options}
        undo.callback(self.service.stop)
        self.service.start()


class HypervisorStage:
    """A compute host whose VMs have no network at all, until the stack closes."""

    def __init__(self, act: Act, stack: ExitStack, vms: Mapping[str, bool]) -> None:
        """vms: the name of each VM, and whether it runs from the beginning."""
        self.act = act
        image = build()
        self.segment = Segment()
        self.service = Roadstead(self.segment)
        self.host = ComputeHost(self.service)
        # Registered first, so that it looks when all the others have cleaned up.
        stack.callback(self._nothing_left)
        enter_together(act, stack, {"a bridge in network namespaces": self.segment})
        enter_together(act, stack, {"libvirtd, and roadstead up beside it": self.host})
        project = project_of(self.service, "demo")
        linux = (image.kernel.parent / "version").read_text().strip()
        self.vms = {
            name: Domain(self.host.libvirtd, image, name=name, project_id=project, running=running)
            for name, running in vms.items()
        }
        titles = {
            f"{name} boots Linux {linux}, without network" if vms[name] else f"{name} is off": vm
            for name, vm in self.vms.items()
        }
        enter_together(act, stack, titles)
        self.api = self.service.api()

    def openstack(self, *words: str) -> None:
        """The stock client has run, its command shown as typed."""
        with self.act.command(["openstack", "--os-cloud", "roadstead", *words]):
            self.service.openstack(*words)

    def roadstead(self, *words: str, show: bool = False) -> None:
        """Our own command has run as the demo user, shown as typed, its output if wanted."""
        words = (*words, "--cloud", "roadstead")
        with self.act.command(["roadstead", *words]):
            done = self.service.run("roadstead", *words, "--state", str(self.service.state))
        if show:
            self.act.screen.output(done.stdout)

    def _nothing_left(self) -> None:
        with contextlib.suppress(OSError):
            for name in ("run/compute", "run", ""):
                (self.service.state / name).rmdir()  # if the service was never started
        words = [self.service.state.name, self.segment.name]
        if hasattr(self.host.libvirtd, "directory"):
            words.append(self.host.libvirtd.directory.name)
        found = [trace for word in words for trace in traces(word)]
        found += [f"directory {self.service.state}"] if self.service.state.exists() else []
        if found:
            raise RuntimeError("\n".join(found))
