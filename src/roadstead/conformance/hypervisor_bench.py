"""A hypervisor driver under test, and hands on its world."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from roadstead.drivers.base.compute import HostMounts, Hypervisor
from roadstead.model import hosts as h
from roadstead.model import world as w
from roadstead.model.ids import new_id


class VmMaker(Protocol):
    """Makes VMs; `ports` is how many devices can be plugged in."""

    def __call__(
        self,
        *,
        running: bool = True,
        shared_memory: bool = True,
        ports: int = 4,
        project_id: str | None = None,
        name: str = "",
    ) -> str: ...


@dataclass
class HypervisorBench:
    """A driver, and hands on its world."""

    driver: Hypervisor
    mounts: HostMounts
    make_source: Callable[[], str]  # a local directory on which a share is mounted
    vm: VmMaker
    start: Callable[[str], None]
    stop: Callable[[str], None]
    remove: Callable[[str], None]
    kill_daemon: Callable[[str], None]  # by attachment id

    def spec(self, vm_id: str, **changes: object) -> h.DeviceSpec:
        """A device for the VM, its share mounted and bound (`bound_read_only` if asked)."""
        bound_read_only = bool(changes.pop("bound_read_only", False))
        mounted = self.mounts.ensure_mounted(
            h.MountSpec(instance_id=new_id(), level="rw", kind="bind", source=self.make_source())
        )
        attachment_id = new_id()
        source = self.mounts.ensure_bound(
            h.BindSpec(attachment_id=attachment_id, mount=mounted, read_only=bound_read_only)
        )
        values: dict[str, object] = {
            "attachment_id": attachment_id,
            "vm_id": vm_id,
            "tag": attachment_id[:8],
            "source": source,
        }
        return h.DeviceSpec(**(values | changes))  # type: ignore[arg-type]

    def guest(self, vm_id: str) -> h.GuestFacts:
        found = self.driver.find_guest(vm_id)
        assert found is not None
        return found

    def mark(self, spec: h.DeviceSpec) -> w.Mark | None:
        found = [mark for mark in self.driver.inventory() if mark.id == spec.attachment_id]
        assert len(found) < 2
        return found[0] if found else None

    def where(self, spec: h.DeviceSpec) -> object:
        """Where the device is plugged; None when it is not there. It must be whole."""
        mark = self.mark(spec)
        assert mark is None or mark.broken is None
        return mark and mark.facts["plugged"]


def ref(spec: h.DeviceSpec) -> h.DeviceRef:
    return h.DeviceRef(attachment_id=spec.attachment_id, vm_id=spec.vm_id)


def codes(facts: tuple[h.MissingFact, ...]) -> list[str]:
    assert all(fact.fact and fact.fix for fact in facts)
    return [fact.code for fact in facts]
