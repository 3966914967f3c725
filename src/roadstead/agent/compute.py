"""This machine as a compute host: what the agent does for the hypervisor road."""

import datetime
import threading
from collections.abc import Callable, Mapping

import structlog

from roadstead.agent import chosen
from roadstead.config.load import primary_address
from roadstead.config.sections import Config
from roadstead.drivers import registry
from roadstead.engine.base import Engine
from roadstead.ops.attachments import opener
from roadstead.ops.compute_report import report
from roadstead.ops.grants import Grants
from roadstead.ops.recipe import Open
from roadstead.ops.sweeps.attachments import AttachmentSweep
from roadstead.roads.backend import Backend
from roadstead.roads.hypervisor import Compute
from roadstead.store.db import Database

log = structlog.get_logger()

# How long a dead daemon, or a VM's change that libvirt did not tell, may go unnoticed.
LOOK_SECONDS = 5.0


def make_compute(config: Config, backends: Mapping[str, Backend]) -> Compute | None:
    """What the configuration says of this machine's hypervisor; None = it has none."""
    section = config.compute
    if not section.hypervisor:
        return None
    host_mounts = registry.make_host_mounts(chosen.host_mounts(config))
    client = section.nfs_client
    if client == "auto":
        client = host_mounts.capabilities().nfs_client or "none"
    return Compute(
        host=config.host,
        hypervisor=registry.make_hypervisor(chosen.hypervisor(config)),
        mounts=host_mounts,
        backends=backends,
        storage_address=section.storage_address or primary_address(),
        nfs={"kernel": "nfs", "fuse": "fuse-nfs"}.get(client),
        local_mounts=section.local_mounts,
    )


class ComputeAgent:
    """Reports, sweeps and watches; `opener` is for the runner."""

    def __init__(
        self,
        db: Database,
        compute: Compute,
        engine: Engine,
        adopt: Callable[[str], None],
        *,
        grace: datetime.timedelta,
    ) -> None:
        self._db, self._compute = db, compute
        grants = Grants(db, compute, engine)
        self.opener: Open = opener(db, compute, grants)
        self._sweep = AttachmentSweep(db, compute, grants, adopt, grace=grace)
        self._ready = False
        self._look = threading.Lock()
        self._stop = threading.Event()

    def start(self) -> None:
        """Host and VMs are reported, attachments are as they should be, and go on being so; what
        goes wrong is tried again at the next look."""
        self.look()
        threading.Thread(target=self._watch, name="compute", daemon=True).start()

    def stop(self) -> None:
        """Nobody looks any more; VMs keep their devices."""
        self._stop.set()
        # The watcher itself may wait for libvirt a while longer; it acts on nothing any more.
        with self._look:
            pass

    def look(self) -> None:
        """Rows and world were compared once, whatever went wrong."""
        with self._look:
            if self._stop.is_set():
                return
            try:
                if not self._ready:
                    self._compute.mounts.ensure_ready()
                    self._ready = True
                report(self._db, self._compute)
                if self._sweep.run():
                    report(self._db, self._compute)
            except Exception:
                log.exception("compute host not looked at")

    def _watch(self) -> None:
        seen = 0
        while not self._stop.is_set():
            try:
                seen = self._compute.hypervisor.wait_for_change(seen, LOOK_SECONDS)
            except Exception:
                log.exception("hypervisor not watched")
                self._stop.wait(LOOK_SECONDS)
            self.look()
