"""What stands against a share in a VM, as its host's agent last reported. The agent looks again
before it acts."""

from collections.abc import Iterator
from typing import cast

from roadstead.model.attachments import ComputeHost, Vm
from roadstead.model.errors import CannotAttach
from roadstead.model.hosts import MissingFact


def strings(value: object) -> list[str]:
    """The list of texts that an agent reported; none if it reported something else."""
    return [str(v) for v in cast("list[object]", value)] if isinstance(value, list) else []


def choose_driver(asked: str | None, vm: Vm, host: ComputeHost) -> str:
    """The driver asked for; else virtiofs where host and VM can do it; else 9p."""
    virtiofs = "virtiofs" in strings(host.facts.get("drivers")) and vm.shared_memory
    return asked or ("virtiofs" if virtiofs else "9p")


def check(vm: Vm, host: ComputeHost, driver: str, *, asked: str | None, cold: bool) -> None:
    """CannotAttach with every missing fact and its fix, or nothing (H-I5)."""
    now = vm.running and not cold
    missing = [*_ever(vm, host, driver)]
    if now:
        if asked is None and driver == "9p":
            # Only virtiofs would do it now: what it lacks is what is missing.
            missing += _ever(vm, host, "virtiofs")
        missing += _now(vm, driver)
    if missing:
        what = "is running and the share cannot be plugged in now" if now else "cannot have it"
        facts = "; ".join(f"{each.fact} ({each.fix})" for each in missing)
        raise CannotAttach(f"VM {vm.name} {what}: {facts}", missing)


def _ever(vm: Vm, host: ComputeHost, driver: str) -> Iterator[MissingFact]:
    """What is missing even at the VM's next start."""
    offered = strings(host.facts.get("drivers"))
    if driver not in offered:
        fix = "install virtiofsd there" if driver == "virtiofs" else f"use {' or '.join(offered)}"
        yield MissingFact(code="driver", fact=f"the VM's host cannot do {driver}", fix=fix)
    if driver == "virtiofs" and not vm.shared_memory:
        yield MissingFact(
            code="shared-memory",
            fact="the VM has no shared memory, which virtiofs needs",
            fix="stop it and add <memoryBacking><source type='memfd'/><access mode='shared'/>"
            "</memoryBacking> to its definition, or use the driver 9p",
        )


def _now(vm: Vm, driver: str) -> Iterator[MissingFact]:
    """What is missing while it runs."""
    if driver == "9p":
        fix = "use virtiofs, or attach it for the next start (--cold)"
        fact = "9p devices cannot be plugged into a running VM"
        yield MissingFact(code="9p-is-cold", fact=fact, fix=fix)
    elif vm.free_ports < 1:
        fix = (
            "detach a device, define the VM with more pcie-root-port controllers, or attach it "
            "for the next start (--cold)"
        )
        yield MissingFact(code="port", fact="no PCI Express port is free", fix=fix)
