"""The agent: the one process that touches the world on its host (root: mounts, exports)."""

import datetime
import grp
import os
import pwd
import threading
from collections.abc import Callable, Mapping

import structlog

from roadstead.agent.backends import make_backends
from roadstead.agent.compute import ComputeAgent, make_compute
from roadstead.agent.networks import make_network_agent, make_networked
from roadstead.config import identity
from roadstead.config.sections import Config
from roadstead.engine.dbos import DbosEngine, DbosWorker
from roadstead.model.errors import RoadsteadError
from roadstead.model.world import Place
from roadstead.ops import names
from roadstead.ops.ensure import Ensure
from roadstead.ops.gateway_report import report_gateways
from roadstead.ops.recipe import Open
from roadstead.ops.report import report
from roadstead.ops.runner import Runner
from roadstead.ops.sweeps.findings import guarded
from roadstead.ops.sweeps.shares import ShareSweep
from roadstead.roads.backend import Backend
from roadstead.store import drift, messages, operations
from roadstead.store.db import Database, utcnow

log = structlog.get_logger()

HEARTBEAT_SECONDS = 20.0
_KEEP_HISTORY = datetime.timedelta(days=90)


class Agent:
    def __init__(self, config: Config) -> None:
        self._config = config
        self._db = Database(config.database_url)
        networked = make_networked(config)
        self._backends = make_backends(config, networked)
        self._worker = DbosWorker(
            config.database_url, config.host, config.run_directory, wake_gid=_gid(config.api.user)
        )
        self._compute = self._make_compute()
        self._network = make_network_agent(
            config, self._db, self._backends, self._worker.adopt, networked
        )
        self._runner = Runner(
            self._db,
            config.host,
            self._backends,
            retry=self._worker.retry,
            give_up_after=datetime.timedelta(seconds=config.operation_timeout_seconds),
            openers=self._openers(),
            keep_messages=datetime.timedelta(days=config.message_days),
        )
        self._sweep = ShareSweep(
            self._db,
            config.host,
            self._backends,
            self._runner,
            self._worker.adopt,
            grace=datetime.timedelta(seconds=config.leak_grace_seconds),
            keep=datetime.timedelta(days=config.trash_days),
            places=self._places,
        )
        self._sweeping = threading.Lock()
        self._ensure = Ensure(self._db, config.host, self._run_sweep).if_asked
        self._stop = threading.Event()

    def _make_compute(self) -> ComputeAgent | None:
        compute = make_compute(self._config, self._backends)
        if compute is None:
            return None
        engine = DbosEngine(self._config.database_url, self._config.run_directory)
        grace = datetime.timedelta(seconds=self._config.leak_grace_seconds)
        return ComputeAgent(self._db, compute, engine, self._worker.adopt, grace=grace)

    def _openers(self) -> dict[str, Open]:
        found: dict[str, Open] = {}
        if self._compute is not None:
            found["attachment"] = self._compute.opener
        if self._network is not None:
            found["share_server"] = self._network.opener
        return found

    def _places(self, backend: Backend) -> Mapping[str, Place]:
        return {} if self._network is None else self._network.places(backend)

    def stop(self) -> None:
        self._stop.set()

    def run(self) -> None:
        """Works until `stop`. The exports stay up when it ends: mounted clients do not notice.
        AnotherHost, and nothing was served or changed, when what is here goes by another name."""
        usable = self._open_pools()
        self._check_names()
        self._open_exports(usable)
        self._worker.start(self._runner.run, lambda: self._do("ensure", self._ensure))
        self._do("sweep", self._run_sweep)
        pairs = self._start_pairs()
        self._do("report", self._report)
        if self._compute is not None:
            self._do("compute", self._compute.start)
        with open(os.path.join(self._config.run_directory, "agent.ready"), "w") as ready:
            ready.write(str(os.getpid()))
        log.info("agent ready", host=self._config.host, backends=sorted(self._backends))
        next_sweep = self._config.sweep_interval_seconds
        waited = 0.0
        while not self._stop.wait(min(HEARTBEAT_SECONDS, self._config.sweep_interval_seconds)):
            waited += min(HEARTBEAT_SECONDS, self._config.sweep_interval_seconds)
            if waited >= next_sweep:
                waited = 0.0
                self._do("sweep", self._run_sweep)
                self._do("tidy", self._tidy)
            self._do("ensure", self._ensure)
            self._do("report", self._report)
        if self._compute is not None:
            self._compute.stop()
        if pairs is not None:
            pairs.join()
        self._worker.stop()
        self._db.close()
        log.info("agent stopped")

    # One backend that is not ready keeps no other from working; the sweep tries again, and the
    # scheduler sees no report of it.

    def _open_pools(self) -> list[Backend]:
        """Those whose pool can be used."""
        usable: list[Backend] = []
        for backend in self._backends.values():
            with guarded("backend not ready", backend=backend.name):
                backend.pool.ensure_pool()
                usable.append(backend)
        return usable

    def _open_exports(self, usable: list[Backend]) -> None:
        for backend in usable:
            with guarded("backend not ready", backend=backend.name):
                for view in backend.views({}).values():
                    view.export.ensure_server(view.place)

    def _check_names(self) -> None:
        config = self._config
        if identity.known(config) is None:
            try:
                was = names.owner_of_bytes(self._db, config.host, self._backends)
            except RoadsteadError as error:
                log.warning("host name not noted yet", error=str(error))
            else:
                if was is not None:
                    raise identity.AnotherHost(config, was, "the shares in its pools belong to")
                identity.remember(config)
        names.report_unserved(self._db, config.host, self._backends)

    def _run_sweep(self) -> None:
        with self._sweeping:
            if self._network is not None:
                self._do("networks", self._network.sweep)
            self._sweep.run()

    def _start_pairs(self) -> threading.Thread | None:
        """Gateways of pairs were looked at, and will be every few seconds; None when there are
        none. After the first sweep: a gateway that takes over has its rules by then."""
        network = self._network
        if network is None or not network.has_pairs:
            return None
        self._do("pairs", network.look_at_pairs)

        def go_on() -> None:
            while not self._stop.wait(self._config.standby_interval_seconds):
                self._do("pairs", network.look_at_pairs)

        thread = threading.Thread(target=go_on, name="pairs")
        thread.start()
        return thread

    def _report(self) -> None:
        host, backends = self._config.host, self._backends.values()
        network = None if self._network is None else self._network.capabilities()
        report(self._db, host, backends, network)
        if self._network is not None:
            report_gateways(self._db, host, backends, self._places, role=self._network.role)
            self._network.report_standbys()

    def _tidy(self) -> None:
        now = utcnow()
        with self._db.write() as tx:
            messages.expire(tx, now)
            drift.forget(tx, now - _KEEP_HISTORY)
            operations.forget_finished(tx, now - _KEEP_HISTORY)

    def _do(self, what: str, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception:
            log.exception("agent task failed", task=what)


def _gid(user: str) -> int:
    try:
        return pwd.getpwnam(user).pw_gid
    except KeyError:
        return grp.getgrgid(os.getgid()).gr_gid
