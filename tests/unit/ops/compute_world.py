"""A world with a compute host in it: memory drivers, a VM, the inline engine."""

import datetime
from typing import Any

import msgspec

from roadstead.drivers.compute.memory import MemoryMounts
from roadstead.drivers.hypervisor.memory import MemoryHypervisor
from roadstead.ops import attachments as recipes
from roadstead.ops.compute_report import report
from roadstead.ops.grants import Grants
from roadstead.ops.runner import Runner
from roadstead.ops.sweeps.attachments import AttachmentSweep
from roadstead.roads.hypervisor import Compute
from roadstead.service import attachments
from roadstead.service.attachments import NewAttachment
from tests.factories import HOST, World, make_world

STORAGE_ADDRESS = "192.0.2.50"


class ComputeWorld(msgspec.Struct, kw_only=True):
    """The compute host is the storage host, too; with `local=False` it mounts over the network
    all the same."""

    world: World
    hypervisor: MemoryHypervisor
    mounts: MemoryMounts
    compute: Compute
    grants: Grants
    sweep: AttachmentSweep
    runner: Runner

    def renewed_runner(self) -> Runner:
        """As after a start of the agent; the engine calls it from now on."""
        world = self.world
        runner = Runner(
            world.db,
            HOST,
            world.backends,
            retry=lambda operation_id, seconds: world.retries.append((operation_id, seconds)),
            openers={"attachment": recipes.opener(world.db, self.compute, self.grants)},
        )
        world.engine.start(runner.run, lambda: None)
        return runner

    def report(self) -> None:
        report(self.world.db, self.compute)

    def look(self) -> int:
        """As the agent does when something changed, until operations it began have ended."""
        self.report()
        found = self.sweep.run()
        self.settle()
        return found

    def settle(self) -> None:
        """Operations that wait are tried again until none is left that can go on."""
        for _ in range(10):
            waiting, self.world.retries[:] = list(self.world.retries), []
            if not waiting:
                return
            for operation_id, _seconds in waiting:
                self._now(operation_id)
                self.runner.run(operation_id)

    def _now(self, operation_id: str) -> None:
        from roadstead.store import operations

        with self.world.db.write() as tx:
            operations.update(tx, operation_id, not_before=None)

    def attach(self, caller: Any, share: Any, vm: str, **more: Any) -> Any:
        new = NewAttachment(share_id=share.id, vm=vm, **more)
        made = attachments.attach(self.world.service, caller, new)
        self.settle()
        return attachments.get(self.world.service, caller, made.id)

    def detach(self, caller: Any, attachment: Any, **more: Any) -> None:
        attachments.detach(self.world.service, caller, attachment.id, **more)
        self.settle()


def make_compute_world(url: str, *, local: bool = True, **settings: Any) -> ComputeWorld:
    """A world whose host has a hypervisor without VMs."""
    world = make_world(url, **settings)
    mounts = MemoryMounts(MemoryMounts.Options())
    hypervisor = MemoryHypervisor(MemoryHypervisor.Options(), mounts=mounts)
    compute = Compute(
        host=HOST,
        hypervisor=hypervisor,
        mounts=mounts,
        backends=world.backends,
        storage_address=STORAGE_ADDRESS,
        nfs="nfs",
        local_mounts=local,
    )
    grants = Grants(world.db, compute, world.engine)
    made = ComputeWorld(
        world=world,
        hypervisor=hypervisor,
        mounts=mounts,
        compute=compute,
        grants=grants,
        sweep=AttachmentSweep(
            world.db, compute, grants, world.engine.adopt, grace=datetime.timedelta(0)
        ),
        runner=world.runner,
    )
    made.runner = made.renewed_runner()
    return made
