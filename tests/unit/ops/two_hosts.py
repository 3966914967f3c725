"""Two compute hosts on one database: memory drivers, the inline engine."""

import datetime
from typing import Any

import msgspec

from roadstead.drivers.compute.memory import MemoryMounts
from roadstead.drivers.hypervisor.memory import MemoryHypervisor
from roadstead.model.hosts import HostFacts, VirtiofsdFacts
from roadstead.ops import attachments as recipes
from roadstead.ops.compute_report import report
from roadstead.ops.grants import Grants
from roadstead.ops.runner import Runner
from roadstead.ops.sweeps.attachments import AttachmentSweep
from roadstead.roads.hypervisor import Compute
from roadstead.service import attachments
from roadstead.service.attachments import NewAttachment
from roadstead.store import operations
from tests.factories import HOST, World, make_world

TARGET = "node2"
NO_GRACE = datetime.timedelta(0)
ADDRESSES = {HOST: "192.0.2.50", TARGET: "192.0.2.60"}
NEW = HostFacts(
    qemu="10.0.2",
    libvirt="11.3.0",
    virtiofsd=VirtiofsdFacts(
        flavour="rust", version="1.13.2", path="/usr/libexec/virtiofsd", features=("migration",)
    ),
    shared_memory=True,
    live_migration=True,
)


class Host:
    """One compute host and its agent."""

    def __init__(self, world: World, name: str, facts: HostFacts, **compute: Any) -> None:
        self.name, self._world = name, world
        self.mounts = MemoryMounts(MemoryMounts.Options())
        self.hypervisor = MemoryHypervisor(
            MemoryHypervisor.Options(), mounts=self.mounts, host=facts
        )
        given = {"backends": world.backends, "nfs": "nfs", "local_mounts": False, **compute}
        self.compute = Compute(
            host=name,
            hypervisor=self.hypervisor,
            mounts=self.mounts,
            storage_address=ADDRESSES[name],
            **given,
        )
        self.start()

    def start(self) -> None:
        """The agent knows nothing but what the database and the drivers tell."""
        world = self._world
        self._grants = Grants(world.db, self.compute, world.engine)
        self.sweep = AttachmentSweep(
            world.db, self.compute, self._grants, world.engine.adopt, grace=NO_GRACE
        )
        self.runner = Runner(
            world.db,
            self.name,
            world.backends if self.name == HOST else {},
            retry=lambda operation_id, seconds: world.retries.append((operation_id, seconds)),
            openers={"attachment": recipes.opener(world.db, self.compute, self._grants)},
        )

    def report(self) -> None:
        report(self._world.db, self.compute)

    def marks(self) -> list[str]:
        """What there is of attachments: mounts, views, devices."""
        found = [*self.mounts.inventory(), *self.hypervisor.inventory()]
        return sorted(mark.kind for mark in found)


class TwoHosts(msgspec.Struct, kw_only=True):
    """`source` is the storage host, too."""

    world: World
    source: Host
    target: Host

    @property
    def hosts(self) -> tuple[Host, Host]:
        return self.source, self.target

    def run(self, operation_id: str) -> None:
        """By the agent it belongs to."""
        with self.world.db.read() as tx:
            found = operations.find(tx, operation_id)
        assert found is not None
        host = next(host for host in self.hosts if host.name == found[0].host)
        host.runner.run(operation_id)

    def restart(self) -> None:
        """Both agents begin anew; what is unfinished is resumed."""
        for host in self.hosts:
            host.start()
            with self.world.db.read() as tx:
                live = operations.live_on(tx, host.name)
            self.world.retries.extend((operation.id, 0.0) for operation in live)
        self.settle()
        self.look()

    def look(self, times: int = 2) -> None:
        """Each agent reports and sweeps, until operations it began have ended."""
        for _ in range(times):
            for host in self.hosts:
                host.report()
                host.sweep.run()
                self.settle()

    def settle(self) -> None:
        for _ in range(10):
            waiting, self.world.retries[:] = list(self.world.retries), []
            for operation_id, _seconds in waiting:
                with self.world.db.write() as tx:
                    operations.update(tx, operation_id, not_before=None)
                self.run(operation_id)

    def attach(self, caller: Any, share: Any, vm: str, **more: Any) -> Any:
        new = NewAttachment(share_id=share.id, vm=vm, **more)
        made = attachments.attach(self.world.service, caller, new)
        self.settle()
        return attachments.get(self.world.service, caller, made.id)


def make_two_hosts(
    url: str, *, source: HostFacts = NEW, target: HostFacts = NEW, **compute: Any
) -> TwoHosts:
    """The `compute` options are the target's."""
    world = make_world(url)
    made = TwoHosts(
        world=world,
        source=Host(world, HOST, source),
        target=Host(world, TARGET, target, **compute),
    )
    world.engine.start(made.run, lambda: None)
    return made
