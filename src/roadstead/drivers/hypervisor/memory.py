"""A hypervisor without VMs: for tests, and as the shortest complete example of such a driver."""

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from roadstead.drivers.base.options import DriverOptions
from roadstead.drivers.compute.memory import MemoryMounts
from roadstead.drivers.hypervisor import checks
from roadstead.drivers.hypervisor.changes import Changes
from roadstead.drivers.hypervisor.libvirt.devices import plugged, wanted
from roadstead.model import hosts as h
from roadstead.model import ids
from roadstead.model import world as w
from roadstead.model.errors import BadRequest, Conflict, NotFound, Transient

VIRTIOFSD = h.VirtiofsdFacts(
    flavour="c", version="7.2.0", path="/memory/virtiofsd", features=("locks", "sgid-safe")
)
HOST = h.HostFacts(
    qemu="7.2.0",
    libvirt="9.0.0",
    virtiofsd=VIRTIOFSD,
    shared_memory=True,
    live_migration=False,
    live_migration_reasons=("there is nowhere to go",),
)


class _Vm:
    def __init__(self, facts: h.GuestFacts) -> None:
        self.facts = facts
        self.live: dict[str, h.DeviceSpec] = {}
        self.config: dict[str, h.DeviceSpec] = {}
        self.dead: set[str] = set()


class MemoryHypervisor:
    """VMs as objects; see `roadstead.drivers.base.compute.Hypervisor`. Refuses what libvirt does.

    With `mounts`, a source must be bound there at the right level. `fail["ensure_attached"] =
    Transient("…")` makes that method raise, before it does anything, until the entry is deleted.
    Tests make VMs by `add_guest` and play their owner by `start`, `stop`, `remove`, `receive`,
    `take_over` and `kill_daemon`.
    """

    class Options(DriverOptions, frozen=True):
        """None."""

    def __init__(
        self, options: Options, *, mounts: MemoryMounts | None = None, host: h.HostFacts = HOST
    ) -> None:
        self.fail: dict[str, Exception] = {}
        self._mounts = mounts
        self._host = host
        self._vms: dict[str, _Vm] = {}
        self._changes = Changes()
        self._lock = threading.RLock()

    def add_guest(
        self,
        name: str,
        *,
        project_id: str | None = None,
        running: bool = True,
        persistent: bool = True,
        shared_memory: bool = True,
        ports: int = 8,
        os: str | None = None,
    ) -> str:
        """The id of a new VM."""
        facts = h.GuestFacts(
            id=ids.new_id(),
            name=name,
            project_id=project_id,
            running=running,
            persistent=persistent,
            shared_memory=shared_memory,
            free_ports=ports,
            machine="q35",
            os=os,
        )
        with self._lock:
            self._vms[facts.id] = _Vm(facts)
        return facts.id

    def start(self, vm_id: str) -> None:
        """The VM runs, with the devices of its configuration."""
        with self._lock:
            vm = self._vms[vm_id]
            vm.live, vm.dead = dict(vm.config), set()
            vm.facts = msgspec.structs.replace(vm.facts, running=True)
            self._note_served()

    def stop(self, vm_id: str) -> None:
        """The VM is off; a transient one is gone."""
        with self._lock:
            vm = self._vms[vm_id]
            vm.live, vm.dead = {}, set()
            vm.facts = msgspec.structs.replace(vm.facts, running=False)
            if not vm.facts.persistent:
                del self._vms[vm_id]
            self._note_served()

    def remove(self, vm_id: str) -> None:
        """The VM is off and undefined."""
        with self._lock:
            self.stop(vm_id)
            self._vms.pop(vm_id, None)

    def receive(self, vm_id: str, source: "MemoryHypervisor") -> None:
        """A VM that runs there waits here to take over, with its devices; NotFound when a share is
        not where it is there."""
        with self._lock:
            there = source._vms[vm_id]
            for spec in there.live.values():
                self._check_source(spec)
            vm = _Vm(msgspec.structs.replace(there.facts, moving=True))
            vm.live, vm.config = dict(there.live), dict(there.config)
            self._vms[vm_id] = vm
            self._note_served()

    def take_over(self, vm_id: str) -> None:
        """The VM that waited here runs here."""
        with self._lock:
            vm = self._vms[vm_id]
            vm.facts = msgspec.structs.replace(vm.facts, moving=False)
            self._changes.note()

    def kill_daemon(self, attachment_id: str) -> None:
        """The device's virtiofsd is dead."""
        with self._lock:
            for vm in self._vms.values():
                vm.dead.update({attachment_id} & vm.live.keys())
            self._note_served()

    def capabilities(self) -> h.HostFacts:
        """What the host can do."""
        with self._called("capabilities"):
            return self._host

    def guests(self) -> list[h.GuestFacts]:
        """Every VM."""
        with self._called("guests"):
            return [_facts(vm) for vm in self._vms.values()]

    def find_guest(self, name_or_id: str) -> h.GuestFacts | None:
        """The VM of that id or name."""
        with self._called("find_guest"):
            named = [vm for vm in self._vms.values() if vm.facts.name == name_or_id]
            vm = self._vms.get(name_or_id) or (named[0] if named else None)
            return None if vm is None else _facts(vm)

    def why_not(self, spec: h.DeviceSpec) -> tuple[h.MissingFact, ...]:
        """What stands against the device even at the VM's next start."""
        with self._called("why_not"):
            return checks.at_all(spec, _facts(self._known(spec.vm_id)), self._host)

    def why_not_hot(self, spec: h.DeviceSpec) -> tuple[h.MissingFact, ...]:
        """What stands against the device in the VM as it runs now."""
        with self._called("why_not_hot"):
            return checks.hot(spec, _facts(self._known(spec.vm_id)), self._host)

    def ensure_attached(self, spec: h.DeviceSpec) -> h.Device:
        """The VM has the device; see the Protocol."""
        with self._called("ensure_attached"):
            self._check_source(spec)
            vm, key = self._known(spec.vm_id), spec.attachment_id
            stored = msgspec.structs.replace(spec, live=True)
            for half in (vm.live, vm.config):
                if half.get(key, stored) != stored:
                    raise Conflict(f"attachment {key} exists otherwise")
            to_live = spec.live and vm.facts.running and key not in vm.live
            to_config = vm.facts.persistent and key not in vm.config
            if to_live or to_config:
                against = checks.hot if spec.live else checks.at_all
                checks.refuse(against(spec, _facts(vm), self._host))
            vm.live.update({key: stored} if to_live else {})
            vm.config.update({key: stored} if to_config else {})
            self._note_served()
            return wanted(spec, plugged(key in vm.live, key in vm.config))

    def ensure_detached(self, ref: h.DeviceRef, *, force: bool = False) -> None:
        """The VM does not have the device; see the Protocol."""
        with self._called("ensure_detached"):
            vm = self._vms.get(ref.vm_id)
            if vm is None:
                return
            _still(vm).config.pop(ref.attachment_id, None)
            device = vm.live.get(ref.attachment_id)
            if device is not None and device.driver == "9p":
                if not force:
                    raise Transient(
                        f"the VM has not released {device.tag}: 9p stays until it stops"
                    )
                self.stop(ref.vm_id)
            vm.live.pop(ref.attachment_id, None)
            self._note_served()

    def inventory(self) -> Iterator[w.Mark]:
        """Every device."""
        with self._called("inventory"):
            still = [vm for vm in self._vms.values() if not vm.facts.moving]
            found = [mark for vm in still for mark in _marks(vm)]
        yield from found

    def wait_for_change(self, seen: int, seconds: float) -> int:
        """The number of changes so far, once it is not `seen`, or after the time limit."""
        with self._called("wait_for_change"):
            pass
        return self._changes.wait(seen, until=time.monotonic() + seconds, longest=seconds)

    def _known(self, vm_id: str) -> _Vm:
        if vm_id not in self._vms:
            raise NotFound(f"VM {vm_id} is not on this host")
        return _still(self._vms[vm_id])

    def _check_source(self, spec: h.DeviceSpec) -> None:
        if self._mounts is None:
            return
        if Path(spec.source).name != spec.attachment_id:
            raise BadRequest(f"{spec.source} is not a directory of this attachment")
        if not self._mounts.is_bound(spec.source, read_only=False):
            raise NotFound(f"nothing is mounted at {spec.source}")
        if not self._mounts.is_bound(spec.source, read_only=spec.read_only):
            raise Conflict(f"{spec.source} is not mounted read-only")

    def _note_served(self) -> None:
        self._changes.note()
        if self._mounts is not None:
            vms = self._vms.values()
            self._mounts.served = {name for vm in vms for name in vm.live.keys() - vm.dead}

    @contextmanager
    def _called(self, method: str) -> Generator[None]:
        with self._lock:
            if method in self.fail:
                raise self.fail[method]
            yield


def _still(vm: _Vm) -> _Vm:
    """The VM; Transient while it moves, when nothing is known of its devices."""
    if vm.facts.moving:
        raise Transient(f"VM {vm.facts.name} is about to start or to migrate")
    return vm


def _facts(vm: _Vm) -> h.GuestFacts:
    devices = {} if vm.facts.moving else {**vm.config, **vm.live}
    return msgspec.structs.replace(
        vm.facts,
        free_ports=vm.facts.free_ports - len(vm.live),
        tags={spec.tag: key for key, spec in devices.items()},
    )


def _marks(vm: _Vm) -> Iterator[w.Mark]:
    for key, spec in {**vm.config, **vm.live}.items():
        facts: dict[str, object] = {
            "vm_id": vm.facts.id,
            "tag": spec.tag,
            "source": spec.source,
            "driver": spec.driver,
            "plugged": plugged(key in vm.live, key in vm.config),
            "read_only": spec.read_only,
        }
        problem = "its virtiofsd is dead; restart the VM" if key in vm.dead else None
        yield w.Mark(kind="device", id=key, facts=facts, broken=problem)
