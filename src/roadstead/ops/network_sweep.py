"""Share servers and this host's networks are made equal: what a reboot took is made again, what
bears our mark and belongs to no server goes, and servers without shares are taken down."""

import datetime
from collections.abc import Callable, Mapping

import structlog

from roadstead.engine.base import OwnHost
from roadstead.model.drift import Drift
from roadstead.model.errors import Conflict, RoadsteadError
from roadstead.model.ids import place_netns, standby_place
from roadstead.model.networks import PortRef, SegmentRef
from roadstead.model.share_networks import Lease, ShareServer
from roadstead.model.states import ShareServerStatus
from roadstead.model.verbs import SHARE_NOT_SERVED
from roadstead.model.world import Mark, Place
from roadstead.ops import gateways
from roadstead.ops.begin import Ourselves, acting
from roadstead.ops.server_state import in_motion
from roadstead.ops.strangers import GRACE, Strangers
from roadstead.ops.subjects import of_server
from roadstead.roads import network as road
from roadstead.roads import pair
from roadstead.roads.backend import Backend
from roadstead.roads.network import Networked
from roadstead.store import (
    allocations,
    drift,
    flows,
    operations,
    ownership,
    share_servers,
    shares,
)
from roadstead.store.db import Database, Tx, utcnow

log = structlog.get_logger()


class NetworkSweep:
    """`adopt(id)` has the engine run an operation."""

    def __init__(
        self,
        db: Database,
        host: str,
        backends: Mapping[str, Backend],
        networked: Networked,
        adopt: Callable[[str], None],
        *,
        unused: datetime.timedelta,
        grace: datetime.timedelta = GRACE,
    ) -> None:
        self._db, self._host, self._backends = db, host, backends
        self._networked, self._own, self._unused = networked, OwnHost(adopt), unused
        self._strangers = Strangers(db, host, grace=grace)
        self._failed: set[str] = set()  # servers in error that serve nothing, as of this run

    def run(self) -> int:
        """How many differences were repaired."""
        # The world first: a row is written before its effect and removed after it.
        marks = list(self._networked.network.inventory())
        with self._db.read() as tx:
            servers = share_servers.on_host(tx, self._host)
            leases = allocations.on_host(tx, self._host)
            standbys = flows.standbys_for(tx, self._networked.standby_for)
            busy = operations.live_resources(tx, self._host)
            standing = _standing(tx, self._host, servers)
        # What could not be made was undone; where that was given up, the rest goes now.
        failed = {s.id for s in servers if s.status == ShareServerStatus.ERROR}
        self._failed = failed - {s.id for s in standing} - busy
        places = {s.id for s in servers} - self._failed
        places |= {standby_place(lease.share_server_id) for lease in standbys}
        unowned = self._unowned(marks, places, [*self._owning(leases), *standbys])
        found = self._leftovers(self._nobodys(unowned))
        for server in standing:
            if server.id not in busy:
                mine = [lease for lease in leases if lease.share_server_id == server.id]
                found += self._standing(server, marks, mine) or self._passing(server)
        self._take_down_unused(busy)
        return found

    def places(self, backend: Backend) -> dict[str, Place]:
        """Where the backend's share servers are that serve shares, by server id."""
        with self._db.read() as tx:
            servers = share_servers.on_host(tx, self._host)
            leases = allocations.on_host(tx, self._host)
            passing = flows.on_host(tx, self._host)
            standing = _standing(tx, self._host, servers)
        return {
            s.id: road.place_of(
                s.id,
                [le for le in leases if le.share_server_id == s.id],
                [le for le in passing if le.share_server_id == s.id],
            )
            for s in standing
            if s.host == f"{self._host}@{backend.name}"
        }

    def _standing(self, server: ShareServer, marks: list[Mark], mine: list[Lease]) -> int:
        """Namespace and ports are there, as they were made."""
        whole = {m.id for m in marks if m.broken is None}
        needed = {server.id, *(i for lease in mine for i in (lease.id, lease.wire))}
        missing = needed - whole
        if not missing or not self._still_missing(missing):
            return 0
        backend = self._backend(server)
        if backend is None:
            return 0
        with self._networked.server_lock(server.id):
            if in_motion(self._db, self._host, server.id):
                return 0  # what is missing was just taken away on purpose
            try:
                self._make_again(backend, server, mine)
            except RoadsteadError as error:
                log.warning("share server not repaired", server=server.id, error=str(error))
                return 0
        self._report(
            Drift.MISSING, server.id, f"{len(missing)} of its parts were gone", "made again"
        )
        return 1

    def _make_again(self, backend: Backend, server: ShareServer, mine: list[Lease]) -> None:
        with self._db.read() as tx:
            nets = [*gateways.tenant_subnets(tx, server.id), *backend.storage]
        with self._networked.wire_lock:
            road.ensure_segments(self._networked.network, nets)
        self._networked.network.ensure_place(road.place_of(server.id, mine))
        self._ensure_ports(backend, server)

    def _passing(self, server: ShareServer) -> int:
        """The addresses that stand for a gateway's shares are on its ports, and no others."""
        backend = self._backend(server)
        if backend is None or not backend.passes_flows:
            return 0
        with self._networked.server_lock(server.id):
            side = gateways.side_of(self._db, backend, server.id)
            if pair.are_right(self._networked.network, side):
                return 0
            if in_motion(self._db, self._host, server.id):
                return 0
            try:
                self._ensure_ports(backend, server)
            except RoadsteadError as error:
                log.warning("gateway not repaired", server=server.id, error=str(error))
                return 0
        self._report(Drift.DIFFERS, server.id, "its addresses were others", "set again")
        return 1

    def _ensure_ports(self, backend: Backend, server: ShareServer) -> None:
        side = gateways.side_of(self._db, backend, server.id)
        if side.peers and not pair.stands(self._networked, side):
            # It stands for election when its rules are there, too, and not before.
            pair.ensure_own(self._networked, side)
        else:
            gateways.ensure_ports(self._db, backend, self._networked, server.id)

    def _backend(self, server: ShareServer) -> Backend | None:
        name = server.host.partition("@")[2]
        return next((b for b in self._backends.values() if b.name == name), None)

    def _still_missing(self, parts: set[str]) -> bool:
        """Looks twice: the server may have come up between the look at the world and that at the
        database."""
        whole = {m.id for m in self._networked.network.inventory() if m.broken is None}
        return not parts <= whole

    def _owning(self, leases: list[Lease]) -> list[Lease]:
        """Those of servers that may have something in the world."""
        return [lease for lease in leases if lease.share_server_id not in self._failed]

    def _unowned(self, marks: list[Mark], places: set[str], leases: list[Lease]) -> list[Mark]:
        """What belongs to no server. Looks twice: a server may have gone between the look at the
        world and that at the database, and then nothing is left."""
        known = {
            "port": {lease.id for lease in leases},
            "place": places,
            "segment": {lease.wire for lease in leases},
        }
        if all(mark.id in known[mark.kind] for mark in marks):
            return []
        before = {(mark.kind, mark.id) for mark in marks}
        again = (m for m in self._networked.network.inventory() if (m.kind, m.id) in before)
        return [mark for mark in again if mark.id not in known[mark.kind]]

    def _nobodys(self, marks: list[Mark]) -> list[Mark]:
        """What may be removed of them: of servers here that could not be made, and what no server
        of any host has. They hold nothing, and the right database makes them again; their numbers
        and addresses are given out anew meanwhile, so what was never heard of goes, too."""
        failed = [m for m in marks if {m.id, m.facts.get("place_id")} & self._failed]
        others = [m for m in marks if m not in failed]
        with self._db.read() as tx:
            owners = ownership.leases(tx, {m.id for m in others if m.kind == "port"})
            owners |= ownership.servers(tx, {m.id for m in others if m.kind == "place"})
        going = failed + self._strangers.removable(others, owners)
        # A wire is many hosts': it stays under a port that does.
        needed = {m.facts.get("segment_id") for m in marks if m not in going}
        return [m for m in going if m.kind != "segment" or m.id not in needed]

    def _leftovers(self, marks: list[Mark]) -> int:
        """They are removed, each kind before that on which it stands."""
        how: dict[str, Callable[[str], None]] = {
            "port": lambda i: self._networked.network.ensure_port_absent(PortRef(id=i)),
            "place": self._no_place,
            "segment": self._no_segment,
        }
        found = 0
        for kind, remove in how.items():
            for mark in marks:
                if mark.kind == kind:
                    found += self._remove(mark, lambda m=mark, r=remove: r(m.id))
        return found

    def _no_place(self, server_id: str) -> None:
        place = Place(id=server_id, netns=place_netns(server_id))
        if self._networked.failover is not None:
            self._networked.failover.ensure_absent(server_id)
        for backend in self._backends.values():
            backend.export.ensure_server_absent(place)
        for standby in self._networked.standbys:
            standby.export.ensure_server_absent(place)
        self._networked.network.ensure_place_absent(place)

    def _no_segment(self, wire: str) -> None:
        with self._networked.wire_lock:
            with self._db.read() as tx:
                leases = self._owning(allocations.on_host(tx, self._host))
                leases += flows.standbys_for(tx, self._networked.standby_for)
                if any(lease.wire == wire for lease in leases):
                    return
            self._networked.network.ensure_segment_absent(SegmentRef(id=wire))

    def _remove(self, mark: Mark, how: Callable[[], None]) -> int:
        try:
            how()
        except RoadsteadError as error:
            log.warning("leftover stays", kind=mark.kind, id=mark.id, error=str(error))
            return 0
        self._report(Drift.LEAKED, mark.id, f"a {mark.kind} without a share server", "removed")
        return 1

    def _take_down_unused(self, busy: set[str]) -> None:
        """Servers without a share since the configured time are deleted (N-I5)."""
        with self._db.read() as tx:
            unused = share_servers.unused_on(tx, self._host)
        for server in unused:
            since = server.updated_at or server.created_at
            if server.id in busy or utcnow() - since < self._unused:
                continue
            try:
                self._take_down(server)
            except Conflict as error:  # somebody else does something with it at this moment
                log.info("unused share server stays", server=server.id, why=str(error))

    def _take_down(self, server: ShareServer) -> None:
        with acting(self._db, self._own, Ourselves()) as act:
            if share_servers.is_unused(act.tx, server):
                act.begin("share_server.delete", of_server(server))

    def _report(self, kind: Drift, resource_id: str, detail: str, action: str) -> None:
        log.warning("drift", kind=kind, what="share server", id=resource_id, action=action)
        with self._db.write() as tx:
            drift.insert(
                tx,
                host=self._host,
                kind=kind,
                resource_type="share_server",
                resource_id=resource_id,
                detail=detail,
                action=action,
                repaired=True,
            )


def _standing(tx: Tx, host: str, servers: list[ShareServer]) -> list[ShareServer]:
    """Those whose parts must all be there. In other states a server's own operation looks after
    them; one in error may still serve shares, as when it could not get one more subnet."""
    serving = {
        i.share_server_id for i in shares.instances_on(tx, host) if i.status not in SHARE_NOT_SERVED
    }
    active, error = ShareServerStatus.ACTIVE, ShareServerStatus.ERROR
    return [s for s in servers if s.status == active or (s.status == error and s.id in serving)]
