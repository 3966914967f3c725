"""Gateways that another host stands by for: each has its part in the election, and gives the
other its addresses. Looked at every few seconds, because nobody may wait for it."""

from collections.abc import Callable, Mapping

import structlog

from roadstead.drivers.base.failover import Failover
from roadstead.model.errors import RoadsteadError
from roadstead.model.share_networks import Lease
from roadstead.model.world import Place
from roadstead.ops import gateways
from roadstead.ops.server_state import in_motion
from roadstead.roads import pair
from roadstead.roads.backend import Backend
from roadstead.roads.network import Networked
from roadstead.store import flows, gateway_reports, operations
from roadstead.store.db import Database

log = structlog.get_logger()

# So often nothing is compared but what the last look left, when the database says the same.
_WHOLE_EVERY = 30


class ActiveSweep:
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
        self._seen: dict[str, tuple[Place, list[Lease]]] = {}
        self._looks = 0

    def run(self) -> None:
        """Every gateway of a backend with a standby stands for election, and no other does."""
        failover = self._networked.failover
        if failover is None:
            return
        if self._looks % _WHOLE_EVERY == 0:
            self._seen.clear()
        self._looks += 1
        marks = list(failover.inventory())
        running = {mark.id for mark in marks if mark.broken is None}
        with self._db.read() as tx:
            busy = operations.live_resources(tx, self._host)
        for backend in self._backends.values():
            if not backend.is_gateway:
                continue
            for server_id, place in self._places(backend).items():
                if server_id in busy:
                    continue
                try:
                    if backend.standby:
                        self._ensure(failover, backend, place, runs=server_id in running)
                    elif any(mark.id == server_id for mark in marks):
                        self._ensure_alone(backend, server_id)
                except RoadsteadError as error:
                    log.warning("gateway has no standby", server=server_id, error=str(error))

    def _ensure(self, failover: Failover, backend: Backend, place: Place, *, runs: bool) -> None:
        with self._db.read() as tx:
            peers = flows.standby_of(tx, place.id)
        if runs and self._seen.get(place.id) == (place, peers):
            if not failover.holds(place):
                failover.forget_connections(place)
            return
        with self._networked.server_lock(place.id):
            if in_motion(self._db, self._host, place.id):
                return
            legs = gateways.side_of(self._db, backend, place.id).legs
            if len(peers) != len(legs):
                failover.check()
                with self._db.write() as tx:
                    peers = flows.ensure_standby(tx, place.id, legs)
            side = gateways.side_of(self._db, backend, place.id)
            pair.ensure_ports(self._networked, side)
        self._seen[place.id] = (side.place, side.peers)

    def _ensure_alone(self, backend: Backend, server_id: str) -> None:
        """Its standby is not wanted any more, and learns it before it could take over."""
        with self._networked.server_lock(server_id):
            if in_motion(self._db, self._host, server_id):
                return
            with self._db.write() as tx:
                flows.release_standby(tx, server_id)
                gateway_reports.forget_others(tx, server_id, self._host)
            gateways.ensure_ports(self._db, backend, self._networked, server_id)
        self._seen.pop(server_id, None)
