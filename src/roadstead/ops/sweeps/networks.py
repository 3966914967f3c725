"""Share servers and this host's networks are made equal: what a reboot took is made again, what
bears our mark and belongs to no server goes, and servers without shares are taken down."""

import datetime
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from roadstead.engine.base import OwnHost
from roadstead.model.drift import Drift
from roadstead.model.errors import Conflict
from roadstead.model.ids import place_netns, standby_place
from roadstead.model.networks import PortRef, SegmentRef
from roadstead.model.share_networks import Lease, ShareServer
from roadstead.model.states import ShareServerStatus
from roadstead.model.verbs import SHARE_NOT_SERVED
from roadstead.model.world import Mark, Place
from roadstead.ops import ledger
from roadstead.ops.begin import Ourselves, acting
from roadstead.ops.server_state import in_motion
from roadstead.ops.subjects import of_server
from roadstead.ops.sweeps.findings import Find, Findings, guarded
from roadstead.ops.sweeps.looks import Look
from roadstead.ops.sweeps.strangers import GRACE, Strangers
from roadstead.roads import network as road
from roadstead.roads.addresses import Addresses, place_of
from roadstead.roads.backend import Backend
from roadstead.roads.networked import Networked
from roadstead.store import (
    allocations,
    flows,
    operations,
    ownership,
    share_servers,
    shares,
)
from roadstead.store.db import Database, Tx, utcnow


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
        self._findings = Findings(db, host)
        self._strangers = Strangers(self._findings, grace=grace)
        self._failed: set[str] = set()  # servers in error that serve nothing, as of this run

    def run(self) -> int:
        """How many differences were repaired."""
        found = 0
        with guarded("networks not looked at"):
            found += self._compare()
        self._take_down_unused()
        return found

    def _compare(self) -> int:
        look = Look(self._networked.network.inventory)
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
        found = 0
        with guarded("leftovers not looked at"):
            unowned = self._unowned(look, places, [*self._owning(leases), *standbys])
            found += self._leftovers(self._nobodys(unowned))
        for server in standing:
            if server.id not in busy:
                mine = [lease for lease in leases if lease.share_server_id == server.id]
                with guarded("share server not repaired", server=server.id):
                    found += self._standing(server, look, mine) or self._passing(server)
        return found

    def places(self, backend: Backend) -> dict[str, Place]:
        """Where the backend's share servers are that serve shares, by server id."""
        with self._db.read() as tx:
            servers = share_servers.on_host(tx, self._host)
            leases = allocations.on_host(tx, self._host)
            passing = flows.on_host(tx, self._host)
            standing = _standing(tx, self._host, servers)
        return {
            s.id: place_of(
                s.id,
                [le for le in leases if le.share_server_id == s.id],
                [le for le in passing if le.share_server_id == s.id],
            )
            for s in standing
            if s.host == f"{self._host}@{backend.name}"
        }

    def _standing(self, server: ShareServer, look: Look, mine: list[Lease]) -> int:
        """Namespace and ports are there, as they were made."""
        needed = {server.id, *(i for lease in mine for i in (lease.id, lease.wire))}
        missing, backend = look.lacks(needed), self._backend(server)
        if not missing or backend is None:
            return 0
        with self._networked.server_lock(server.id):
            if in_motion(self._db, self._host, server.id):
                return 0  # what is missing was just taken away on purpose
            self._make_again(backend, server, mine)
        return self._tell(
            Drift.MISSING, server, f"{len(missing)} of its parts were gone", "made again"
        )

    def _make_again(self, backend: Backend, server: ShareServer, mine: list[Lease]) -> None:
        with self._db.read() as tx:
            nets = backend.servers.legs(ledger.tenant_subnets(tx, server.id))
        with self._networked.wire_lock:
            road.ensure_segments(self._networked.network, nets)
        self._networked.network.ensure_place(place_of(server.id, mine))
        self._ensure_ports(backend, server)

    def _passing(self, server: ShareServer) -> int:
        """The addresses that stand for a gateway's shares are on its ports, and no others."""
        backend = self._backend(server)
        if backend is None or not backend.servers.has_flows(backend.export):
            return 0
        with self._networked.server_lock(server.id):
            if backend.servers.are_right(self._networked, self._addresses(backend, server)):
                return 0
            if in_motion(self._db, self._host, server.id):
                return 0
            self._ensure_ports(backend, server)
        return self._tell(Drift.DIFFERS, server, "its addresses were others", "set again")

    def _ensure_ports(self, backend: Backend, server: ShareServer) -> None:
        now = self._addresses(backend, server)
        backend.servers.ensure_ports_again(self._networked, now)

    def _addresses(self, backend: Backend, server: ShareServer) -> Addresses:
        with self._db.read() as tx:
            return ledger.addresses(tx, server.id, peers=backend.servers.paired)

    def _backend(self, server: ShareServer) -> Backend | None:
        name = server.host.partition("@")[2]
        return next((b for b in self._backends.values() if b.name == name), None)

    def _owning(self, leases: list[Lease]) -> list[Lease]:
        """Those of servers that may have something in the world."""
        return [lease for lease in leases if lease.share_server_id not in self._failed]

    def _unowned(self, look: Look, places: set[str], leases: list[Lease]) -> list[Mark]:
        """What belongs to no server."""
        known = {
            "port": {lease.id for lease in leases},
            "place": places,
            "segment": {lease.wire for lease in leases},
        }
        return look.unknown(lambda mark: mark.id in known[mark.kind])

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
        how: dict[str, Callable[[str], bool]] = {
            "port": self._no_port,
            "place": self._no_place,
            "segment": self._no_segment,
        }
        return sum(
            self._findings.remove(
                mark,
                partial(remove, mark.id),
                f"a {mark.kind} without a share server",
                what="share_server",
            )
            for kind, remove in how.items()
            for mark in marks
            if mark.kind == kind
        )

    def _no_port(self, port_id: str) -> bool:
        self._networked.network.ensure_port_absent(PortRef(id=port_id))
        return True

    def _no_place(self, server_id: str) -> bool:
        place = Place(id=server_id, netns=place_netns(server_id))
        if self._networked.failover is not None:
            self._networked.failover.ensure_absent(server_id)
        for backend in self._backends.values():
            backend.export.ensure_server_absent(place)
        for standby in self._networked.standbys:
            standby.export.ensure_server_absent(place)
        self._networked.network.ensure_place_absent(place)
        return True

    def _no_segment(self, wire: str) -> bool:
        """False: a server has come onto it meanwhile."""
        with self._networked.wire_lock:
            with self._db.read() as tx:
                leases = self._owning(allocations.on_host(tx, self._host))
                leases += flows.standbys_for(tx, self._networked.standby_for)
            if any(lease.wire == wire for lease in leases):
                return False
            self._networked.network.ensure_segment_absent(SegmentRef(id=wire))
        return True

    def _take_down_unused(self) -> None:
        """Servers without a share since the configured time are deleted (N-I5)."""
        with self._db.read() as tx:
            unused = share_servers.unused_on(tx, self._host)
            busy = operations.live_resources(tx, self._host)
        for server in unused:
            since = server.updated_at or server.created_at
            if server.id in busy or utcnow() - since < self._unused:
                continue
            with guarded("unused share server stays", server=server.id):
                self._take_down(server)

    def _take_down(self, server: ShareServer) -> None:
        # A conflict: somebody else does something with it at this moment.
        with suppress(Conflict), acting(self._db, self._own, Ourselves()) as act:
            if share_servers.is_unused(act.tx, server):
                act.begin("share_server.delete", of_server(server))

    def _tell(self, kind: Drift, server: ShareServer, detail: str, action: str) -> int:
        return self._findings.tell(Find(kind, "share_server", server.id, detail, action))


def _standing(tx: Tx, host: str, servers: list[ShareServer]) -> list[ShareServer]:
    """Those whose parts must all be there. In other states a server's own operation looks after
    them; one in error may still serve shares, as when it could not get one more subnet."""
    serving = {
        i.share_server_id for i in shares.instances_on(tx, host) if i.status not in SHARE_NOT_SERVED
    }
    active, error = ShareServerStatus.ACTIVE, ShareServerStatus.ERROR
    return [s for s in servers if s.status == active or (s.status == error and s.id in serving)]
