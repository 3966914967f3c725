"""Gateways that another host stands by for: each has its part in the election, and gives the
other its addresses. Looked at every few seconds, because nobody may wait for it."""

from collections.abc import Callable, Mapping

from roadstead.drivers.base.failover import Failover
from roadstead.model.share_networks import Lease
from roadstead.model.world import Place
from roadstead.ops.ledger import addresses
from roadstead.ops.server_state import in_motion
from roadstead.ops.sweeps.findings import guarded
from roadstead.ops.sweeps.looks import Look, Memo
from roadstead.roads.addresses import Addresses
from roadstead.roads.backend import Backend
from roadstead.roads.networked import Networked
from roadstead.store import flows, gateway_reports, operations
from roadstead.store.db import Database

_WHOLE_EVERY = 30  # looks


class ActiveGatewaySweep:
    """The active side's. `places(backend)` are its share servers' that stand, by server id."""

    def __init__(
        self,
        db: Database,
        host: str,
        backends: Mapping[str, Backend],
        networked: Networked,
        places: Callable[[Backend], Mapping[str, Place]],
    ) -> None:
        self._db, self._host, self._backends = db, host, backends
        self._networked, self._places = networked, places
        self._memo: Memo[tuple[Place, list[Lease]]] = Memo(_WHOLE_EVERY)

    def run(self) -> int:
        """Every gateway of a backend with a standby stands for election, and no other does; how
        many did not."""
        failover = self._networked.failover
        if failover is None:
            return 0
        self._memo.begin()
        look = Look(failover.inventory)
        there, running = look.ids(), look.whole()
        found, gateways_ = 0, self._gateways()
        for backend, place in gateways_:
            if not backend.servers.paired and place.id in there:
                with guarded("gateway keeps its standby", server=place.id):
                    found += self._ensure_alone(backend, place.id)
        for backend, place in gateways_:
            if backend.servers.paired:
                with guarded("gateway has no standby", server=place.id):
                    found += self._ensure(failover, backend, place, runs=place.id in running)
        return found

    def _gateways(self) -> list[tuple[Backend, Place]]:
        """Those that nobody is working on."""
        with self._db.read() as tx:
            busy = operations.live_resources(tx, self._host)
        return [
            (backend, place)
            for backend in self._backends.values()
            if backend.servers.passes_on
            for server_id, place in self._places(backend).items()
            if server_id not in busy
        ]

    def _ensure(self, failover: Failover, backend: Backend, place: Place, *, runs: bool) -> int:
        with self._db.read() as tx:
            peers = flows.standby_of(tx, place.id)
        if runs and self._memo.says(place.id, (place, peers)):
            if not failover.holds(place):
                failover.forget_connections(place)
            return 0
        with self._networked.server_lock(place.id):
            if in_motion(self._db, self._host, place.id):
                return 0
            legs = backend.servers.legs(self._now(place.id).tenant)
            if len(peers) != len(legs):
                failover.check()
                with self._db.write() as tx:
                    peers = flows.ensure_standby(tx, place.id, legs)
            now = self._now(place.id)
            backend.servers.ensure_ports(self._networked, now)
        new = self._memo.keep(place.id, (now.place, now.peers))
        return int(new or not runs)

    def _ensure_alone(self, backend: Backend, server_id: str) -> int:
        """Its standby is not wanted any more, and learns it before it could take over."""
        with self._networked.server_lock(server_id):
            if in_motion(self._db, self._host, server_id):
                return 0
            with self._db.write() as tx:
                flows.release_standby(tx, server_id)
                gateway_reports.forget_others(tx, server_id, self._host)
            with self._db.read() as tx:
                alone = addresses(tx, server_id, peers=False)
            backend.servers.ensure_ports(self._networked, alone)
        self._memo.forget(server_id)
        return 1

    def _now(self, server_id: str) -> Addresses:
        with self._db.read() as tx:
            return addresses(tx, server_id, peers=True)
